"""Sensirion SHT40, SHT41 and SHT45: temperature and humidity (data sheet SHT4x)."""

from micropython import const

from esp_weather.sht3x import SHT3X


class SHT4X(SHT3X):
    """An SHT4x: an SHT3x with other commands and another scale of humidity."""

    # Table 8: high precision; table 5: it takes at most 8.3 ms.
    COMMAND = b"\xfd"
    MEASUREMENT_MS = const(10)

    def convert(self, temperature: int, humidity: int) -> tuple[float, ...]:
        """Convert raw values into °C and % (section 4.6), with humidity clamped."""
        celsius = 175 * temperature / 65535 - 45
        return celsius, min(max(125 * humidity / 65535 - 6, 0), 100)
