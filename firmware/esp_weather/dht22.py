"""Aosong DHT22 (AM2302): temperature and humidity, with MicroPython's own module."""

import dht
from machine import Pin
from micropython import const

_PAUSE_MS = const(2_000)


class DHT22:
    """A DHT22."""

    def __init__(self, pin: Pin) -> None:
        """Initialize the sensor at a pin."""
        self._sensor = dht.DHT22(pin)

    def start(self) -> int:
        """Start a measurement and return how many milliseconds it takes.

        The sensor returns what it measured when it was last read. So it is
        read twice, respecting its minimum interval.
        """
        try:
            self._sensor.measure()
        except Exception:  # noqa: BLE001 # The second time counts.
            pass
        return _PAUSE_MS

    def read(self) -> tuple[float, ...]:
        """Return the temperature in °C and the relative humidity in %.

        Raises OSError if nothing answers, ValueError if the line is cut, and
        Exception if the checksum is wrong.
        """
        self._sensor.measure()
        if not any(self._sensor.buf):
            raise ValueError("0 °C and 0 % are the sign of a bad connection")
        return self._sensor.temperature(), self._sensor.humidity()
