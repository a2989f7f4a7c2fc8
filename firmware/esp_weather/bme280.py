"""Bosch BME280: temperature, humidity, pressure. Names as in its data sheet.

The formulas are those of the data sheet (BST-BME280-DS002, section 4.2.3), in
integers: floats of an ESP8266 have a mantissa of only 22 bits.
"""

from struct import unpack

from machine import I2C
from micropython import const

_ID = const(0xD0)
_BME280 = const(0x60)
_CALIB00 = const(0x88)
_CALIB26 = const(0xE1)
_CTRL_HUM = const(0xF2)
_CTRL_MEAS = const(0xF4)
_DATA = const(0xF7)

_ONCE = b"\x01"  # oversampling of the humidity
_FORCED = b"\x25"  # one measurement of temperature and pressure, then sleep
_MEASUREMENT_MS = const(10)  # at most 9.3, says section 9.1
_SKIPPED = const(0x80000)  # in place of a value that was not measured


class BME280:
    """A BME280, which sleeps between its measurements."""

    def __init__(self, i2c: I2C, address: int = 0x76) -> None:
        """Initialize the sensor at an address of the bus."""
        self._i2c = i2c
        self._address = address
        self._data = bytearray(8)
        self._calibration: tuple[int, ...] | None = None

    def start(self) -> int:
        """Start a measurement and return how many milliseconds it takes.

        Raises OSError if nothing answers, and ValueError if it is another chip.
        """
        if self._i2c.readfrom_mem(self._address, _ID, 1)[0] != _BME280:
            raise ValueError("it is not a BME280")
        if self._calibration is None:
            low = self._i2c.readfrom_mem(self._address, _CALIB00, 26)
            high = self._i2c.readfrom_mem(self._address, _CALIB26, 7)
            h2, h3, e4, e5, e6, h6 = unpack("<hBbBbb", high)
            self._calibration = unpack("<HhhHhhhhhhhh", low) + (
                low[25],
                h2,
                h3,
                e4 << 4 | e5 & 0x0F,
                e6 << 4 | e5 >> 4,
                h6,
            )
        self._i2c.writeto_mem(self._address, _CTRL_HUM, _ONCE)
        self._i2c.writeto_mem(self._address, _CTRL_MEAS, _FORCED)
        return _MEASUREMENT_MS

    def read(self) -> tuple[float, ...]:
        """Return the temperature in °C, the relative humidity in % and the pressure in hPa.

        Raises OSError if nothing answers, and ValueError if it has not measured.
        """
        data = self._data
        self._i2c.readfrom_mem_into(self._address, _DATA, data)
        pressure = data[0] << 12 | data[1] << 4 | data[2] >> 4
        temperature = data[3] << 12 | data[4] << 4 | data[5] >> 4
        calibration = self._calibration
        if calibration is None or _SKIPPED in (temperature, pressure):
            # The sensor lost power and may have been replaced.
            self._calibration = None
            raise ValueError("it has not measured")
        return compensate(calibration, temperature, data[6] << 8 | data[7], pressure)


def compensate(
    calibration: tuple[int, ...], adc_t: int, adc_h: int, adc_p: int
) -> tuple[float, ...]:
    """Convert raw values into °C, % and hPa.

    `calibration` is dig_T1 to T3, P1 to P9 and H1 to H6.
    """
    t1, t2, t3, p1, p2, p3, p4, p5, p6, p7, p8, p9, h1, h2, h3, h4, h5, h6 = calibration

    var1 = ((adc_t >> 3) - (t1 << 1)) * t2 >> 11
    var2 = (((adc_t >> 4) - t1) * ((adc_t >> 4) - t1) >> 12) * t3 >> 14
    t_fine = var1 + var2

    v = t_fine - 76800
    v = (((adc_h << 14) - (h4 << 20) - h5 * v + 16384) >> 15) * (
        (((v * h6 >> 10) * ((v * h3 >> 11) + 32768) >> 10) + 2097152) * h2 + 8192 >> 14
    )
    v -= ((v >> 15) * (v >> 15) >> 7) * h1 >> 4
    humidity = min(max(v, 0), 419430400) >> 12

    var1 = t_fine - 128000
    var2 = var1 * var1 * p6 + (var1 * p5 << 17) + (p4 << 35)
    var1 = (var1 * var1 * p3 >> 8) + (var1 * p2 << 12)
    var1 = ((1 << 47) + var1) * p1 >> 33
    if var1 == 0:
        raise ValueError("its calibration is lost")
    p = ((1048576 - adc_p << 31) - var2) * 3125 // var1
    var1 = p9 * (p >> 13) * (p >> 13) >> 25
    var2 = p8 * p >> 19
    pressure = (p + var1 + var2 >> 8) + (p7 << 4)

    return (t_fine * 5 + 128 >> 8) / 100, humidity / 1024, pressure / 25600
