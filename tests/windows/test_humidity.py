"""The water in the air, against the tables of named sources."""

import pytest

from custom_components.esp_weather.windows.humidity import (
    absolute_humidity,
    dew_point,
    vapour_pressure,
)


@pytest.mark.parametrize(
    ("temperature", "pressure"),
    [
        # Smithsonian Meteorological Tables, table 94: over water, in hPa
        (-20, 1.2540),
        (-10, 2.8627),
        (0, 6.1078),
        (10, 12.272),
        (20, 23.373),
        (30, 42.430),
        (40, 73.777),
    ],
)
def test_saturation(temperature: float, pressure: float) -> None:
    """The vapour pressure of saturated air is within 0.6 % of the table, as WMO-No. 8 says."""
    assert vapour_pressure(temperature, 100) == pytest.approx(pressure, rel=0.006)


@pytest.mark.parametrize(
    ("temperature", "humidity", "expected"),
    [
        # Vaisala, Humidity Conversion Formulas (B210973EN): the examples
        (40, 50, 27.6),
        (20, 100, 20),
        (-5, 100, -5),
        # What the inverse of the table above gives: e = 12.272 hPa at 10 °C
        (20, 100 * 12.272 / 23.373, 10),
        (30, 100 * 6.1078 / 42.430, 0),
    ],
)
def test_dew_point(temperature: float, humidity: float, expected: float) -> None:
    """The dew point is within 0.1 K."""
    assert dew_point(temperature, humidity) == pytest.approx(expected, abs=0.1)


def test_dew_point_of_dry_air() -> None:
    """Air without water has none."""
    assert dew_point(20, 0) is None


@pytest.mark.parametrize(
    ("temperature", "humidity", "expected"),
    [
        # Vaisala, Humidity Conversion Formulas: 20 °C and 80 %
        (20, 80, 13.82),
        # Saturated air: 216.7 e / T with e of the table above
        (0, 100, 4.847),
        (10, 100, 9.399),
        (20, 100, 17.30),
        (30, 100, 30.38),
        (20, 0, 0),
    ],
)
def test_absolute_humidity(
    temperature: float, humidity: float, expected: float
) -> None:
    """The mass of water is within 0.5 %."""
    assert absolute_humidity(temperature, humidity) == pytest.approx(
        expected, rel=0.005
    )
