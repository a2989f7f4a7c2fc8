"""Runs a station for N minutes on a board with little memory: memory.py N.

Prints how much memory the simulator itself takes, and how much is free after a tenth
of the time and at the end.
"""

import gc
import os  # noqa: F401
import select  # noqa: F401
import socket  # noqa: F401
import sys
import time

from chips import MCP9808
import esp8266  # noqa: F401 # before what asks for the platform
import machine  # noqa: F401
import network  # noqa: F401
import world


class TimeIsUp(BaseException):
    """The end of the run."""


class EachMinute:
    """A timer that measures the free memory."""

    period = 60_000
    elapsed = 30_000  # amid the pauses of the station

    def __init__(self, last):
        """Look when `last` minutes are over, and once before."""
        self._last = last
        self._minute = 0

    def callback(self, _timer):
        """Count."""
        self._minute += 1
        if self._minute in (self._last // 10, self._last):
            gc.collect()
            print("free", gc.mem_free())
        if self._minute == self._last:
            raise TimeIsUp


world.i2c[5, 4] = {24: MCP9808(lambda: time.ticks_ms() % 1000 / 16)}
world.timers.append(EachMinute(int(sys.argv[1])))
world.enter = lambda name: None  # Nothing is counted, which would take memory.
world.rtc_memory = bytearray(490)  # That of a board is none of its heap.
gc.collect()
print("simulator", gc.mem_alloc())
try:
    import main  # noqa: F401
except TimeIsUp:
    print("open", world.open_sockets)
except world.Reset:
    sys.exit(3)  # What was interned would stay: the next start is a process of its own.
