"""Base class of the HTTP clients: one request and its answer.

docs/protocol.md describes the answers.
"""

import errno
import gc
import socket
import time

from micropython import const

# The result of a report
DONE = const(0)  # taken
DROP = const(1)  # never will be
REFUSED = const(2)  # the server does not know this station
RETRY = const(3)  # not now
AGAIN = const(4)  # at once, please
SMALLER = const(5)  # not now, and with fewer readings

_LOOK_MS = const(10)
_LONGEST_LINE = const(192)  # of an answer; what is behind that is left out
_PART = const(64)  # of an answer, read at once: a large piece may find no room
_PIECE = const(256)  # bytes that are written at once


class Client:
    """Sends requests to the server, each on a connection of its own."""

    TIMEOUT = 10_000  # ms, for all of an exchange

    def __init__(self, server: dict) -> None:
        """Initialize with the server's address; nothing is connected yet."""
        self.answer = ""  # the last answer, for the log
        self.got_response = False  # since the station cleared this
        self.sent = 0  # readings in the last report
        self.stored = -1  # the number up to which the server has all on its disk
        self.refused: dict = {}  # of the last report: number and reason
        self.settings: dict = {}  # what the server wants to be different
        self.firmware: dict = {}  # the version that it wants, and its digest
        self._host: str = server["host"]
        self._port: int = server["port"]
        self._tls: bool = server["tls"]
        self._address: tuple | None = None
        self._buffer = bytearray(_PIECE)

    def _ask(self) -> int:
        """Send a request and return what _read() makes of the answer.

        Returns 0 if there is no answer, and describes the error in `answer`.
        """
        gc.collect()  # A connection needs a large block of memory.
        self._deadline: int = time.ticks_add(time.ticks_ms(), self.TIMEOUT)  # type: ignore[assignment]
        plain = stream = None
        try:
            if self._address is None:
                found = socket.getaddrinfo(self._host, self._port)
                if not found:  # an ESP32 before MicroPython 1.23
                    raise OSError("unknown name")  # noqa: TRY301
                self._address = found[0][-1]
            plain = stream = socket.socket()
            plain.settimeout(self._rest())
            plain.connect(self._address)
            self._put = plain.send
            if self._tls:
                from esp_weather import tls  # noqa: PLC0415 # is seldom needed

                stream = tls.encrypt(plain, self._host)
                # The rest of an incomplete record may arrive slowly; the watchdog covers that.
                self._put = stream.write
            self._plain = plain
            self._write()
            stream.setblocking(False)
            self._stream = stream
            return self._read()
        except Exception as err:  # noqa: BLE001 # What the ports raise is not the same.
            self._address = None  # It may have moved.
            self.answer = "no answer (%s %s)" % (type(err).__name__, err)
            return 0
        finally:
            self._stream = self._plain = self._put = None  # type: ignore[assignment]
            # Else the ESP8266 is out of sockets after a few (micropython-lib#151).
            _close(stream)
            if stream is not plain:
                _close(plain)

    def _pieces(self):  # type: ignore[no-untyped-def]
        """Yield the request as texts."""
        raise NotImplementedError

    def _read(self) -> int:
        """Read the answer and return its status; the relevant parts are stored."""
        raise NotImplementedError

    def _write(self) -> None:
        """Send the request in pieces of a useful size for the network."""
        buffer = self._buffer
        used = 0
        for text in self._pieces():
            data = text.encode()
            start = 0
            while start < len(data):
                count = min(len(data) - start, _PIECE - used)
                buffer[used : used + count] = data[start : start + count]
                start += count
                used += count
                if used == _PIECE:
                    self._flush(used)
                    used = 0
        self._flush(used)

    def _flush(self, count: int) -> None:
        view = memoryview(self._buffer)[:count]
        while len(view):
            self._plain.settimeout(self._rest())
            view = view[self._put(view) :]

    def _status(self) -> int:
        """Return the status of the answer."""
        while True:
            line = self._line()
            if line[:7] != b"HTTP/1.":
                raise ValueError(line[:16])
            status = int(line[9:12])
            self.got_response = True
            self.answer = str(status)
            if status >= 200:
                return status
            while self._line().strip():  # 100 Continue, and what belongs to it
                pass

    def _line(self) -> bytes:
        """Return the next line of the answer, truncated if it is long."""
        line = b""
        while True:
            self._rest()
            piece = self._stream.readline(_PART)  # type: ignore[call-arg]
            if piece is None:
                time.sleep_ms(_LOOK_MS)
            elif not piece:
                raise OSError("it ends early")
            else:
                line = (line + piece)[:_LONGEST_LINE]
                if piece[-1] == 10:
                    return line

    def _some(self, count: int) -> bytes:
        """Return at most so many bytes of the answer; none at its end."""
        while True:
            self._rest()
            piece: bytes | None = self._stream.read(min(count, _PART))
            if piece is not None:
                return piece
            time.sleep_ms(_LOOK_MS)

    def _rest(self) -> float:
        """Return the seconds that are left of the exchange. Raises OSError if none are."""
        rest = time.ticks_diff(self._deadline, time.ticks_ms())
        if rest <= 0:
            raise OSError(errno.ETIMEDOUT)
        return rest / 1000


def _close(stream: socket.socket | None) -> None:
    try:
        if stream is not None:
            stream.close()
    except Exception as err:  # noqa: BLE001 # It is closed, or never will be.
        print("close:", err)
