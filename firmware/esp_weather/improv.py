"""Takes the Wi-Fi over the serial port, as ESP Web Tools sends it: Improv, version 1.

The protocol is that of improv-wifi.com/serial. It runs beside the portal only.
"""

import sys

import micropython
from micropython import const

_HEAD = b"IMPROV\x01"
_HEAD_SIZE = const(9)  # with type and length

# Types of packets
_STATE = const(1)
_ERROR = const(2)
_RPC = const(3)
_RESULT = const(4)

# States
_READY = const(2)
_BUSY = const(3)
_DONE = const(4)

# Commands
_SETTINGS = const(1)
_CURRENT_STATE = const(2)
_INFO = const(3)
_SCAN = const(4)

# Errors
_INVALID = const(1)
_UNKNOWN = const(2)
_NOT_JOINED = const(3)

_CTRL_C = const(3)


class Improv:
    """The station's end of the protocol."""

    def __init__(self, info: tuple, scan, join) -> None:  # type: ignore[no-untyped-def]
        """Take the serial port.

        `info` is firmware, version, chip and name; `scan` returns name, strength and
        whether there is a password, of each network; `join` joins one and returns the
        address of the page there, "" if that fails.
        """
        self._info = info
        self._scan = scan
        self._join = join
        self._state = _READY
        self._url = ""
        self._frame = bytearray()
        # A byte of the protocol may be that of Ctrl-C.
        micropython.kbd_intr(-1)

    def close(self) -> None:
        """Give the serial port back."""
        micropython.kbd_intr(_CTRL_C)

    def read(self) -> bool:
        """Take a byte; return False at the end of the input.

        Raises KeyboardInterrupt for a Ctrl-C that is no part of a packet.
        """
        data = sys.stdin.buffer.read(1)
        if not data:
            return False
        frame = self._frame
        if not frame and data[0] == _CTRL_C:
            raise KeyboardInterrupt
        frame.append(data[0])
        size = len(frame)
        if size <= len(_HEAD):
            if frame[size - 1] != _HEAD[size - 1]:
                frame[:] = data if data == b"I" else b""
                if data[0] == _CTRL_C:
                    raise KeyboardInterrupt
        elif size > _HEAD_SIZE and size == _HEAD_SIZE + frame[8] + 1:
            packet = bytes(frame)
            frame[:] = b""
            self._take(packet)
        return True

    def _take(self, packet: bytes) -> None:
        if packet[7] != _RPC:
            return
        data = packet[_HEAD_SIZE:-1]
        if (
            sum(packet[:-1]) & 0xFF != packet[-1]
            or len(data) < 2
            or data[1] != len(data) - 2
        ):
            self._send(_ERROR, bytes((_INVALID,)))
        else:
            self._send(_ERROR, bytes(1))
            self._obey(data[0], data[2:])

    def _obey(self, command: int, data: bytes) -> None:
        if command == _CURRENT_STATE:
            self._tell(self._state)
            if self._state == _DONE:
                self._answer(command, (self._url,))
        elif command == _INFO:
            self._answer(command, self._info)
        elif command == _SCAN:
            for name, rssi, is_secured in self._scan():
                self._answer(command, (name, str(rssi), "YES" if is_secured else "NO"))
            self._answer(command, ())
        elif command == _SETTINGS:
            self._take_settings(data)
        else:
            self._send(_ERROR, bytes((_UNKNOWN,)))

    def _take_settings(self, data: bytes) -> None:
        try:
            ssid, rest = _text(data)
            password, rest = _text(rest)
        except (IndexError, UnicodeError):
            rest = b"?"
        if rest or not ssid:
            self._send(_ERROR, bytes((_INVALID,)))
            return
        self._tell(_BUSY)
        url = self._join(ssid, password)
        if url:
            self._url = url
            self._tell(_DONE)
            self._answer(_SETTINGS, (url,))
        else:
            # The state is sent first: a client may read it as soon as it gets the error.
            self._tell(_READY)
            self._send(_ERROR, bytes((_NOT_JOINED,)))

    def _tell(self, state: int) -> None:
        self._state = state
        self._send(_STATE, bytes((state,)))

    def _answer(self, command: int, texts: tuple) -> None:
        body = bytearray()
        for text in texts:
            data = text.encode()
            body.append(len(data))
            body.extend(data)
        self._send(_RESULT, bytes((command, len(body))) + body)

    def _send(self, kind: int, data: bytes) -> None:
        packet = bytearray(_HEAD)
        packet.append(kind)
        packet.append(len(data))
        packet.extend(data)
        packet.append(sum(packet) & 0xFF)
        # It begins on a line of its own.
        sys.stdout.buffer.write(b"\n" + packet + b"\n")


def _text(data: bytes) -> tuple[str, bytes]:
    """Return a text and what is behind it. Raises IndexError or UnicodeError."""
    end = data[0] + 1
    if len(data) < end:
        raise IndexError
    return data[1:end].decode(), data[end:]
