"""The module `socket`, with the limits of the ESP8266.

Without Wi-Fi there is no way out, and what is not closed is missing later.
"""

import errno

import network
from usocket import getaddrinfo, socket as _Socket
import world

__all__ = ("getaddrinfo", "socket")

_MOST = 5  # lwIP's MEMP_NUM_TCP_PCB


class socket:  # the port's name
    """A TCP socket."""

    def __init__(self):
        """Open one. Raises OSError if too many are open."""
        if world.open_sockets == _MOST:
            raise OSError(errno.ENOMEM)
        world.open_sockets += 1
        self.plain = _Socket()
        self.settimeout = self.plain.settimeout
        self.write = self.plain.write
        self.read = self.plain.read

    def connect(self, address):
        """Connect. Raises OSError if that is not possible."""
        if not network.WLAN(network.STA_IF).isconnected():
            raise OSError(errno.EHOSTUNREACH)
        if world.is_deadlocked:
            raise OSError(errno.ETIMEDOUT)
        self.plain.connect(address)

    def close(self):
        """Close; the second time does nothing."""
        if self.plain:
            self.plain.close()
            self.plain = None
            world.open_sockets -= 1
