"""Microchip MCP9808: temperature. The names are those of its data sheet, DS25095."""

from machine import I2C
from micropython import const

_CONFIG = const(1)
_AMBIENT_TEMPERATURE = const(5)
_MANUFACTURER_ID = const(6)
_DEVICE_ID = const(7)
_RESOLUTION = const(8)

_MICROCHIP = const(0x0054)
_MCP9808 = const(0x04)
_AWAKE = b"\x00\x00"
_SHUTDOWN = b"\x01\x00"
_SIGN = const(0x1000)

# Milliseconds of a conversion at each resolution: the typical 30, 65, 130 and 250
# and a third more. Until then the register holds the previous temperature.
_CONVERSION_MS = (40, 87, 173, 333)


class MCP9808:
    """An MCP9808, which sleeps between its conversions."""

    def __init__(self, i2c: I2C, address: int = 24, resolution: int = 3) -> None:
        """Initialize the sensor at an address of the bus.

        `resolution` is 0 for 0.5 °C, 1 for 0.25, 2 for 0.125 and 3 for 0.0625.
        """
        self._i2c = i2c
        self._address = address
        self._resolution = resolution
        self._buffer = bytearray(2)

    def start(self) -> int:
        """Start a measurement and return how many milliseconds it takes.

        Raises OSError if nothing answers, and ValueError if it is another chip.
        """
        if (
            self._register(_MANUFACTURER_ID) != _MICROCHIP
            or self._register(_DEVICE_ID) >> 8 != _MCP9808
        ):
            raise ValueError("it is not an MCP9808")
        self._i2c.writeto_mem(self._address, _RESOLUTION, bytes((self._resolution,)))
        self._i2c.writeto_mem(self._address, _CONFIG, _AWAKE)
        return _CONVERSION_MS[self._resolution]

    def read(self) -> tuple[float, ...]:
        """Return the temperature in °C, in a tuple. Raises OSError."""
        value = self._register(_AMBIENT_TEMPERATURE)
        self._i2c.writeto_mem(self._address, _CONFIG, _SHUTDOWN)
        # The three alarm flags above the sign bit are not used.
        return ((value & (_SIGN - 1)) / 16 - (256 if value & _SIGN else 0),)

    def _register(self, number: int) -> int:
        self._i2c.readfrom_mem_into(self._address, number, self._buffer)
        return self._buffer[0] << 8 | self._buffer[1]
