"""The module `time` with a clock that tests move, as wide as that of the ESP8266.

It wraps after 2 ** 30 ms, 12.4 days, and stands 10 seconds before that. Sleeping
takes no time, but lets the board's timers fire.
"""

from utime import *  # noqa: F403
import world

_PERIOD = 1 << 30
_now = _PERIOD - 10_000


def ticks_ms():
    """Return the milliseconds since some time ago."""
    return _now % _PERIOD


def ticks_add(ticks, delta):
    """Return the ticks that are `delta` ms later."""
    return (ticks + delta) % _PERIOD


def ticks_diff(end, start):
    """Return the ms between two ticks, if they are less than 6.2 days."""
    return (end - start + _PERIOD // 2) % _PERIOD - _PERIOD // 2


def sleep_ms(ms):
    """Let time pass."""
    global _now  # noqa: PLW0603
    _now += ms
    for timer in list(world.timers):
        timer.elapsed += ms
        if timer.elapsed >= timer.period:
            timer.elapsed = 0
            timer.callback(timer)
