"""Maxim DS18B20: temperature, over one wire, with MicroPython's own modules."""

from binascii import hexlify, unhexlify

from ds18x20 import DS18X20
from machine import Pin
from micropython import const
from onewire import OneWire

_CONVERSION_MS = const(750)
_POWER_ON = const(85)  # °C, in its memory until the first conversion is done


class DS18B20:
    """A DS18B20, alone on its wire or known by its ROM code."""

    def __init__(self, pin: Pin, rom: str = "") -> None:
        """Initialize the sensor at a pin with this ROM code, in 16 hexadecimal digits."""
        self._wire = DS18X20(OneWire(pin))
        self._rom = unhexlify(rom)
        self._found = self._rom

    def start(self) -> int:
        """Start a measurement and return how many milliseconds it takes.

        Raises ValueError if no sensor or more than one is found.
        """
        self._found = self._rom
        if not self._rom:
            roms = self._wire.scan()
            if len(roms) != 1:
                codes = " ".join(hexlify(rom).decode() for rom in roms)
                raise ValueError("%d sensors on the wire: %s" % (len(roms), codes))
            self._found = roms[0]
        self._wire.convert_temp()
        return _CONVERSION_MS

    def read(self) -> tuple[float, ...]:
        """Return the temperature in °C, in a tuple.

        Raises ValueError if the sensor lost power since the start, or if
        the wire is shorted: then all bits are 0, and the checksum matches.
        """
        value = self._wire.read_temp(self._found)
        if value == _POWER_ON or not any(self._wire.buf):
            raise ValueError("%s °C is the sign of a bad connection" % value)
        return (value,)
