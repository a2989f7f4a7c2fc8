"""What all reports have in common: one request, one answer, and what became of it.

docs/protocol.md, says what comes back and what it means.
"""

import gc
import socket

from micropython import const

# What became of a report
DONE = const(0)  # stored
DROP = const(1)  # never will be
REFUSED = const(2)  # the server does not know this station
RETRY = const(3)  # not now
AGAIN = const(4)  # at once, please

_STATUS_LENGTH = const(12)  # of "HTTP/1.1 200"


class Client:
    """Asks the server, with a connection for each request."""

    TIMEOUT = 10  # seconds, for the connection and again for the answer

    def __init__(self, server: dict) -> None:
        """Keep where to report to; nothing is connected yet."""
        self.answer = ""  # the last one, for people
        self.is_heard = False  # whether there was one since the station cleared this
        self.nonce = ""  # what the server wants to see in the next report
        self._host: str = server["host"]
        self._port: int = server["port"]
        self._tls: bool = server["tls"]
        self._address: tuple | None = None

    def _ask(self, *request: bytes | bytearray) -> int:
        """Send a request in pieces and return the status of the answer.

        Returns 0 if there is none, and says what there was in `answer`.
        """
        try:
            head = self._exchange(request)
            status = head[:_STATUS_LENGTH].decode()
        except (OSError, UnicodeError) as err:
            self._address = None  # It may have moved.
            self.answer = "no answer (%s)" % err
            return 0
        if len(status) < _STATUS_LENGTH or not status.startswith("HTTP/1."):
            self.answer = "not an answer: %r" % status
            return 0
        self.is_heard = True
        self.answer = status[9:]
        try:
            return int(self.answer)
        except ValueError:
            return 0

    def _exchange(self, request: tuple) -> bytes:
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
            for piece in request:
                stream.write(piece)
            return self._read(stream)
        finally:
            # Else the ESP8266 is out of sockets after a few (micropython-lib#151).
            stream.close()

    def _read(self, stream: socket.socket) -> bytes:
        """Return the beginning of the answer: the status line, and maybe more."""
        return stream.read(_STATUS_LENGTH) or b""
