"""Analogue input: a voltage on a scale, such as soil moisture, light or a battery."""

import sys

from machine import ADC, Pin
from micropython import const

_FULL_SCALE = const(65535)


class ANALOG:
    """An analogue input."""

    def __init__(self, pin: int, zero: float, full_scale: float, kind: str) -> None:
        """Initialize a pin: 0 V stand for `zero`, the full range for `full_scale`."""
        # The channel of an ESP8266, or a pin of an ESP32
        self._adc = (
            ADC(pin)
            if sys.platform == "esp8266"
            else ADC(Pin(pin), atten=ADC.ATTN_11DB)
        )
        self._zero = zero
        self._range = full_scale - zero

    def start(self) -> int:
        """Return 0: the measurement needs no waiting."""
        return 0

    def read(self) -> tuple[float, ...]:
        """Return the scaled value, in a tuple."""
        return (self._zero + self._range * self._adc.read_u16() / _FULL_SCALE,)
