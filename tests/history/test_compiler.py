"""The import compared with Home Assistant's own compiler of statistics."""

from datetime import UTC, datetime, timedelta
from math import sin
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.esp_weather.const import DOMAIN
from homeassistant.core import HomeAssistant
from tests.helpers import KEY, OUTDOOR, Get, entity_id, legacy_url
from tests.old_server import OldServer

from .statistics import ANGLE, MEAN, METER, stored_hours

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
PERIOD = 300
TIMEOUT = 900.001  # a timer is never early

pytestmark = pytest.mark.usefixtures("recorder_mock")

# Seconds from the start, and the value measured then
Readings = list[tuple[float, float]]


def _bursts() -> Readings:
    """Return three readings within 20 seconds, every 10 minutes."""
    return [
        (600 * number + 10 * each + 7, 20 + 5 * sin(number) + 3 * each)
        for number in range(18)
        for each in range(3)
    ]


def _step() -> Readings:
    """Return 10° once a minute for half an hour, then 30° once."""
    return [*((60.0 * minute, 10.0) for minute in range(30)), (1800.0, 30.0)]


def _gaps() -> Readings:
    """Return readings with gaps in which the sensor becomes unavailable."""
    times = [70, 400, 1100, 2500, 2501, 3599.5, 3600, 5400, 5999, 9000.25]
    return [(time, 18 + time % 7) for time in times]


def _steady() -> Readings:
    """Return a reading each minute, never exactly on the minute."""
    return [(60.0 * minute + 13, 21 + sin(minute / 9)) for minute in range(180)]


def _wind() -> Readings:
    """Return a wind that turns through north, with gaps."""
    return [
        (50.0 * number + 11, (340 + 4 * number) % 360)
        for number in range(150)
        if number % 50 < 25
    ]


def _rain() -> Readings:
    """Return a gauge that grows, drops a little once, and is reset twice.

    One of the resets is while the station is silent.
    """
    values = [3.0, 3.0, 5.5, 5.4, 9.0, 0.2, 1.0, 1.0, 4.0, 4.2, 0.4, 0.4, 2.0, 2.1]
    return [
        (400.0 * number + (3000 if number > 9 else 7), value)
        for number, value in enumerate(values)
    ]


MEAN_OF = {"fields": {"1": {"kind": "temperature"}}}
WIND = {"fields": {"1": {"kind": "wind_direction"}}}
RAIN = {"fields": {"1": {"kind": "rain"}}}


@pytest.fixture(autouse=True)
def _start(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(START)


@pytest.mark.parametrize(
    ("options", "readings", "columns"),
    [
        (MEAN_OF, _bursts(), MEAN),
        (MEAN_OF, _step(), MEAN),
        (MEAN_OF, _gaps(), MEAN),
        (MEAN_OF, _steady(), MEAN),
        (WIND, _wind(), ANGLE),
        (RAIN, _rain(), METER),
    ],
)
async def test_same_as_home_assistant(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    old_server: OldServer,
    freezer: FrozenDateTimeFactory,
    readings: Readings,
    columns: tuple[Any, ...],
) -> None:
    """A file gives the statistics of the same reports, to the last bit or two."""
    end = int(readings[-1][0] // 3600 + 2) * 3600
    marks = dict.fromkeys(range(PERIOD, end + 1, PERIOD))
    values = dict(readings)
    timeouts = {time + TIMEOUT for time in values}
    for second in sorted({*values, *marks, *timeouts}):
        freezer.move_to(START + timedelta(seconds=second))
        async_fire_time_changed(hass)
        await hass.async_block_till_done()
        if second in marks:
            await async_wait_recording_done(hass)
            do_adhoc_statistics(hass, start=START + timedelta(seconds=second - PERIOD))
        if second in values:
            assert (await get(legacy_url(f"{values[second]:.4f}"))).status == 200
            old_server.update(
                *(KEY, OUTDOOR, "1", f"{values[second]:.4f}"), datetime.now(UTC)
            )
    freezer.tick(timedelta(minutes=2))
    await async_wait_recording_done(hass)
    compiled = await stored_hours(hass, entity_id(hass, "1"), columns)
    assert compiled

    report: Any = await hass.services.async_call(
        *(DOMAIN, "import_history"),
        {"path": str(old_server.database), "overwrite": True},
        blocking=True,
        return_response=True,
    )

    assert report is not None
    assert report["entities"][0]["hours_imported"] == len(compiled)
    imported = await stored_hours(hass, entity_id(hass, "1"), columns)
    assert imported.keys() == compiled.keys()
    for hour, statistics in compiled.items():
        assert imported[hour] == pytest.approx(statistics, abs=1e-6), hour
