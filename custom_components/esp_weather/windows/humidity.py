"""The water content of the air, from its temperature and relative humidity.

The saturation vapour pressure over water is that of the World Meteorological
Organization: Guide to Instruments and Methods of Observation (WMO-No. 8), volume I,
annex 4.B, good from -45 to 60 °C. The dew point is its inverse. The absolute humidity
follows from the ideal gas law with the gas constant of water vapour, 461.5 J/(kg K).
"""

from math import exp, log
from typing import Final

_PRESSURE: Final = 6.112  # hPa
_SLOPE: Final = 17.62
_OFFSET: Final = 243.12  # °C
_ZERO: Final = 273.15  # K
# 100 Pa/hPa · 1000 g/kg / 461.5 J/(kg K)
_GRAMS: Final = 100_000 / 461.5


def vapour_pressure(temperature: float, humidity: float) -> float:
    """Return the pressure of water vapour in hPa, at °C and % relative humidity."""
    saturation = _PRESSURE * exp(_SLOPE * temperature / (_OFFSET + temperature))
    return saturation * humidity / 100


def dew_point(temperature: float, humidity: float) -> float | None:
    """Return the dew point in °C, None for air without water."""
    pressure = vapour_pressure(temperature, humidity)
    if pressure <= 0:
        return None
    ratio = log(pressure / _PRESSURE)
    return _OFFSET * ratio / (_SLOPE - ratio)


def absolute_humidity(temperature: float, humidity: float) -> float:
    """Return the mass of water in g/m³ of air, at °C and % relative humidity."""
    return _GRAMS * vapour_pressure(temperature, humidity) / (_ZERO + temperature)
