"""Reports over the legacy URL: one reading in the path of a GET.

README.md, "What a station sends", says what comes back and what it means.
"""

import gc
import socket

from micropython import const

from esp_weather import VERSION

# What became of a report
DONE = const(0)  # stored
DROP = const(1)  # never will be: go on with the next
REFUSED = const(2)  # the server does not know this station
RETRY = const(3)  # not now

_STATUS_LENGTH = const(12)  # of "HTTP/1.1 200"
_VERDICTS = {200: DONE, 400: DROP, 403: REFUSED}


class LegacyClient:
    """Hands readings to the server and says what became of them."""

    BATCH = 1  # readings that one report takes
    TIMEOUT = 10  # seconds, for the connection and again for the answer

    def __init__(self, host: str, port: int, tls: bool, key: str, mac: str) -> None:
        """Keep where to report to, and as whom; nothing is connected yet."""
        self.answer = ""  # the last one, for people
        self.is_heard = False  # whether there was one since the station cleared this
        self._host = host
        self._port = port
        self._tls = tls
        self._address: tuple | None = None
        self._request = (
            "GET /update/API_key=%s/mac=%s/field=%%d/data=%%.4f HTTP/1.1\r\n"
            "Host: %s:%d\r\n"
            "User-Agent: esp-weather/%s\r\n"
            "Accept: text/plain\r\n"
            "Connection: close\r\n"
            "\r\n"
        ) % (key, mac, host, port, VERSION)

    def report(self, readings: list[tuple[int, float]]) -> int:
        """Send a list of BATCH readings, each a field and a value, as one report.

        Returns DONE, DROP, REFUSED or RETRY, and says why in `answer`.
        """
        try:
            status = self._exchange((self._request % readings[0]).encode())
        except OSError as err:
            self._address = None  # It may have moved.
            self.answer = "no answer (%s)" % err
            return RETRY
        if len(status) < _STATUS_LENGTH or not status.startswith(b"HTTP/1."):
            self.answer = "not an answer: %r" % status
            return RETRY
        self.is_heard = True
        self.answer = status[9:].decode()
        try:
            return _VERDICTS.get(int(status[9:]), RETRY)
        except ValueError:
            return RETRY

    def _exchange(self, request: bytes) -> bytes:
        """Send a request and return the first bytes of the answer."""
        gc.collect()  # A connection needs a large piece of memory.
        if self._address is None:
            self._address = socket.getaddrinfo(self._host, self._port)[0][-1]
        stream = socket.socket()
        try:
            stream.settimeout(self.TIMEOUT)
            stream.connect(self._address)
            if self._tls:
                import ssl  # noqa: PLC0415 # takes memory

                stream = ssl.wrap_socket(stream)  # type: ignore[assignment]
            stream.write(request)
            return stream.read(_STATUS_LENGTH) or b""
        finally:
            # Else the ESP8266 is out of sockets after a few (micropython-lib#151).
            stream.close()
