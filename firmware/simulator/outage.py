"""Simulates an outage of three hours in seconds: outage.py MAC.

Runs the firmware on the clock of the tests until a file makes it continue: `away`
when the server is gone, `back` when it is there again. Prints what its sensor measured
and when, in ms, when it sent a report, also in ms of the host's clock, and when it is
all over. The file `report` has its last report, as one could record it on the network.
"""

from binascii import unhexlify
import os
import socket
import sys
import time

from chips import MCP9808
import esp8266  # noqa: F401 # before what asks for the platform
from recorded import Recorded
import utime
import world

BEFORE = 3
OUTAGE = 180
AFTER = 2
MINUTE = 60_000


class TimeIsUp(BaseException):
    """The end of the run."""


class Alarm:
    """A timer that fires once."""

    elapsed = 0

    def __init__(self, ms, action):
        """Call `action` after some milliseconds."""
        self.period = ms
        self._action = action

    def callback(self, _timer):
        """Fire."""
        world.timers.remove(self)
        self._action()


def temperature():
    """Return a temperature that was never measured before."""
    return (chip.readings + 1) / 16


class Sensor(MCP9808):
    """Prints each measured value."""

    def read(self, register, count):
        """Return bytes behind a pointer."""
        data = super().read(register, count)
        if register == 5:
            print("sensor gives", self.readings / 16, "at", clock())
        return data


class Timed(Recorded):
    """Prints when the connection was open, too."""

    def __init__(self, *kind):
        """Open a socket."""
        super().__init__(*kind)
        self._is_connected = False

    def connect(self, address):
        """Connect. Raises OSError if that is not possible."""
        super().connect(address)
        self._is_connected = True
        print("sends at", clock(), "from", host_clock())

    def close(self):
        """Close; the second time does nothing."""
        if self._is_connected:
            self._is_connected = False
            print("sent until", host_clock())
        super().close()


def clock():
    """Return the milliseconds that have passed on the board."""
    return time.ticks_diff(time.ticks_ms(), START)


def host_clock():
    """Return the milliseconds since 1970 on the host, which is Home Assistant's."""
    return utime.time_ns() // 1_000_000


def wait_for(name):
    """Let no time pass on the board until there is such a file."""
    print("waits for", name, "at", clock())
    while name not in os.listdir():
        utime.sleep_ms(20)


def end():
    """End the run."""
    raise TimeIsUp


socket.socket = Timed
world.patience_ms = 10_000  # Home Assistant may take its time.
START = time.ticks_ms()
world.mac = unhexlify(sys.argv[1].replace(":", ""))
chip = Sensor(temperature)
world.i2c[5, 4] = {24: chip}
LATE = 45_000  # in a minute, when the station has given its round up
world.timers.append(Alarm(BEFORE * MINUTE - MINUTE + LATE, lambda: wait_for("away")))
world.timers.append(
    Alarm((BEFORE + OUTAGE - 1) * MINUTE + LATE, lambda: wait_for("back"))
)
world.timers.append(Alarm((BEFORE + OUTAGE + AFTER - 1) * MINUTE + LATE, end))
while True:
    try:
        __import__("main")
    except world.Reset:
        world.forget()
    except TimeIsUp:
        print("is over at", clock())
        break
