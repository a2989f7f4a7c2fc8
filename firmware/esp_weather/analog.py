"""A voltage at a pin, on a scale: soil moisture, light, a battery."""

from esp_weather.status import FULL_SCALE, open_adc


class ANALOG:
    """A pin that measures a voltage."""

    def __init__(self, pin: int, zero: float, full_scale: float, kind: str) -> None:
        """Use a pin at which 0 V mean `zero`, and the most that it reads `full_scale`."""
        self._adc = open_adc(pin)
        self._zero = zero
        self._range = full_scale - zero

    def start(self) -> int:
        """Return that measuring takes no time."""
        return 0

    def read(self) -> tuple[float, ...]:
        """Return what the voltage means, in a tuple."""
        return (self._zero + self._range * self._adc.read_u16() / FULL_SCALE,)
