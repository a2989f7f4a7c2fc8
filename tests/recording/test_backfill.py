"""Backfill: rows with their own times, and statistics as if reported in time."""

from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from http import HTTPStatus
import json
import logging
from pathlib import Path
from random import Random
import sqlite3
from time import monotonic, sleep
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

from custom_components.esp_weather.const import DOMAIN
from custom_components.esp_weather.data import DATA
from custom_components.esp_weather.protocol.identity import reading_id
from custom_components.esp_weather.recording import (
    backfill,
    corrections,
    durable_store,
    journal,
    recorder_internals,
    statistics,
)
from custom_components.esp_weather.recording.entry import Entry
from custom_components.esp_weather.recording.journal import Journal
from homeassistant.components.recorder import Recorder
from homeassistant.const import (
    EVENT_HOMEASSISTANT_STOP,
    EVENT_STATE_CHANGED,
    STATE_UNAVAILABLE,
)
from homeassistant.core import (
    CoreState,
    Event,
    EventStateChangedData,
    HomeAssistant,
    callback,
)
from homeassistant.core_config import DATA_CUSTOMIZE
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.entity_values import EntityValues
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.util.file import WriteError
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM
from tests.helpers import OUTDOOR, PassTime, connectivity, state_of, station_entry
from tests.signed_station import INDOOR, SignedStation, reading

from .helpers import START, Select, async_recorded


@pytest.fixture(autouse=True)
def _start(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(START)


@pytest.fixture
def signed(
    recorder_mock: Recorder, station: MockConfigEntry, client: TestClient[Any, Any]
) -> SignedStation:
    """Return a station that signs its reports."""
    return SignedStation(client)


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
        # When the inactivity timeout made the sensor unavailable
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
    """A station whose readings are backfilled has the statistics of one that was online.

    Its field 2 never reported before. The recorder compiles the last periods
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
    await signed.report(reading(20), stream="0a1b2c3d", first=1)
    freezer.tick(600)
    measured = [(21, 540), (21, 536), (21, 480), (21, 0.5)]
    answer = await signed.report(
        *(reading(*each) for each in measured), stream="0a1b2c3d", first=2
    )
    assert answer.status == HTTPStatus.OK

    # One second slower, with readings that are new
    freezer.tick(61)
    measured = [*((value, age + 60) for value, age in measured), (21, 30), (21, 28)]
    answer = await signed.report(
        *(reading(*each) for each in [*measured, (21, 0.5)]),
        stream="0a1b2c3d",
        first=2,
    )

    assert answer.content["taken"] == 7
    expected = [
        ("20.0", 0),
        *(("21.0", time) for time in (60, 64, 120, 599.5, 631, 633, 660.5)),
    ]
    assert await select(*STATES) == expected

    # The same report without a new reading changes nothing, but counts as activity.
    freezer.tick(1)
    await signed.report(reading(21, 1.5), stream="0a1b2c3d", first=8)
    assert await select(*STATES) == expected

    # Equal readings in short order are two.
    await signed.report(reading(21, 0.25), stream="0a1b2c3d", first=9)
    assert await select(*STATES) == [*expected, ("21.0", 661.75)]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("stream", ["0a1b2c3d", None])
async def test_clock_is_set_back(
    hass: HomeAssistant,
    signed: SignedStation,
    station: MockConfigEntry,
    select: Select,
    freezer: FrozenDateTimeFactory,
    stream: str | None,
    restarted: bool,
) -> None:
    """After the clock is set back, each reading has its row, in order of numbers."""

    async def report(number: int, value: float) -> None:
        numbers = {} if stream is None else {"stream": stream, "first": number}
        answer = await signed.report(reading(value, 0.5), **numbers)
        assert answer.status == HTTPStatus.OK

    await report(1, 20)
    freezer.tick(60)
    await report(2, 21)
    freezer.tick(-3600)
    if restarted:
        await hass.config_entries.async_reload(station.entry_id)
    for number in range(3, 7):
        await report(number, 20 + number)
        assert state_of(hass, "1") == f"{20 + number}.0"
        freezer.tick(60)
    if stream is not None:
        # It was measured before.
        await report(2, 21)
        assert state_of(hass, "1") == "26.0"
        # The freezer has set the timers back as well.
        freezer.tick(7200)
        identities = "SELECT state FROM states WHERE context_id_bin = ?"
        for number, value in enumerate((20, 21, 23, 24, 25, 26), start=1):
            identity = reading_id(OUTDOOR, stream, number)
            assert await select(identities, (identity,)) == [(f"{value}.0",)]


async def test_old_readings_of_a_new_stream(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Between streams the time decides: what is older than the state is history."""
    await signed.report(reading(20), stream="0a1b2c3d", first=1)
    freezer.tick(60)
    await signed.report(reading(21), stream="0a1b2c3d", first=2)
    freezer.tick(7)
    await signed.report(reading(30, 50), reading(31, 40), stream="4e5f6a7b", first=1)

    assert state_of(hass, "1") == "21.0"
    assert await select(*STATES) == [
        *(("20.0", 0), ("30.0", 17), ("31.0", 27), ("21.0", 60)),
    ]


async def test_unit_system_switched(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    entity_registry: er.EntityRegistry,
) -> None:
    """A past reading alone has the unit that the entity has had since the switch."""
    entity_registry.async_get_or_create(
        "sensor", DOMAIN, f"{OUTDOOR}_1", suggested_object_id="outdoor_temperature"
    )
    entity_registry.async_update_entity_options(
        SENSOR, "sensor", {"unit_of_measurement": "°F"}
    )
    await signed.report(reading(20))
    for minutes in 3, 57:
        freezer.tick(timedelta(minutes=minutes))
        do_adhoc_statistics(hass)
        await async_wait_recording_done(hass)
    hass.config.units = US_CUSTOMARY_SYSTEM

    await signed.report(reading(19, 1800))

    rows = await select(*STATES)
    assert (rows[0], rows[1]) == (("68.0", 0), ("66.2", 1800))
    short_term, _ = await _statistics(select, SENSOR)
    means = [(mean, unit) for _, mean, _, _, unit, _ in short_term]
    assert means == [
        (pytest.approx(mean), "°F") for mean in (68, 66.2, 66.2, 66.2, 66.2, 68)
    ]


async def test_newer_state(
    hass: HomeAssistant, signed: SignedStation, select: Select, pass_time: PassTime
) -> None:
    """A reading that is older than the state has a row of its own."""
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
    """The first report of a field may contain readings of the past."""
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
    """A reading that is older than the inactivity timeout does not become the state."""
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

    # Neither does one that is older than the state.
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
    """Rows have the unit of the state, statistics keep the unit they started with."""
    await signed.report(reading(20))
    freezer.tick(180)
    do_adhoc_statistics(hass)
    await async_wait_recording_done(hass)
    entity_registry.async_update_entity_options(
        SENSOR, "sensor", {"unit_of_measurement": unit}
    )
    freezer.tick(3300)
    await signed.report(reading(20))
    freezer.tick(480)
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


async def test_unit_system_changed(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Past readings have the unit that Home Assistant shows when they arrive."""
    await signed.report(reading(20))
    await async_recorded(hass)
    freezer.tick(60)
    hass.config.units = US_CUSTOMARY_SYSTEM
    # Older than the state
    await signed.report(reading(10, 120))

    assert state_of(hass, "1") == "68.0"
    assert (await select(*STATES))[:2] == [("50.0", 60 - 120), ("20.0", 0)]


async def test_no_statistics(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A sensor whose state class the user has removed has rows but no statistics."""
    hass.data[DATA_CUSTOMIZE] = EntityValues(exact={SENSOR: {"state_class": "none"}})
    await signed.report(reading(20))
    freezer.tick(480)
    do_adhoc_statistics(hass)
    await signed.report(reading(30, 400), reading(21))

    assert ("30.0", 80) in await select(*STATES)
    assert await _statistics(select, SENSOR) == [[], []]


@pytest.mark.parametrize("moved", [False, True])
async def test_nothing_compiled_yet(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    recorder_db_url: str,
    moved: bool,
) -> None:
    """Periods that are not compiled yet are left to the recorder."""
    await signed.report(reading(20))
    await async_recorded(hass)
    if moved:
        # The recorder stores when it created the database; other programs move states.
        file = Path(recorder_db_url.removeprefix("sqlite:///"))
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("DELETE FROM statistics_runs")
    freezer.tick(240)
    await signed.report(reading(30, 230), reading(21))
    assert await _statistics(select, SENSOR) == [[], []]

    freezer.tick(60)
    do_adhoc_statistics(hass)
    short_term, _ = await _statistics(select, SENSOR)
    assert [row[2:4] for row in short_term] == [(20, 30)]


@pytest.mark.parametrize("purged", [True, False])
async def test_other_quantity(
    hass: HomeAssistant,
    signed: SignedStation,
    station: MockConfigEntry,
    select: Select,
    freezer: FrozenDateTimeFactory,
    purged: bool,
) -> None:
    """A field whose kind was wrong continues its statistics in the right unit."""
    await signed.report(reading(20))
    freezer.tick(300)
    do_adhoc_statistics(hass)
    if purged:
        await _purge(hass)
    await async_wait_recording_done(hass)
    # An ID that the user has set stays when the kind changes.
    er.async_get(hass).async_update_entity(SENSOR, name="Sky")
    hass.config_entries.async_update_entry(
        station, options={"fields": {"1": {"kind": "illuminance"}}}
    )
    await hass.config_entries.async_reload(station.entry_id)
    for _ in range(13):
        freezer.tick(300)
        do_adhoc_statistics(hass)

    ages = range(3900, -1, -600)
    await signed.report(*(reading(5000, age) for age in ages), reading(5000))

    assert ("5000.0", 4200 - 300) in await select(*STATES)
    short_term, hourly = await _statistics(select, SENSOR)
    assert {row[4:] for row in [*short_term, *hourly]} == {("lx", None)}
    assert [row[1] for row in short_term[1:]] == [pytest.approx(5000)] * 13


@pytest.mark.parametrize("recorder_config", [{"exclude": {"entities": [SENSOR]}}])
async def test_not_recorded(
    hass: HomeAssistant, signed: SignedStation, select: Select
) -> None:
    """Readings of an entity that the user has excluded are not recorded."""
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
    """Readings are recorded even after the user has purged everything."""
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

    after = await _statistics(select, SENSOR)
    # A row that was added after the purge is still there, and corrects them.
    assert after == before or ("30.0", 80) in await select(*STATES)
    errors = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert not [each for each in errors if "recorder" in each.name]


async def test_recorder_disabled(
    hass: HomeAssistant, signed: SignedStation, select: Select
) -> None:
    """Nothing is recorded while the user has disabled the recorder."""
    await signed.report(reading(20))
    await async_wait_recording_done(hass)
    await hass.services.async_call("recorder", "disable", blocking=True)
    await signed.report(reading(21, 60), reading(22))

    assert await select(*STATES) == [("20.0", 0)]


async def test_database_busy(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A database operation that the recorder wants retried is retried."""
    monkeypatch.setattr(corrections, "_TRY_AGAIN", 0)
    await signed.report(reading(20))
    freezer.tick(480)
    do_adhoc_statistics(hass)
    with patch.object(
        statistics,
        "import_statistics",
        side_effect=[False, DEFAULT, DEFAULT],
        wraps=recorder_internals.import_statistics,
    ) as tried:
        await signed.report(reading(30, 400), reading(21))
        await select(*STATES)

    assert tried.call_count == 3
    short_term, _ = await _statistics(select, SENSOR)
    assert short_term[0][3] == 30


@pytest.mark.parametrize("recorder_config", [{"purge_keep_days": 1}])
async def test_older_than_is_kept(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A reading that would be purged the next night is refused, with the reason."""
    await signed.report(reading(20), stream="0a1b2c3d", first=1)
    freezer.tick(480)
    answer = await signed.report(
        reading(30, 2 * 24 * 3600),
        reading(30, 400),
        reading(30),
        stream="0a1b2c3d",
        first=2,
    )

    content = answer.content
    assert content["taken"] == 2
    (refused,) = content["refused"]
    assert refused["number"] == 2
    assert "1 day" in refused["message"]
    assert len(await select(*STATES)) == 3


@pytest.mark.parametrize(
    "recorder_config", [{"purge_keep_days": 1, "auto_purge": False}]
)
async def test_all_kept(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Where nothing is deleted, readings of any age are taken, statistics included."""
    do_adhoc_statistics(hass)
    await async_recorded(hass)
    freezer.tick(3 * 24 * 3600)
    await signed.report(reading(20))
    do_adhoc_statistics(hass)
    age = 3 * 24 * 3600 - 240
    assert (await signed.report(reading(30, age))).content["taken"] == 1

    assert ("30.0", 240) in await select(*STATES)
    short_term, _ = await _statistics(select, SENSOR)
    assert [row[0] - START.timestamp() for row in short_term][0] == 180


async def test_late(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The newest reading may be from a period that the recorder has compiled."""
    await signed.report(reading(20))
    freezer.tick(480)
    do_adhoc_statistics(hass)
    await async_wait_recording_done(hass)
    await signed.report(reading(30, 400))
    await hass.data[DATA].journal._async_check()

    assert await select(*STATES) == [("20.0", 0), ("30.0", 80)]
    short_term, _ = await _statistics(select, SENSOR)
    # 12:55 to 13:00, from the first reading on: 20 °C for 80 s, 30 °C for 100 s
    assert short_term[0][1:4] == (pytest.approx(4600 / 180), 20, 30)


async def test_late_and_killed(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    """What a late state changes is on the disk before Home Assistant can write its row."""
    await signed.report(reading(20), reading(20, field=2))
    freezer.tick(480)
    do_adhoc_statistics(hass)
    await async_wait_recording_done(hass)
    noted: list[list[dict[str, Any]]] = []

    @callback
    def _changed(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == SENSOR:
            noted.append(_notes(hass))

    hass.bus.async_listen(EVENT_STATE_CHANGED, _changed)
    with patch.object(corrections.Corrections, "async_start"):
        # The second one is of the present period.
        await signed.report(reading(30, 400), reading(21, 60, field=2))
        await async_recorded(hass)

    ((note,),) = noted
    assert note["entity_id"] == SENSOR
    assert note["periods"] == [[(period := int(START.timestamp()) // 300), period]]
    await _restart(hass, hass_storage)
    short_term, _ = await _statistics(select, SENSOR)
    assert short_term[0][3] == 30


async def test_note_cannot_be_written(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    issue_registry: ir.IssueRegistry,
) -> None:
    """Rows whose statistics cannot be noted wait, and so do further reports."""
    await signed.report(reading(20))
    freezer.tick(480)
    do_adhoc_statistics(hass)
    await async_wait_recording_done(hass)
    with patch.object(durable_store, "save_json", side_effect=WriteError("full")):
        # It would be a state at once.
        answer = await signed.report(reading(25, 420))
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        assert state_of(hass, "1") == "20.0"

        answer = await signed.report(reading(30, 400), reading(21))
        assert answer.status == HTTPStatus.OK
        assert await select(*STATES) == [("20.0", 0), ("21.0", 480)]
        assert issue_registry.async_get_issue(DOMAIN, "recorder_failed")
        answer = await signed.report(reading(22))
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE

    await hass.data[DATA].journal._async_check()
    assert await select(*STATES) == [("20.0", 0), ("30.0", 80), ("21.0", 480)]
    short_term, _ = await _statistics(select, SENSOR)
    assert short_term[0][3] == 30
    assert not issue_registry.async_get_issue(DOMAIN, "recorder_failed")


async def test_unloaded_while_noted(
    hass: HomeAssistant,
    signed: SignedStation,
    station: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A late reading whose station is unloaded while it is noted is sent again."""
    await signed.report(reading(20), stream="0a1b2c3d", first=1)
    freezer.tick(480)

    async def _reload(_: object) -> bool:
        await hass.config_entries.async_reload(station.entry_id)
        return True

    with patch.object(corrections.Corrections, "async_announce", side_effect=_reload):
        answer = await signed.report(reading(30, 400), stream="0a1b2c3d", first=2)
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert state_of(hass, "1") == "20.0"

    answer = await signed.report(reading(30, 400), stream="0a1b2c3d", first=2)
    assert answer.status == HTTPStatus.OK
    assert state_of(hass, "1") == "30.0"


async def test_not_measured(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A reading before an outage adds no statistics to the time of the outage."""
    await signed.report(reading(20))
    for _ in range(3 * 12):
        freezer.tick(300)
        do_adhoc_statistics(hass)
    before = await _statistics(select, SENSOR)

    # After 30 minutes; it counts for a quarter of an hour.
    await signed.report(reading(50, 9000))

    short_term, hourly = await _statistics(select, SENSOR)
    new = [row for row in short_term if row not in before[0]]
    assert [row[0] - START.timestamp() for row in new] == [1680, 1980, 2280, 2580]
    assert [row[1] for row in new] == [50] * 4
    assert [row[3] for row in hourly if row not in before[1]] == [50]


@pytest.mark.parametrize("first", [15, -1], ids=["known", "never heard before"])
@pytest.mark.parametrize("options", [{"fields": {"1": {"kind": "rain"}}}])
async def test_meter(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    client: TestClient[Any, Any],
    freezer: FrozenDateTimeFactory,
    options: dict[str, Any],
    first: int,
) -> None:
    """The sum of a backfilled meter is that of one that was online, reset included."""
    other = station_entry(INDOOR.mac, "Indoor", options=options)
    other.add_to_hass(hass)
    await hass.config_entries.async_setup(other.entry_id)
    heard = SignedStation(client, INDOOR)
    late: list[tuple[float, float]] = []
    for minute in range(3 * 60):
        value = float(minute % 100)
        await heard.report(reading(value))
        if first < minute < 150:
            late.append((monotonic(), value))
        else:
            await signed.report(reading(value))
        freezer.tick(60)
        if (START + timedelta(minutes=minute + 1)).minute % 5 == 0:
            do_adhoc_statistics(hass)
    await signed.report(*(reading(value, monotonic() - then) for then, value in late))

    for table in "statistics_short_term", "statistics":
        sql = f"""SELECT start_ts, state, sum
            FROM {table} JOIN statistics_meta ON metadata_id = statistics_meta.id
            WHERE statistic_id = ? ORDER BY start_ts"""  # noqa: S608
        expected = await select(sql, ("sensor.indoor_rain",))
        assert expected
        assert await select(sql, ("sensor.outdoor_rain",)) == expected


@pytest.mark.parametrize("options", [{"fields": {"1": {"kind": "rain"}}}])
async def test_meter_at_once(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    options: dict[str, Any],
) -> None:
    """The first report of a meter may contain hours that are already compiled."""
    freezer.tick(3600)
    do_adhoc_statistics(hass)
    await signed.report(
        *(reading(value, 3600 - 600 * value) for value in range(6)), reading(6)
    )

    short_term, hourly = [
        await select(
            f"""SELECT start_ts - ?, state, sum
            FROM {table} JOIN statistics_meta ON metadata_id = statistics_meta.id
            WHERE statistic_id = ? ORDER BY start_ts""",  # noqa: S608
            (START.timestamp(), "sensor.outdoor_rain"),
        )
        for table in ("statistics_short_term", "statistics")
    ]
    # Each stands until the next: 11:55 to 12:55, with 0 as the zero point
    assert short_term == [
        (300 * period - 120, value, value)
        for period, value in enumerate([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
    ]
    assert hourly == [(-57 * 60, 0, 0)]


@pytest.mark.parametrize("options", [{"fields": {"1": {"kind": "rain"}}}])
async def test_meter_not_heard(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    pass_time: PassTime,
    options: dict[str, Any],
) -> None:
    """An unavailable meter has no statistics, and its sum continues afterwards."""
    sums = (
        """SELECT start_ts - ?, state, sum
        FROM statistics_short_term JOIN statistics_meta
        ON metadata_id = statistics_meta.id WHERE statistic_id = ? ORDER BY start_ts""",
        (START.timestamp(), "sensor.outdoor_rain"),
    )
    for value in (1, None, None, None, None, None, None, None, 4, 4):
        if value is not None:
            await signed.report(reading(value))
        await pass_time(5)
        do_adhoc_statistics(hass)
    before = await select(*sums)

    await signed.report(reading(2, 45 * 60 + 30))

    after = await select(*sums)
    assert [row[0] for row in after] == [row[0] for row in before]
    assert after[-1] == before[-1]
    assert {row[1:] for row in after} >= {(2, 1), (4, 3)}


async def _interrupted(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Record past rows whose corrections are announced but not made."""
    await signed.report(reading(20))
    freezer.tick(480)
    do_adhoc_statistics(hass)
    with patch.object(corrections.Corrections, "async_start"):
        await signed.report(reading(30, 400), reading(21))
        assert ("30.0", 80) in await select(*STATES)


_NOTES = "esp_weather.statistics"


def _notes_file(hass: HomeAssistant) -> Path:
    return Path(hass.config.path(STORAGE_DIR, _NOTES))


def _notes(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return which statistics are to be corrected, as the disk has it."""
    notes: list[dict[str, Any]] = json.loads(_notes_file(hass).read_text())["data"]
    return notes


async def _all_corrected(hass: HomeAssistant) -> None:
    """Return once the disk has no notes; they are written in a thread."""
    for _ in range(2000):
        if not _notes(hass):
            return
        # The event loop's clock stands still.
        await hass.async_add_executor_job(sleep, 0.002)
    raise TimeoutError


async def _restart(hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    """Start a new journal with the announced corrections on the disk."""
    hass_storage[_NOTES] = json.loads(_notes_file(hass).read_text())
    data = hass.data[DATA]
    data.journal = Journal(hass)
    await data.journal.async_load()


@pytest.mark.parametrize("renamed", [False, True])
async def test_killed_meanwhile(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    renamed: bool,
) -> None:
    """Corrections that a kill has interrupted are made after the next start."""
    await _interrupted(hass, signed, select, freezer)
    (note,) = _notes(hass)
    assert note["entity_id"] == SENSOR
    entity_id = "sensor.garden" if renamed else SENSOR
    if renamed:
        er.async_get(hass).async_update_entity(SENSOR, new_entity_id=entity_id)
        await async_recorded(hass)

    await _restart(hass, hass_storage)

    short_term, _ = await _statistics(select, entity_id)
    assert short_term[0][3] == 30
    await _all_corrected(hass)


async def test_stop(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At a stop the rows are written, and their corrections are postponed."""
    await signed.report(reading(20))
    freezer.tick(480)
    do_adhoc_statistics(hass)
    await async_recorded(hass)
    monkeypatch.setattr(journal, "_CHECK_PAST_EVERY", 60)
    await signed.report(reading(30, 400), reading(21))
    insert = backfill.insert
    noted: list[dict[str, Any]] = []

    def _insert(recorder: Recorder, entries: Iterable[Entry]) -> bool:
        noted.extend(_notes(hass))
        return insert(recorder, entries)

    hass.set_state(CoreState.stopping)
    with patch.object(journal, "insert", _insert):
        hass.bus.async_fire_internal(EVENT_HOMEASSISTANT_STOP)
        await hass.async_block_till_done()
    # Before its row was written, on the disk: whatever happens to Home Assistant then
    assert [note["entity_id"] for note in noted] == [SENSOR]
    assert ("30.0", 80) in await select(*STATES)
    short_term, _ = await _statistics(select, SENSOR)
    assert short_term[0][3] == 20

    assert _notes(hass)
    hass.set_state(CoreState.running)
    await _restart(hass, hass_storage)
    short_term, _ = await _statistics(select, SENSOR)
    assert short_term[0][3] == 30


async def test_cannot_be_corrected(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A correction that keeps failing waits on the disk for the next start."""
    monkeypatch.setattr(corrections, "_TRY_AGAIN", 0)
    monkeypatch.setattr(corrections, "_TRIES", 2)
    await _interrupted(hass, signed, select, freezer)
    with patch.object(corrections, "correct", return_value=False):
        await _restart(hass, hass_storage)
        await async_recorded(hass)
    assert _notes(hass)

    await _restart(hass, hass_storage)
    short_term, _ = await _statistics(select, SENSOR)
    assert short_term[0][3] == 30


async def test_saved_meanwhile(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While many hours are corrected, a kill costs only what was not yet saved."""
    monkeypatch.setattr(corrections, "_SAVE_EVERY", 0)
    await signed.report(reading(20))
    freezer.tick(9 * 3600)
    do_adhoc_statistics(hass)
    noted: list[list[list[int]]] = []

    def _correct(recorder: Recorder, **work: Any) -> bool:
        (note,) = _notes(hass)
        noted.append(note["periods"])
        return statistics.correct(recorder, **work)

    with patch.object(corrections, "correct", _correct):
        await signed.report(reading(30, 8 * 3600), reading(31, 400), reading(21))
        await select(*STATES)

    both, newer = noted
    assert newer == both[1:]
    await _all_corrected(hass)


async def test_not_synced(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    """The note stays until the corrected statistics are on the disk."""
    await _interrupted(hass, signed, select, freezer)
    with patch("os.fsync", side_effect=OSError):
        await _restart(hass, hass_storage)
        await async_recorded(hass)
    assert _notes(hass)


@pytest.mark.parametrize("options", [{"fields": {"1": {"kind": "wind_direction"}}}])
async def test_direction(
    hass: HomeAssistant,
    signed: SignedStation,
    select: Select,
    freezer: FrozenDateTimeFactory,
    options: dict[str, Any],
) -> None:
    """The mean of directions around north is north."""
    entity_id = "sensor.outdoor_wind_direction"
    ages = range(3600, -1, -60)
    freezer.tick(3600)
    do_adhoc_statistics(hass)
    await signed.report(
        *(reading(350 if age % 120 else 10, age) for age in ages), reading(0)
    )
    short_term, hourly = await _statistics(select, entity_id)
    for row in [*short_term, *hourly]:
        assert min(row[1], 360 - row[1]) < 5
