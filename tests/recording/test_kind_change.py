"""The statistics of a field whose kind changes, in a real database."""

from datetime import datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from homeassistant.components.recorder import Recorder, get_instance
from homeassistant.components.recorder.statistics import (
    list_statistic_ids,
    statistics_during_period,
    validate_statistics,
)
from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.util.unit_system import (
    METRIC_SYSTEM,
    US_CUSTOMARY_SYSTEM,
    UnitSystem,
)
from tests.helpers import START, Get, entity_id, legacy_url, state_of

HOUR = timedelta(hours=1)
PERIOD = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    """Start at noon."""
    freezer.move_to(START)


async def _report_for_an_hour(
    hass: HomeAssistant, get: Get, freezer: FrozenDateTimeFactory, value: str
) -> None:
    """Report every minute for an hour, and compile each period."""
    for _ in range(12):
        start = _now(freezer)
        for _ in range(5):
            assert (await get(legacy_url(value))).status == 200
            freezer.tick(60)
        await async_wait_recording_done(hass)
        get_instance(hass).queue_task(StatisticsTask(start, False))
        await async_wait_recording_done(hass)


def _now(freezer: FrozenDateTimeFactory) -> datetime:
    now: datetime = freezer().replace(tzinfo=START.tzinfo)
    return now


async def _statistics(
    hass: HomeAssistant, entity: str, period: str = "hour"
) -> list[dict[str, Any]]:
    found = await get_instance(hass).async_add_executor_job(
        statistics_during_period,
        hass,
        START - HOUR,
        None,
        {entity},
        period,
        None,
        {"mean", "min", "max", "state", "sum"},
    )
    return [dict(row) for row in found.get(entity, [])]


async def _metadata(hass: HomeAssistant) -> dict[str, dict[str, Any]]:
    """Return unit and form of the statistics of all fields, by statistic ID."""
    found = await get_instance(hass).async_add_executor_job(list_statistic_ids, hass)
    return {each["statistic_id"]: each for each in found}


async def _assert_nothing_to_repair(hass: HomeAssistant) -> None:
    """Check that neither Developer tools nor Repairs reports a problem."""
    found = await get_instance(hass).async_add_executor_job(validate_statistics, hass)
    assert found == {}
    assert not [
        issue.issue_id
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == "sensor" and issue.active
    ]


async def _choose(
    hass: HomeAssistant, station: MockConfigEntry, **settings: Any
) -> None:
    """Choose the kind of field 1, stored as the dialog does."""
    hass.config_entries.async_update_entry(station, options={"fields": {"1": settings}})
    await hass.config_entries.async_reload(station.entry_id)
    await async_wait_recording_done(hass)


@pytest.mark.parametrize(
    ("system", "unit"), [(METRIC_SYSTEM, "hPa"), (US_CUSTOMARY_SYSTEM, "inHg")]
)
async def test_number_to_pressure(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
    system: UnitSystem,
    unit: str,
) -> None:
    """A pressure that was a plain number continues as if it had always been one."""
    hass.config.units = system
    await _report_for_an_hour(hass, get, freezer, "1013.2")
    assert list(await _metadata(hass)) == ["sensor.outdoor_field_1"]

    await _choose(hass, station, kind="pressure")
    sensor = "sensor.outdoor_pressure"
    assert entity_id(hass, "1") == sensor
    for _ in range(2):
        await _report_for_an_hour(hass, get, freezer, "1013.2")

    state = hass.states.get(sensor)
    assert state is not None
    assert state.name == "Outdoor Pressure"
    assert state.attributes["unit_of_measurement"] == unit
    metadata = await _metadata(hass)
    assert list(metadata) == [sensor]
    assert metadata[sensor]["statistics_unit_of_measurement"] == "hPa"
    assert metadata[sensor]["unit_class"] == "pressure"
    hours = await _statistics(hass, sensor)
    assert [row["mean"] for row in hours] == [
        pytest.approx(float(state.state), rel=1e-4)
    ] * 3
    assert len(await _statistics(hass, sensor, "5minute")) == 36
    await _assert_nothing_to_repair(hass)


@pytest.mark.parametrize("system", [METRIC_SYSTEM, US_CUSTOMARY_SYSTEM])
@pytest.mark.parametrize("shown", [None, "°F", "K"])
async def test_temperature_to_humidity(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
    system: UnitSystem,
    shown: str | None,
) -> None:
    """The hours have the numbers that the station sent, whatever unit was shown."""
    hass.config.units = system
    await get(legacy_url("48"))
    if shown:
        er.async_get(hass).async_update_entity_options(
            str(entity_id(hass, "1")), "sensor", {"unit_of_measurement": shown}
        )
    await _report_for_an_hour(hass, get, freezer, "48")

    await _choose(hass, station, kind="humidity")
    for _ in range(2):
        await _report_for_an_hour(hass, get, freezer, "48")

    sensor = "sensor.outdoor_humidity"
    metadata = await _metadata(hass)
    assert list(metadata) == [sensor]
    assert metadata[sensor]["statistics_unit_of_measurement"] == "%"
    assert [row["mean"] for row in await _statistics(hass, sensor)] == [
        pytest.approx(48)
    ] * 3
    await _assert_nothing_to_repair(hass)


@pytest.mark.parametrize("system", [METRIC_SYSTEM, US_CUSTOMARY_SYSTEM])
async def test_another_unit(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
    system: UnitSystem,
) -> None:
    """When °C turn out to be °F, past hours are reinterpreted as well."""
    hass.config.units = system
    await _report_for_an_hour(hass, get, freezer, "68")
    before = entity_id(hass, "1")
    await _choose(hass, station, unit_of_measurement="°F")
    assert entity_id(hass, "1") == before
    for _ in range(2):
        await _report_for_an_hour(hass, get, freezer, "68")
    expected = 20 if system is METRIC_SYSTEM else 68
    assert [row["mean"] for row in await _statistics(hass, str(before))] == [
        pytest.approx(expected)
    ] * 3
    await _assert_nothing_to_repair(hass)


async def test_removed_meanwhile(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
) -> None:
    """An entity that is deleted right after the change returns with a reading."""
    assert (await get(legacy_url("1013.2"))).status == 200
    before = str(entity_id(hass, "1"))

    @callback
    def remove(event: Event[EventStateChangedData]) -> None:
        if (new := event.data["new_state"]) and new.attributes.get(
            "device_class"
        ) == "atmospheric_pressure":
            end()
            er.async_get(hass).async_remove(new.entity_id)

    end = hass.bus.async_listen(EVENT_STATE_CHANGED, remove)
    await _choose(hass, station, kind="pressure")
    assert station.state is ConfigEntryState.LOADED
    await hass.async_block_till_done()
    assert entity_id(hass, "1") is None
    assert hass.states.get(before) is None

    assert (await get(legacy_url("1013.2"))).status == 200
    # Home Assistant restores the ID of a deleted entity.
    assert entity_id(hass, "1") == before
    assert state_of(hass, "1") == "1013.2"


async def test_renamed_by_the_user(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
) -> None:
    """An entity ID that the user has set stays."""
    await get(legacy_url("1013.2"))
    er.async_get(hass).async_update_entity(
        str(entity_id(hass, "1")), new_entity_id="sensor.barometer"
    )
    await hass.async_block_till_done()
    await _report_for_an_hour(hass, get, freezer, "1013.2")
    await _choose(hass, station, kind="pressure")
    await _report_for_an_hour(hass, get, freezer, "1013.2")

    assert entity_id(hass, "1") == "sensor.barometer"
    assert len(await _statistics(hass, "sensor.barometer")) == 2
    await _assert_nothing_to_repair(hass)


@pytest.mark.parametrize(
    ("kind", "mean", "total"), [("rain", None, 0.0), ("wind_direction", 300.0, None)]
)
async def test_another_form_of_statistics(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
    kind: str,
    mean: float | None,
    total: float | None,
) -> None:
    """A mean cannot become a total or the mean of an angle: the statistics start over."""
    await _report_for_an_hour(hass, get, freezer, "300")
    await _choose(hass, station, kind=kind)
    assert await _metadata(hass) == {} or not await _statistics(
        hass, f"sensor.outdoor_{kind}"
    )
    for _ in range(2):
        await _report_for_an_hour(hass, get, freezer, "300")

    hours = await _statistics(hass, f"sensor.outdoor_{kind}")
    assert [(row.get("mean"), row.get("sum")) for row in hours] == [
        (None if mean is None else pytest.approx(mean), total)
    ] * 2
    await _assert_nothing_to_repair(hass)


async def test_two_swap(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Two fields whose kinds are swapped keep their own hours."""
    swapped = [
        {"1": {"kind": "temperature"}, "2": {"kind": "humidity"}},
        {"1": {"kind": "humidity"}, "2": {"kind": "temperature"}},
    ]
    for fields in swapped:
        hass.config_entries.async_update_entry(station, options={"fields": fields})
        await hass.config_entries.async_reload(station.entry_id)
        await get(legacy_url("20", field="2"))
        await _report_for_an_hour(hass, get, freezer, "48")

    assert entity_id(hass, "1") == "sensor.outdoor_humidity"
    assert entity_id(hass, "2") == "sensor.outdoor_temperature"
    humidity = await _statistics(hass, "sensor.outdoor_humidity")
    temperature = await _statistics(hass, "sensor.outdoor_temperature")
    assert [row["mean"] for row in humidity] == [48.0, 48.0]
    assert [row["mean"] for row in temperature] == [20.0, 20.0]
    await _assert_nothing_to_repair(hass)
