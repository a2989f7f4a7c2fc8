"""The water in the air, against the tables of named sources and another formula."""

from math import exp, log, tanh

import pytest

from custom_components.esp_weather.windows.humidity import (
    absolute_humidity,
    dew_point,
    vapour_pressure,
)

# The pressure of saturated vapour over water: °C, hPa
TABLE = [
    # Murphy and Koop (2005), Review of the vapour pressures of ice and supercooled
    # water, Q. J. R. Meteorol. Soc. 131, table C1: values for checking computer codes
    (240 - 273.15, 0.37667),
    (273.16 - 273.15, 6.11657),
    (300 - 273.15, 35.368),
    # ASHRAE Handbook - Fundamentals (2017), chapter 1, table 3, as in PsychroLib's tests
    (5, 8.726),
    (25, 31.697),
    (50, 123.513),
]


def _murphy_koop(temperature: float) -> float:
    """Return the pressure of saturated vapour in hPa by equation 10 of that review."""
    t = temperature + 273.15
    bend = tanh(0.0415 * (t - 218.8))
    exponent = 54.842763 - 6763.22 / t - 4.21 * log(t) + 0.000367 * t
    rest = 53.878 - 1331.22 / t - 9.44523 * log(t) + 0.014025 * t
    return exp(exponent + bend * rest) / 100


@pytest.mark.parametrize(("temperature", "pressure"), TABLE)
def test_saturation(temperature: float, pressure: float) -> None:
    """The vapour pressure of saturated air is within 0.6 % of the tables."""
    assert vapour_pressure(temperature, 100) == pytest.approx(pressure, rel=0.006)
    # So is what the next test compares with, to all digits of the tables.
    assert _murphy_koop(temperature) == pytest.approx(pressure, rel=0.0001)


def test_saturation_at_any_temperature() -> None:
    """Between the values of the tables it is within 0.6 % too, from -40 to 55 °C."""
    for temperature in range(-40, 56):
        assert vapour_pressure(temperature, 100) == pytest.approx(
            _murphy_koop(temperature), rel=0.006
        )


@pytest.mark.parametrize(
    ("temperature", "humidity", "expected"),
    [
        # PsychroLib 2.5.0: GetTDewPointFromRelHum
        (40, 50, 27.59),
        (35, 30, 14.84),
        (30, 40, 14.94),
        (25, 60, 16.70),
        (20, 50, 9.27),
        (5, 80, 1.84),
        (20, 100, 20),
        (-5, 100, -5),
    ],
)
def test_dew_point(temperature: float, humidity: float, expected: float) -> None:
    """The dew point is within 0.05 K."""
    assert dew_point(temperature, humidity) == pytest.approx(expected, abs=0.05)


def test_dew_point_of_dry_air() -> None:
    """Air without water has none."""
    assert dew_point(20, 0) is None


@pytest.mark.parametrize(
    ("temperature", "humidity", "expected"),
    [
        # PsychroLib 2.5.0: 1000 GetHumRatioFromVapPres / GetMoistAirVolume at 101,325 Pa
        (40, 50, 25.544),
        (35, 30, 11.872),
        (30, 40, 12.139),
        (25, 60, 13.819),
        (20, 50, 8.643),
        (5, 80, 5.437),
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
