"""What the LED says. Forgotten when it is said: memory is short."""

import sys
import time

from machine import Pin
from micropython import const

BOARD = const(2)  # its pin on nearly every board; the blue one of a Feather HUZZAH

# How often it blinks
CONFIG = const(2)
WIFI = const(3)
SERVER = const(4)
REFUSED = const(5)
SENSOR = const(6)

_ON_MS = const(150)
_OFF_MS = const(250)
# It hangs between the pin and 3.3 V on boards with an ESP8266.
_OFF = 1 if sys.platform == "esp8266" else 0


def switch_off(pin: int | None) -> Pin | None:
    """Return the pin of the LED, which is dark; None if there is no LED.

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
