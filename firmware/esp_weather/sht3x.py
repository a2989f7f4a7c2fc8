"""Sensirion SHT30, SHT31 and SHT35: temperature and humidity (data sheet SHT3x-DIS)."""

from machine import I2C
from micropython import const

from esp_weather.crc8 import check


class SHT3X:
    """An SHT3x, which sleeps between its measurements."""

    # Section 4.3: single shot, high repeatability, without clock stretching; it takes
    # at most 15.5 ms (table 4).
    COMMAND = b"\x24\x00"
    MEASUREMENT_MS = const(17)

    def __init__(self, i2c: I2C, address: int = 68) -> None:
        """Initialize the sensor at an address of the bus."""
        self._i2c = i2c
        self._address = address
        self._data = bytearray(6)

    def start(self) -> int:
        """Start a measurement and return how many milliseconds it takes.

        Raises OSError if nothing answers.
        """
        self._i2c.writeto(self._address, self.COMMAND)
        return self.MEASUREMENT_MS

    def read(self) -> tuple[float, ...]:
        """Return the temperature in °C and the relative humidity in %.

        Raises OSError if nothing answers, and ValueError if a checksum is wrong.
        """
        data = self._data
        self._i2c.readfrom_into(self._address, data)
        view = memoryview(data)
        check(view[:3])
        check(view[3:])
        return self.convert(data[0] << 8 | data[1], data[3] << 8 | data[4])

    def convert(self, temperature: int, humidity: int) -> tuple[float, ...]:
        """Convert raw values into °C and % (section 4.13)."""
        return 175 * temperature / 65535 - 45, 100 * humidity / 65535
