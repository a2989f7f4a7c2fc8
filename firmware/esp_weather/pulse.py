"""A contact that closes for each unit: a rain gauge, an anemometer, a meter."""

import time

from machine import Pin
from micropython import const

_BOUNCE_MS = const(10)  # in which a contact may close again: reed contacts take 1 to 5
_SPEEDS = ("wind_speed", "wind_gust", "rain_rate", "power")


class PULSE:
    """Counts the falling edges of a pin.

    The value of a speed is that since the last reading; any other one is a total since
    the start of the board, which Home Assistant sums up across restarts.
    """

    def __init__(self, pin: Pin, per_pulse: float, kind: str) -> None:
        """Use a pin, at which a contact to ground means `per_pulse` of a unit.

        For a speed, that is the unit at one pulse in a second.
        """
        self._per_pulse = per_pulse
        self._is_speed = kind in _SPEEDS
        self._count = 0
        self._last = time.ticks_ms()
        self._since = self._last
        pin.init(Pin.IN, Pin.PULL_UP)
        pin.irq(handler=self._fall, trigger=Pin.IRQ_FALLING)

    def start(self) -> int:
        """Return 0: the measurement needs no waiting."""
        return 0

    def read(self) -> tuple[float, ...]:
        """Return the speed or the total, in a tuple."""
        if not self._is_speed:
            return (self._count * self._per_pulse,)
        now = time.ticks_ms()
        seconds = max(time.ticks_diff(now, self._since), 1) / 1000
        count = self._count
        self._count -= count
        self._since = now
        return (count * self._per_pulse / seconds,)

    def _fall(self, _pin: Pin) -> None:
        now = time.ticks_ms()
        if time.ticks_diff(now, self._last) >= _BOUNCE_MS:
            self._count += 1
        self._last = now
