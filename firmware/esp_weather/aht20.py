"""Aosong AHT20: temperature and humidity. Sections are those of its data sheet."""

import time

from machine import I2C
from micropython import const

from esp_weather.crc8 import check

_CALIBRATED = const(0x08)
_BUSY = const(0x80)
_INITIALIZE = b"\xbe\x08\x00"
_MEASURE = b"\xac\x33\x00"
_MEASUREMENT_MS = const(85)  # Section 5.4: 80
_INITIALIZATION_MS = const(10)


class AHT20:
    """An AHT20, which sleeps between its measurements."""

    def __init__(self, i2c: I2C, address: int = 56) -> None:
        """Initialize the sensor at an address of the bus."""
        self._i2c = i2c
        self._address = address
        self._data = bytearray(7)

    def start(self) -> int:
        """Start a measurement and return how many milliseconds it takes.

        Raises OSError if nothing answers.
        """
        status = memoryview(self._data)[:1]
        self._i2c.readfrom_into(self._address, status)
        if not status[0] & _CALIBRATED:
            self._i2c.writeto(self._address, _INITIALIZE)
            time.sleep_ms(_INITIALIZATION_MS)
        self._i2c.writeto(self._address, _MEASURE)
        return _MEASUREMENT_MS

    def read(self) -> tuple[float, ...]:
        """Return the temperature in °C and the relative humidity in %.

        Raises OSError if nothing answers, and ValueError if it has not measured or the
        checksum is wrong.
        """
        data = self._data
        self._i2c.readfrom_into(self._address, data)
        if data[0] & _BUSY:
            raise ValueError("it is still measuring")
        check(data)
        humidity = data[1] << 12 | data[2] << 4 | data[3] >> 4
        temperature = (data[3] & 0x0F) << 16 | data[4] << 8 | data[5]
        # Section 6: both have 20 bits.
        return temperature * 200 / 1048576 - 50, humidity * 100 / 1048576
