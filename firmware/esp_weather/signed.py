"""Reports that are signed: many readings with their age, and the key stays here.

docs/protocol.md, "The signed report", is what this follows.
"""

from hashlib import sha256
import socket

from micropython import const

from esp_weather import VERSION
from esp_weather.clock import Clock
from esp_weather.report import AGAIN, DONE, DROP, REFUSED, RETRY, Client
from esp_weather.signature import base64, sign
from esp_weather.status import Status
from esp_weather.wifi import Wifi

_PATH = "/api/esp_weather/report"
_HEAD = (
    "POST " + _PATH + " HTTP/1.1\r\n"
    "Host: %s:%d\r\n"
    "User-Agent: esp-weather/" + VERSION + "\r\n"
    "Connection: close\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: %d\r\n"
    "Content-Digest: %s\r\n"
    "Signature-Input: sig=%s\r\n"
    "Signature: sig=:%s:\r\n"
    "\r\n"
)
_PARAMETERS = '("@method" "@path" "content-digest");keyid="%s";nonce="%s"'
_SIGNED = '"@method": POST\n"@path": ' + _PATH + '\n"content-digest": %s\n'

# Where the nonce is in the answer, and how much of it is read
_NONCE = b');nonce="'
_PIECE = const(256)
_PIECES = const(16)
_OVERLAP = const(96)  # a nonce and what stands before it


class SignedClient(Client):
    """Hands readings to the server and says what became of them."""

    KEEPS = True  # What cannot be delivered now is good later.
    CAPACITY = 240  # readings that the station keeps
    BATCH = 12  # readings that one report takes: memory is short

    def __init__(self, config: dict, wifi: Wifi, clock: Clock) -> None:
        """Keep where to report to, and as whom; nothing is connected yet."""
        super().__init__(config["server"])
        self._key = config["key"].encode()
        self._mac = wifi.mac
        self._status = Status(config, wifi, clock)
        self._offered = ""
        self._was_asked_again = False

    def report(self, readings: list[tuple[int, float, int]]) -> int:
        """Send at most BATCH readings: a field, a value, and its age in 1/10 s.

        Returns DONE, DROP, REFUSED, RETRY or AGAIN, and says why in `answer`.
        """
        body = self._body(readings)
        digest = "sha-256=:%s:" % base64(sha256(body).digest())
        parameters = _PARAMETERS % (self._mac, self.nonce)
        signature = sign(self._key, _SIGNED % digest, parameters)
        head = _HEAD % (
            self._host,
            self._port,
            len(body),
            digest,
            parameters,
            base64(signature),
        )
        self._offered = ""
        status = self._ask(head.encode(), body)
        if status in (200, 400, 401):
            # After any other answer, or none, the old one goes with the same
            # readings: that tells the server that it may have them.
            self.nonce = self._offered or self.nonce
        if status == 401:
            self._was_asked_again = not self._was_asked_again
            return AGAIN if self._was_asked_again else REFUSED
        self._was_asked_again = False
        if status == 200:
            return DONE
        if status == 400:
            return DROP
        return REFUSED if status == 403 else RETRY

    def _body(self, readings: list[tuple[int, float, int]]) -> bytearray:
        body = bytearray(('{"mac":"%s","readings":' % self._mac).encode())
        separator = "["
        for field, value, age in readings:
            body += (
                '%s{"field":%d,"value":%.4f,"age":%d.%d}'
                % (separator, field, value, age // 10, age % 10)
            ).encode()
            separator = ","
        body += ('],"status":%s}' % self._status.json()).encode()
        return body

    def _read(self, stream: socket.socket) -> bytes:
        """Return the beginning of the answer, and keep the nonce that it offers."""
        head = piece = stream.read(_PIECE) or b""
        for _ in range(_PIECES):
            start = piece.find(_NONCE)
            end = piece.find(b'"', start + len(_NONCE))
            if start >= 0 and end >= 0:
                self._offered = piece[start + len(_NONCE) : end].decode()
                break
            more = stream.read(_PIECE)
            if not more:
                break
            piece = piece[-_OVERLAP:] + more
        return head
