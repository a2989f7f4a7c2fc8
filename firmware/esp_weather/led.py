"""Blink codes of the LED. Unloaded after use to save memory."""

import sys
import time

from machine import Pin
from micropython import const

BOARD = const(2)  # its pin on nearly every board; the blue one of a Feather HUZZAH

# Number of blinks
CONFIG = const(2)
WIFI = const(3)
SERVER = const(4)
REFUSED = const(5)
SENSOR = const(6)

_ON_MS = const(150)
_OFF_MS = const(250)
# On boards with an ESP8266 the LED is active low.
_OFF = 1 if sys.platform == "esp8266" else 0


def switch_off(pin: int | None) -> Pin | None:
    """Return the pin of the LED, switched off; None if there is no LED.

    Raises ValueError if the board has no such pin.
    """
    return None if pin is None else Pin(pin, Pin.OUT, value=_OFF)


def blink(pin: Pin | None, times: int) -> None:
    """Blink that many times."""
    if pin is None:
        return
    for _ in range(times):
        pin.value(1 - _OFF)
        time.sleep_ms(_ON_MS)
        pin.value(_OFF)
        time.sleep_ms(_OFF_MS)
