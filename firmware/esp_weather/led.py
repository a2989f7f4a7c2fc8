"""What the LED says."""

import sys
import time

from machine import Pin
from micropython import const

# How often it blinks
CONFIG = const(2)
WIFI = const(3)
SERVER = const(4)
REFUSED = const(5)
SENSOR = const(6)

_ON_MS = const(150)
_OFF_MS = const(250)


class Led:
    """The LED of the board, or none."""

    def __init__(self, pin: int | None) -> None:
        """Switch the LED off. `pin` is None if there is no LED."""
        # Between pin and 3.3 V on boards with an ESP8266
        self._off = 1 if sys.platform == "esp8266" else 0
        self._pin = None if pin is None else Pin(pin, Pin.OUT, value=self._off)

    def blink(self, times: int) -> None:
        """Blink that many times."""
        if self._pin is None:
            return
        for _ in range(times):
            self._pin.value(1 - self._off)
            time.sleep_ms(_ON_MS)
            self._pin.value(self._off)
            time.sleep_ms(_OFF_MS)
