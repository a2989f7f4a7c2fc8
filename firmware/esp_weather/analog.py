"""Analogue input: a voltage on a scale, such as soil moisture, light or a battery."""

from esp_weather.status import FULL_SCALE, open_adc


class ANALOG:
    """An analogue input."""

    def __init__(self, pin: int, zero: float, full_scale: float, kind: str) -> None:
        """Initialize a pin: 0 V stand for `zero`, the full range for `full_scale`."""
        self._adc = open_adc(pin)
        self._zero = zero
        self._range = full_scale - zero

    def start(self) -> int:
        """Return 0: the measurement needs no waiting."""
        return 0

    def read(self) -> tuple[float, ...]:
        """Return the scaled value, in a tuple."""
        return (self._zero + self._range * self._adc.read_u16() / FULL_SCALE,)
