"""ROHM BH1750FVI: illuminance. It has no checksum and no identity."""

from machine import I2C
from micropython import const

_ONCE = b"\x20"  # in high resolution; then it sleeps
_MEASUREMENT_MS = const(180)  # at most, says the data sheet


class BH1750:
    """A BH1750, which sleeps between its measurements."""

    def __init__(self, i2c: I2C, address: int = 35) -> None:
        """Initialize the sensor at an address of the bus."""
        self._i2c = i2c
        self._address = address
        self._data = bytearray(2)

    def start(self) -> int:
        """Start a measurement and return how many milliseconds it takes.

        Raises OSError if nothing answers.
        """
        self._i2c.writeto(self._address, _ONCE)
        return _MEASUREMENT_MS

    def read(self) -> tuple[float, ...]:
        """Return the illuminance in lx, in a tuple. Raises OSError."""
        self._i2c.readfrom_into(self._address, self._data)
        return ((self._data[0] << 8 | self._data[1]) / 1.2,)
