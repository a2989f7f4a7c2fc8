"""The module `socket`, with the limits of the ESP8266.

Without Wi-Fi nothing can be sent, and sockets that are not closed run out. A
non-blocking read still gives the real server some time, since the board's own clock may
stand still or run ahead.
"""

import errno
import time

import network
import usocket
import utime
import world

AF_INET = usocket.AF_INET
SOCK_STREAM = usocket.SOCK_STREAM
SOCK_DGRAM = usocket.SOCK_DGRAM
SOL_SOCKET = usocket.SOL_SOCKET
SO_REUSEADDR = usocket.SO_REUSEADDR
_IP_MULTICAST_IF = 32

_MOST = 5  # lwIP's MEMP_NUM_TCP_PCB


def getaddrinfo(host, port):
    """Return the addresses of a host. Raises OSError if there are none."""
    world.enter("getaddrinfo")
    if host in world.names:
        return world.names[host]
    if host == "0.0.0.0":  # to listen at
        return usocket.getaddrinfo("127.0.0.1", world.ports.get(port, port))
    if not network.WLAN(network.STA_IF).isconnected():
        raise OSError(-2)
    return usocket.getaddrinfo(host, port)


class Patient:
    """Non-blocking reads that give a real server some time."""

    def __init__(self, stream):
        """Read from a stream that does not block."""
        self._stream = stream
        self._is_silent = False

    def read(self, count):
        """Return at most so many bytes, b"" at the end, None if none are there."""
        world.enter("socket.read")
        return self._wait(self._stream.read, count)

    def readline(self, count):
        """Return a line or its beginning, b"" at the end, None if nothing is there."""
        world.enter("socket.read")
        return self._wait(self._stream.readline, count)

    def _wait(self, function, count):
        begin = utime.ticks_ms()
        while True:
            data = function(count)
            waited = utime.ticks_diff(utime.ticks_ms(), begin)
            if data is not None or self._is_silent or waited >= world.patience_ms:
                break
            utime.sleep_us(200)
        if data is None:
            self._is_silent = True
        if world.pace and waited:
            time.sleep_ms(waited * world.pace)
        return data


class socket:  # the port's name
    """A TCP or UDP socket."""

    def __init__(self, family=AF_INET, kind=SOCK_STREAM, plain=None):
        """Open one. Raises OSError if too many are open."""
        world.enter("socket.socket")
        if world.open_sockets == _MOST:
            raise OSError(errno.ENOMEM)
        world.open_sockets += 1
        self.plain = plain or usocket.socket(family, kind)
        if kind == SOCK_DGRAM:
            # What is for all in the network stays on this machine.
            self.plain.setsockopt(0, _IP_MULTICAST_IF, bytes((127, 0, 0, 1)))
        self._timeout_ms = 0
        self._patient = Patient(self.plain)
        self.read = self._patient.read
        self.readline = self._patient.readline

    def setsockopt(self, level, option, value):
        """Set an option."""
        self.plain.setsockopt(level, option, value)

    def bind(self, address):
        """Take an address of the board."""
        world.enter("socket.bind")
        self.plain.bind(address)

    def listen(self, backlog):
        """Wait for connections."""
        self.plain.listen(backlog)

    def accept(self):
        """Return the next connection, and where it comes from."""
        world.enter("socket.accept")
        plain, address = self.plain.accept()
        return socket(AF_INET, SOCK_STREAM, plain), address

    def recvfrom(self, count):
        """Return a packet, and where it comes from. Raises OSError if none comes."""
        world.enter("socket.recvfrom")
        if time.sleep_ms is utime.sleep_ms:
            return self.plain.recvfrom(count)
        self.plain.settimeout(0.005)  # Nobody answers on the clock of the tests.
        try:
            return self.plain.recvfrom(count)
        except OSError:
            time.sleep_ms(self._timeout_ms)
            raise

    def sendto(self, data, address):
        """Send a packet."""
        world.enter("socket.sendto")
        if time.sleep_ms is not utime.sleep_ms:
            # On the clock of the tests nobody answers: other programs on this
            # machine are not in the board's network.
            return len(data)
        return self.plain.sendto(data, address)

    def settimeout(self, seconds):
        """Limit how long each call waits."""
        world.enter("socket.settimeout")
        self._timeout_ms = int(seconds * 1000)
        self.plain.settimeout(seconds)

    def setblocking(self, is_blocking):
        """Have calls wait, or not."""
        world.enter("socket.setblocking")
        self.plain.setblocking(is_blocking)

    def connect(self, address):
        """Connect. Raises OSError if that is not possible."""
        world.enter("socket.connect")
        if not network.WLAN(network.STA_IF).isconnected():
            raise OSError(errno.EHOSTUNREACH)
        if world.is_deadlocked:
            raise OSError(errno.ETIMEDOUT)
        self.plain.connect(address)

    def send(self, data):
        """Send some of the bytes and return how many."""
        world.enter("socket.send")
        return self.plain.send(data)

    def write(self, data):
        """Send all of the bytes and return how many."""
        world.enter("socket.write")
        return self.plain.write(data)

    def close(self):
        """Close; the second time does nothing."""
        if self.plain:
            self.plain.close()
            self.plain = None
            world.open_sockets -= 1
            world.enter("socket.close")
