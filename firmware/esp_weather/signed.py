"""The signed report: many readings with their age; the key is never sent.

See docs/protocol.md, "The signed report".
"""

from binascii import hexlify
from hashlib import sha256
import json
import os

from micropython import const

from esp_weather import VERSION
from esp_weather.buffer import Buffer
from esp_weather.client import AGAIN, DONE, DROP, REFUSED, RETRY, SMALLER, Client
from esp_weather.clock import Clock
from esp_weather.memory import DECLARED, Memory
from esp_weather.signature import base64, hmac_sha256, is_signed
from esp_weather.start import forget
from esp_weather.status import Status
from esp_weather.wifi import Wifi

_PATH = "/api/esp_weather/report"
_PARAMETERS = '("@method" "@path" "content-digest");keyid="'
_SIGNED = '"@method": POST\n"@path": ' + _PATH + '\n"content-digest": sha-256=:'

_PART = const(64)  # characters: a small heap may not have a large block

_NONCE = b';nonce="'
_LONGEST_NONCE = const(48)  # as much as the memory of the RTC has for it
_LONGEST_BODY = const(1536)  # of an answer; a full report's, all refused, has less
_TOO_LONG = const(-1)


class ReportClient(Client):
    """Reports readings to the server and returns the result."""

    KEEPS = True  # Undelivered readings are kept for later.
    BATCH = 12  # readings that one report takes: the answer may have a reason for each

    def __init__(self, config: dict, wifi: Wifi, clock: Clock, memory: Memory) -> None:
        """Initialize with server, MAC and key; nothing is connected yet."""
        super().__init__(config["server"])
        self._key = config["key"].encode()
        self._mac = wifi.mac
        self._clock = clock
        self._memory = memory
        self._fields: str = config["fields"]
        self.status = Status(config, wifi, clock)
        self._was_asked_again = False
        self.slot: list[str] = config["slot"]
        if self.slot and self.slot[1] == "-":
            self.status.update_error = self.slot[2]
        if memory.stream == bytes(4):
            memory.stream = os.urandom(4)
            memory.flags &= ~DECLARED

    def report(self, buffer: Buffer, limit: int) -> int:
        """Send at most `limit` readings that the server does not have yet, or none.

        Returns DONE, DROP, REFUSED, RETRY, AGAIN or SMALLER, with the reason in `answer`.
        """
        memory = self._memory
        self._readings = buffer
        self._now = self._clock.now()
        self._about = self.status.json()
        self.sent = min(limit, buffer.count - buffer.taken)
        self.stored = -1
        self.refused = {}
        digest = sha256()
        self._length = 0
        for text in self._body():
            digest.update(text)
            self._length += len(text)
        self._digest = base64(digest.digest())
        self._parameters = (_PARAMETERS, self._mac, '";nonce="', memory.nonce, '"')
        self._signature = base64(
            hmac_sha256(
                *(self._key, _SIGNED, self._digest, ':\n"@signature-params": '),
                *self._parameters,
            )
        )
        self._offered = ""
        self._content = b""
        status = self._ask()
        self._about = ""
        if status > 0:
            memory.nonce = self._offered
        if status == 401:
            # A server that does not know the nonce may have been restarted.
            buffer.taken = 0
            memory.flags &= ~DECLARED
            self._was_asked_again = not self._was_asked_again
            return AGAIN if self._was_asked_again else REFUSED
        self._was_asked_again = False
        if status == _TOO_LONG:
            return SMALLER
        if status == 200:
            memory.flags |= DECLARED
            if not self._understand():
                return RETRY
            if self.slot:
                from esp_weather import settings  # noqa: PLC0415 # seldom needed

                settings.confirm(self)
                forget("settings")
            return DONE
        return DROP if status == 400 else RETRY

    def _understand(self) -> bool:
        """Parse the answer; return whether that was possible."""
        try:
            answer = json.loads(self._content)
            stored = answer.get("stored")
            self.stored = -1 if stored is None else int(stored)
            self.refused = {
                each["number"]: each["reason"] for each in answer.get("refused") or ()
            }
            self.settings = dict(answer.get("settings") or {})
            self.firmware = dict(answer.get("firmware") or {})
        except (ValueError, TypeError, AttributeError, KeyError) as err:
            self.answer = "200 without sense: %s" % err
            return False
        finally:
            self._content = b""
        return True

    def _pieces(self):  # type: ignore[no-untyped-def]
        yield "POST " + _PATH + " HTTP/1.1\r\nHost: "
        yield "%s:%d\r\nUser-Agent: esp-weather/%s\r\n" % (
            self._host,
            self._port,
            VERSION,
        )
        yield "Connection: close\r\nContent-Type: application/json\r\n"
        yield "Content-Length: %d\r\nContent-Digest: sha-256=:" % self._length
        yield self._digest
        yield ":\r\nSignature-Input: sig="
        yield from self._parameters
        yield "\r\nSignature: sig=:"
        yield self._signature
        yield ":\r\n\r\n"
        yield from self._body()

    def _body(self):  # type: ignore[no-untyped-def]
        """Yield the report in pieces of ASCII, the same ones each time."""
        readings = self._readings
        stream = hexlify(self._memory.stream).decode()
        first = readings.number + readings.taken & 0xFFFFFFFF
        yield '{"mac":"%s","stream":"%s","first":%d' % (self._mac, stream, first)
        if not self._memory.flags & DECLARED:
            yield ',"fields":'
            for start in range(0, len(self._fields), _PART):
                yield self._fields[start : start + _PART]
        yield ',"readings":['
        separator = ""
        for index in range(readings.taken, readings.taken + self.sent):
            field, value, age = readings.reading(index, self._now)
            yield '%s{"field":%d,"value":%.4f,"age":%d.%d}' % (
                separator,
                field,
                value,
                age // 10,
                age % 10,
            )
            separator = ","
        yield '],"status":'
        yield self._about
        yield "}"

    def _read(self) -> int:
        """Return the status of the answer, or 0 if the server has not signed it.

        The nonce of an unsigned 401 is accepted: a wrong one costs one more 401.
        """
        status = self._status()
        signature = b""
        length = -1
        is_chunked = False
        while True:
            line = self._line().strip()
            if not line:
                break
            name, _, value = line.partition(b":")
            name = name.lower()
            if name == b"signature":
                signature = value.strip()
            elif name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                is_chunked = True
            elif name == b"accept-signature":
                self._offered = _nonce(value)
        if signature[:5] == b"sig=:":
            if is_chunked:
                length = int(self._line().split(b";")[0], 16)
            while length and len(self._content) <= _LONGEST_BODY:
                self._take(length)
                if not is_chunked:
                    break
                self._line()
                length = int(self._line().split(b";")[0], 16)
            if len(self._content) > _LONGEST_BODY:
                self.answer = "an answer of more than %d bytes" % _LONGEST_BODY
                return _TOO_LONG
            if is_signed(
                self._key,
                self._mac,
                status,
                self._content,
                self._signature,
                signature[5:].partition(b":")[0],
            ):
                return status
        if status == 401:
            return status
        self.answer += ", not signed with the key"
        return 0

    def _take(self, length: int) -> None:
        """Read `length` bytes of the answer, all of it if that is -1, up to a limit."""
        end = len(self._content) + length if length >= 0 else 1 << 30
        end = min(end, _LONGEST_BODY + 1)
        while len(self._content) < end:
            piece = self._some(end - len(self._content))
            if not piece:
                if length < 0:
                    return
                raise OSError("it ends early")
            self._content += piece


def _nonce(header: bytes) -> str:
    """Return the nonce of the header Accept-Signature, "" if there is none."""
    nonce = header.partition(_NONCE)[2].partition(b'"')[0]
    if len(nonce) > _LONGEST_NONCE or any(
        not 32 < byte < 127 or byte == 92 for byte in nonce
    ):
        return ""
    return nonce.decode()
