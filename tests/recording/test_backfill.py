"""Readings of the past: rows at their times, and statistics as if heard at once."""

from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
import logging
from pathlib import Path
from random import Random
import sqlite3
from time import monotonic
from typing import Any
from unittest.mock import DEFAULT, patch

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.esp_weather.recording import backfill
from homeassistant.components.recorder import Recorder
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from tests.helpers import PassTime, connectivity, state_of, station_entry
from tests.signed_station import INDOOR, SignedStation, reading

START = datetime(2026, 11, 24, 11, 57, tzinfo=UTC)

type Select = Callable[[str, tuple[Any, ...]], Awaitable[list[tuple[Any, ...]]]]


@pytest.fixture
def persistent_database() -> bool:
    """Have the recorder write to a file."""
    return True


@pytest.fixture
def mock_recorder_before_hass(async_test_recorder: Any) -> None:
    """Prepare the recorder before Home Assistant."""


@pytest.fixture(autouse=True)
def _start(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(START)


@pytest.fixture
def signed(
    recorder_mock: Recorder, station: MockConfigEntry, client: TestClient[Any, Any]
) -> SignedStation:
    """Return a station that signs its reports."""
    return SignedStation(client)


@pytest.fixture
def select(
    hass: HomeAssistant, recorder_mock: Recorder, recorder_db_url: str
) -> Select:
    """Return a function that asks the database when everything is written."""

    async def _select(sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        await async_wait_recording_done(hass)
        database = Path(recorder_db_url.removeprefix("sqlite:///"))
        with closing(sqlite3.connect(database)) as connection:
            return connection.execute(sql, parameters).fetchall()

    return _select


SENSOR = "sensor.outdoor_temperature"
STATES = (
    """SELECT state, last_updated_ts - ? FROM states JOIN states_meta USING (metadata_id)
    WHERE states_meta.entity_id = ? ORDER BY last_updated_ts""",
    (START.timestamp(), SENSOR),
)
SHORT_TERM, HOURLY = (
    f"""SELECT start_ts, mean, min, max, unit_of_measurement, unit_class
    FROM {table} JOIN statistics_meta ON metadata_id = statistics_meta.id
    WHERE statistic_id = ? ORDER BY start_ts"""  # noqa: S608 - not from outside
    for table in ("statistics_short_term", "statistics")
)


async def _statistics(select: Select, entity_id: str) -> list[list[tuple[Any, ...]]]:
    """Return the statistics of 5 minutes and of an hour, with their unit."""
    return [await select(sql, (entity_id,)) for sql in (SHORT_TERM, HOURLY)]


async def test_rows(
    hass: HomeAssistant, signed: SignedStation, select: Select, pass_time: PassTime
) -> None:
    """Each reading is a row at its time; only the newest one is a state, ever."""
    await signed.report(reading(20))
    await pass_time(60)
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    await pass_time(1)

    ages = [3000, 59.5, 600, 2.25, 1800]
    answer = await signed.report(*(reading(age / 100, age) for age in ages))

    assert answer.status == HTTPStatus.OK
    assert [
        state.state
        for event in changes
        if event.data["entity_id"] == SENSOR and (state := event.data["new_state"])
    ] == ["0.0225"]
    assert await select(*STATES) == [
        ("20.0", 0),
        ("30.0", 3660 - 3000),
        ("18.0", 3660 - 1800),
        ("6.0", 3660 - 600),
        # When Home Assistant noticed that it heard nothing any more
        ("unavailable", 3600),
        ("0.595", 3660 - 59.5),
        ("0.0225", 3660 - 2.25),
    ]


async def test_statistics(
    hass: HomeAssistant,
    signed: SignedStation,
    client: TestClient[Any, Any],
    select: Select,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A station that was not heard has the statistics of one that was.

    Field 2 of it was never heard before. The recorder compiles the last periods
    after the readings have come, all others before.
    """
    other = station_entry(INDOOR.mac, "Indoor")
    other.add_to_hass(hass)
    await hass.config_entries.async_setup(other.entry_id)
    heard = SignedStation(client, INDOOR)
    await heard.report(reading(20))
    await signed.report(reading(20))

    values = Random(1)
    measured: list[tuple[float, dict[str, Any]]] = []
    for minute in range(1, 3 * 60 + 30):
        freezer.tick(60)
        for number in 1, 2:
            new = reading(round(values.uniform(-20, 20), 2), field=number)
            measured.append((monotonic(), new))
            await heard.report(new)
        if minute == 3 * 60:
            answer = await signed.report(
                *(each | {"age": monotonic() - then} for then, each in measured)
            )
            assert answer.status == HTTPStatus.OK
            measured.clear()
        elif minute > 3 * 60:
            await signed.report(*(each for _, each in measured))
            measured.clear()
        if (START + timedelta(minutes=minute)).minute % 5 == 0:
            do_adhoc_statistics(hass)

    for name in ("temperature", "temperature_2"):
        expected = await _statistics(select, f"sensor.indoor_{name}")
        assert [len(table) for table in expected] == [42, 4]
        assert await _statistics(select, f"sensor.outdoor_{name}") == [
            [pytest.approx(row, rel=1e-9) for row in table] for table in expected
        ]


async def test_answer_lost(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A report that is sent again, for want of an answer, is stored once."""
    await signed.report(reading(20))
    freezer.tick(600)
    nonce = signed.nonce
    measured = [(21, 540), (21, 536), (21, 480), (21, 0.5)]
    await signed.report(*(reading(*each) for each in measured))

    # The answer did not arrive: the old nonce is used. This time the report is
    # one second slower, and there are new readings in it.
    signed.nonce = nonce
    freezer.tick(61)
    measured = [*((value, age + 60) for value, age in measured), (21, 30), (21, 28)]
    answer = await signed.report(*(reading(*each) for each in [*measured, (21, 0.5)]))

    assert answer.status == HTTPStatus.OK
    expected = [
        ("20.0", 0),
        *(("21.0", time) for time in (60, 64, 120, 599.5, 631, 633, 660.5)),
    ]
    assert await select(*STATES) == expected

    # The same again without a new one: nothing changes, but it was heard.
    signed.nonce = nonce
    freezer.tick(1)
    await signed.report(reading(21, 1.5))
    assert await select(*STATES) == expected

    # With an answer, equal readings in short order are two.
    await signed.report(reading(21, 0.25))
    assert await select(*STATES) == [*expected, ("21.0", 661.75)]


async def test_newer_state(
    hass: HomeAssistant, signed: SignedStation, select: Select, pass_time: PassTime
) -> None:
    """A reading from before the state was written has its own row nevertheless."""
    await signed.report(reading(20))
    await pass_time(15)
    assert state_of(hass, "1") == STATE_UNAVAILABLE

    await signed.report(reading(21, 90), reading(22, 10))

    assert state_of(hass, "1") == "22.0"
    assert await select(*STATES) == [
        ("20.0", 0),
        ("21.0", 810),
        ("22.0", 890),
        ("unavailable", 900),
        ("22.0", 900),
    ]


async def test_first_report(
    hass: HomeAssistant, signed: SignedStation, select: Select
) -> None:
    """The first report of a field may bring readings of the past, too."""
    await signed.report(reading(20, 7200), reading(21, 60))
    # Two of the same time
    await signed.report(reading(30, field=2), reading(31, field=2))

    assert state_of(hass, "1") == "21.0"
    assert await select(*STATES) == [("20.0", -7200), ("21.0", -60), ("21.0", 0)]
    assert state_of(hass, "2") == "31.0"
    sql, (start, _) = STATES
    rows = await select(sql, (start, "sensor.outdoor_temperature_2"))
    assert sorted(rows) == [("30.0", 0), ("31.0", 0)]


@pytest.mark.parametrize("known", [True, False])
async def test_only_old_readings(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    pass_time: PassTime,
    known: bool,
) -> None:
    """A reading that is older than the silence timeout is no state any more."""
    if known:
        await signed.report(reading(20))
        await pass_time(60)
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)

    await signed.report(reading(21, 1800), reading(22, 900))
    await pass_time(0)

    assert state_of(hass, "1") == STATE_UNAVAILABLE
    assert connectivity(hass) == "on"
    assert [
        state.state
        for event in changes
        if event.data["entity_id"] == SENSOR and (state := event.data["new_state"])
    ] == ([] if known else [STATE_UNAVAILABLE])
    now = 3600 if known else 0
    rows = await select(*STATES)
    assert ("21.0", now - 1800) in rows
    assert ("22.0", now - 900) in rows

    # One that is older than the state does not take its place, either.
    await signed.report(reading(23, 1))
    await signed.report(reading(24, 600))
    assert state_of(hass, "1") == "23.0"
    assert ("24.0", now - 600) in await select(*STATES)


@pytest.mark.parametrize("unit", ["°F", "K"])
async def test_unit_of_the_user(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    entity_registry: er.EntityRegistry,
    unit: str,
) -> None:
    """Rows have the unit of the state, statistics the one that they began with."""
    await signed.report(reading(20))
    freezer.tick(180)
    do_adhoc_statistics(hass)
    await async_wait_recording_done(hass)
    entity_registry.async_update_entity_options(
        SENSOR, "sensor", {"unit_of_measurement": unit}
    )
    freezer.tick(3600 + 180)
    do_adhoc_statistics(hass)
    await async_wait_recording_done(hass)

    await signed.report(reading(10, 360), reading(30, 60), reading(25))

    rows = await select(*STATES)
    old, new = ("50.0", "86.0") if unit == "°F" else ("283.15", "303.15")
    assert (old, 3960 - 360) in rows
    assert (new, 3960 - 60) in rows
    short_term, _ = await _statistics(select, SENSOR)
    # 20 °C from 12:55 to 12:57, 10 °C from there to 13:00
    assert [pytest.approx(value) for value in (14, 10, 20)] == list(short_term[-1][1:4])
    assert short_term[-1][4:] == ("°C", "temperature")


@pytest.mark.parametrize("purged", [True, False])
async def test_other_quantity(
    hass: HomeAssistant,
    signed: SignedStation,
    station: MockConfigEntry,
    select: Select,
    freezer: FrozenDateTimeFactory,
    purged: bool,
) -> None:
    """A field whose kind was wrong goes on in its statistics, in the right unit."""
    await signed.report(reading(20))
    freezer.tick(300)
    do_adhoc_statistics(hass)
    if purged:
        await _purge(hass)
    await async_wait_recording_done(hass)
    # An ID that the user has given stays when the kind changes.
    er.async_get(hass).async_update_entity(SENSOR, name="Sky")
    hass.config_entries.async_update_entry(
        station, options={"fields": {"1": {"kind": "illuminance"}}}
    )
    await hass.config_entries.async_reload(station.entry_id)
    for _ in range(13):
        freezer.tick(300)
        do_adhoc_statistics(hass)

    await signed.report(reading(5000, 3900), reading(5000, 600), reading(5000))

    assert ("5000.0", 4200 - 600) in await select(*STATES)
    short_term, hourly = await _statistics(select, SENSOR)
    assert {row[4:] for row in [*short_term, *hourly]} == {("lx", None)}
    assert [row[1] for row in short_term[1:]] == [pytest.approx(5000)] * 13


@pytest.mark.parametrize("recorder_config", [{"exclude": {"entities": [SENSOR]}}])
async def test_not_recorded(
    hass: HomeAssistant, signed: SignedStation, select: Select
) -> None:
    """Nothing is recorded of an entity that the user has excluded."""
    await signed.report(reading(20, 60), reading(21))

    assert state_of(hass, "1") == "21.0"
    assert await select(*STATES) == []


async def _purge(hass: HomeAssistant) -> None:
    await hass.services.async_call(
        "recorder",
        "purge_entities",
        {"entity_id": SENSOR, "keep_days": 0},
        blocking=True,
    )


async def test_all_purged(
    hass: HomeAssistant, signed: SignedStation, select: Select, pass_time: PassTime
) -> None:
    """What comes later is recorded even if the user has deleted all that there was."""
    await signed.report(reading(20))
    await pass_time(1)
    await _purge(hass)
    assert await select(*STATES) == []

    answer = await signed.report(reading(21, 3600))

    assert answer.status == HTTPStatus.OK
    assert await select(*STATES) == [("21.0", 60 - 3600)]


@pytest.mark.parametrize("pause", [0, 1])
async def test_purged_meanwhile(
    hass: HomeAssistant,
    signed: SignedStation,
    recorder_mock: Recorder,
    select: Select,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    pause: float,
) -> None:
    """Statistics stay as they are if states are deleted before they are corrected.

    Without a pause the newest state is not old enough to be deleted.
    """
    await signed.report(reading(20))
    freezer.tick(480)
    do_adhoc_statistics(hass)
    before = await _statistics(select, SENSOR)
    await recorder_mock.lock_database()
    await signed.report(reading(30, 400), reading(31))
    freezer.tick(pause)
    await _purge(hass)
    recorder_mock.unlock_database()

    assert await _statistics(select, SENSOR) == before
    errors = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert not [each for each in errors if "recorder" in each.name]


async def test_recorder_disabled(
    hass: HomeAssistant, signed: SignedStation, select: Select
) -> None:
    """Nothing is recorded while the user has stopped the recorder."""
    await signed.report(reading(20))
    await async_wait_recording_done(hass)
    await hass.services.async_call("recorder", "disable", blocking=True)
    await signed.report(reading(21, 60), reading(22))

    assert await select(*STATES) == [("20.0", 0)]


async def test_database_busy(
    hass: HomeAssistant, signed: SignedStation, select: Select
) -> None:
    """What the recorder says has to be tried again is."""
    with patch.object(
        backfill,
        "_correct_statistics",
        side_effect=[False, DEFAULT],
        wraps=backfill._correct_statistics,
    ) as tried:
        await signed.report(reading(20, 60), reading(21))
        await async_wait_recording_done(hass)
        await async_wait_recording_done(hass)

    assert tried.call_count == 2


@pytest.mark.parametrize("recorder_config", [{"purge_keep_days": 1}])
async def test_older_than_is_kept(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Statistics of a time whose states are gone stay as they are."""
    await signed.report(reading(20))
    freezer.tick(480)
    do_adhoc_statistics(hass)

    await signed.report(reading(30, 2 * 24 * 3600), reading(30, 400), reading(30))

    assert len(await select(*STATES)) == 4
    short_term, _ = await _statistics(select, SENSOR)
    assert short_term[0][0] == datetime(2026, 11, 23, 13, tzinfo=UTC).timestamp()
