"""Import of rain: the sums of imported hours and of those around them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.esp_weather.const import DOMAIN
from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import async_import_statistics
from homeassistant.core import HomeAssistant
from tests.helpers import OUTDOOR, Get, entity_id, legacy_url
from tests.old_server import OldServer

from .statistics import METER, stored_hours

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
START = NOW.replace(minute=0) - 10 * HOUR

pytestmark = pytest.mark.usefixtures("recorder_mock")


@pytest.fixture
def options() -> dict[str, Any]:
    """Return the options of a station with a rain gauge."""
    return {"fields": {"1": {"kind": "rain"}}}


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


async def _import(
    hass: HomeAssistant, old_server: OldServer, **data: Any
) -> dict[str, Any]:
    report = await hass.services.async_call(
        *(DOMAIN, "import_history", {"path": str(old_server.database), **data}),
        blocking=True,
        return_response=True,
    )
    assert report is not None
    return report


async def _sums(hass: HomeAssistant) -> dict[int, tuple[float, float]]:
    """Return last value and sum of each hour, by the hours since the start."""
    rows = await stored_hours(hass, entity_id(hass, "1"), METER)
    return {
        (time - START) // HOUR: (round(state, 4), round(total, 4))
        for time, (state, total) in rows.items()
    }


def _fill(old_server: OldServer, hours: dict[int, list[float]]) -> None:
    old_server.fill(
        (START + hour * HOUR + number * timedelta(minutes=5), OUTDOOR, 1, value)
        for hour, values in hours.items()
        for number, value in enumerate(values)
    )


def _store(hass: HomeAssistant, hours: dict[int, tuple[float, float]]) -> None:
    """Store statistics as Home Assistant has compiled them."""
    statistic_id = entity_id(hass, "1")
    assert statistic_id is not None
    async_import_statistics(
        hass,
        StatisticMetaData(
            mean_type=StatisticMeanType.NONE,
            has_sum=True,
            name=None,
            source="recorder",
            statistic_id=statistic_id,
            unit_class="distance",
            unit_of_measurement="mm",
        ),
        [
            StatisticData(start=START + hour * HOUR, state=state, sum=total)
            for hour, (state, total) in hours.items()
        ],
    )


FILE = {0: [2.0, 6.0], 2: [8.0, 10.0], 4: [15.0, 1.0, 3.0]}


async def test_between_those_that_are_there(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, old_server: OldServer
) -> None:
    """Sums are as if all hours had been there from the start.

    Stored hours stay; their sums grow by the rain that was imported before them.
    """
    assert (await get(legacy_url("30"))).status == 200
    _store(hass, {2: (10.0, 3.0), 6: (30.0, 23.0), 7: (30.0, 23.0)})
    _fill(old_server, FILE)

    dry_run = await _import(hass, old_server, dry_run=True)
    report = await _import(hass, old_server)

    assert dry_run == report
    assert (
        report["entities"][0]["hours_imported"],
        report["entities"][0]["hours_kept"],
    ) == (2, 1)
    expected = {
        0: (6.0, 4.0),
        2: (10.0, 8.0),
        # 5 mm, then the gauge is reset
        4: (3.0, 16.0),
        # 27 mm more
        6: (30.0, 43.0),
        7: (30.0, 43.0),
    }
    assert await _sums(hass) == expected
    await _import(hass, old_server)
    assert await _sums(hass) == expected
    await _import(hass, old_server, overwrite=True)
    assert await _sums(hass) == expected


async def test_after_those_that_are_there(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, old_server: OldServer
) -> None:
    """Sums continue those of the hours before."""
    assert (await get(legacy_url("30"))).status == 200
    _store(hass, {-9: (0.5, 0.5), -2: (1.5, 100.0)})
    _fill(old_server, FILE)
    await _import(hass, old_server)
    assert await _sums(hass) == {
        -9: (0.5, 0.5),
        -2: (1.5, 100.0),
        0: (6.0, 104.5),
        2: (10.0, 108.5),
        4: (3.0, 116.5),
    }


async def test_in_another_unit(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, old_server: OldServer
) -> None:
    """Overwriting in the right unit leaves no jump behind it."""
    assert (await get(legacy_url("30"))).status == 200
    _store(hass, {0: (6.0, 4.0), 1: (7.0, 5.0), 2: (8.0, 6.0), 3: (9.0, 7.0)})
    _fill(old_server, {1: [152.4, 177.8], 2: [203.2]})
    await _import(hass, old_server, overwrite=True)
    sums = await _sums(hass)
    assert sums[0] == (6.0, 4.0)
    assert sums[2][1] - sums[1][1] == pytest.approx(25.4)
    # Between 203.2 and 9 the gauge was reset.
    assert sums[3][1] - sums[2][1] == pytest.approx(9.0)


async def test_home_assistant_goes_on(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    old_server: OldServer,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Statistics compiled later continue the sum of the file."""
    _fill(old_server, FILE)
    await _import(hass, old_server, create_entities=True)
    assert await _sums(hass) == {0: (6.0, 4.0), 2: (10.0, 8.0), 4: (3.0, 16.0)}

    assert (await get(legacy_url("5"))).status == 200
    await async_wait_recording_done(hass)
    for minute in range(30, 60, 5):
        do_adhoc_statistics(hass, start=NOW.replace(minute=minute))
    await async_wait_recording_done(hass)
    assert (await _sums(hass))[10] == (5.0, 18.0)


async def test_before_the_first_five_minutes(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, old_server: OldServer
) -> None:
    """An import before the first compiled hour keeps the rain of the current one."""
    assert (await get(legacy_url("5"))).status == 200
    await async_wait_recording_done(hass)
    do_adhoc_statistics(hass, start=NOW)
    await async_wait_recording_done(hass)
    _fill(old_server, FILE)
    await _import(hass, old_server)
    for minute in range(35, 60, 5):
        do_adhoc_statistics(hass, start=NOW.replace(minute=minute))
    await async_wait_recording_done(hass)
    assert await _sums(hass) == {
        0: (6.0, 4.0),
        2: (10.0, 8.0),
        4: (3.0, 16.0),
        10: (5.0, 18.0),
    }


@pytest.mark.parametrize(
    "order",
    [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [0, 2, 1, 5, 3, 4], [3, 0, 2, 1, 5, 4]],
)
async def test_any_order(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    old_server: OldServer,
    order: list[int],
) -> None:
    """The lines of a file need not be in order of time."""
    assert (await get(legacy_url("30"))).status == 200
    values = [1.0, 2.0, 4.0, 7.0, 0.5, 1.5]
    seconds = [0, 60, 120, 400, 700, 760]
    old_server.fill(
        (START + timedelta(seconds=seconds[each]), OUTDOOR, 1, values[each])
        for each in order
    )
    await _import(hass, old_server)
    # 6 mm, and 1.5 mm after the reset
    assert await _sums(hass) == {0: (1.5, 7.5)}


async def test_years(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, old_server: OldServer
) -> None:
    """A file with gaps of years continues the stored hours in them."""
    assert (await get(legacy_url("30"))).status == 200
    _store(hass, {-15_000: (20.0, 1.0), -9_999: (26.0, 7.0), -9_998: (27.0, 8.0)})
    _fill(
        old_server,
        {-20_000: [10.0, 15.0], -10_000: [25.0], -9_999: [26.0], -5_000: [30.0]},
    )
    await _import(hass, old_server)
    assert await _sums(hass) == {
        -20_000: (15.0, 5.0),
        -15_000: (20.0, 10.0),
        -10_000: (25.0, 15.0),
        -9_999: (26.0, 16.0),
        -9_998: (27.0, 17.0),
        -5_000: (30.0, 20.0),
    }
