"""No acknowledged reading is lost when the recorder fails.

The failure is a real one: the database is locked from outside, so that SQLite refuses
to write.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
import sqlite3
import threading
from typing import Any, override
from unittest.mock import patch

from aiohttp.test_utils import TestClient
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
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from custom_components.esp_weather.const import DOMAIN
from custom_components.esp_weather.data import DATA
from custom_components.esp_weather.protocol.identity import reading_id
from custom_components.esp_weather.recording import backfill, journal
from custom_components.esp_weather.recording.durability import DatabaseFiles
from custom_components.esp_weather.station import NotReadyError
from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.tasks import RecorderTask
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import (
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    EVENT_HOMEASSISTANT_STOP,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.recorder import session_scope
from tests.helpers import INDOOR, OUTDOOR, Get, PassTime, legacy_url, station_entry
from tests.signed_station import SignedStation, reading

from .helpers import START, async_journal_idle

SENSOR = "sensor.outdoor_temperature"
UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE

type PassSeconds = Callable[[int], Awaitable[None]]


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """Use the default commit interval, but retry at once after a failure."""
    return {"commit_interval": 5, "db_retry_wait": 0}


@pytest.fixture(autouse=True)
def _start(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(START)


class Impatient(RecorderTask):
    """Makes SQLite fail at once where it would wait for 5 s."""

    @override
    def run(self, instance: Recorder) -> None:
        with session_scope(session=instance.get_session()) as session:
            session.execute(text("PRAGMA busy_timeout = 0"))


class Failure(RecorderTask):
    """Fails as a task of another integration can."""

    commit_before = False

    @override
    def run(self, instance: Recorder) -> None:
        raise SQLAlchemyError


@dataclass
class Busy(RecorderTask):
    """Keeps the recorder busy until it is released."""

    over: threading.Event

    @override
    def run(self, instance: Recorder) -> None:
        self.over.wait()


@dataclass
class Database:
    """The recorder's database, opened by another program."""

    connection: sqlite3.Connection

    def lock(self) -> None:
        """Lock the database."""
        self.connection.execute("BEGIN EXCLUSIVE")

    def unlock(self) -> None:
        """Unlock the database."""
        self.connection.rollback()

    @property
    def rows(self) -> list[tuple[str, float]]:
        """Return the states of the sensor, and the seconds since the start."""
        return self.connection.execute(
            "SELECT state, last_updated_ts - ? FROM states"
            " JOIN states_meta USING (metadata_id) WHERE states_meta.entity_id = ?"
            " ORDER BY last_updated_ts, state_id",
            (START.timestamp(), SENSOR),
        ).fetchall()


@pytest.fixture
async def database(
    hass: HomeAssistant,
    recorder_mock: Recorder,
    station: MockConfigEntry,
    recorder_db_url: str,
) -> AsyncGenerator[Database]:
    """Return the database of a recorder that does not wait for locks."""
    recorder_mock.queue_task(Impatient())
    await async_wait_recording_done(hass)
    file = Path(recorder_db_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file)) as connection:
        yield Database(connection)


@pytest.fixture
def pass_seconds(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, recorder_mock: Recorder
) -> PassSeconds:
    """Return a function that lets seconds pass and waits for the recorder in each."""

    async def _pass_seconds(seconds: int) -> None:
        for _ in range(seconds):
            freezer.tick(1)
            async_fire_time_changed(hass)
            await hass.async_block_till_done()
            await hass.async_add_executor_job(recorder_mock.block_till_done)
            if not hass.data[DATA].journal._has_past:
                await async_journal_idle(hass)

    return _pass_seconds


@pytest.fixture
def signed(client: TestClient[Any, Any]) -> SignedStation:
    """Return the same station with a newer firmware."""
    return SignedStation(client)


def _issues(hass: HomeAssistant) -> list[str | None]:
    return [
        issue.translation_key
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN and issue.active
    ]


async def test_locked(
    hass: HomeAssistant,
    database: Database,
    get: Get,
    signed: SignedStation,
    pass_seconds: PassSeconds,
    integration_log: Callable[[], list[str]],
) -> None:
    """Readings acknowledged before the failure was noticed are recorded afterwards."""
    await get(legacy_url("20"))
    await pass_seconds(10)
    assert database.rows == [("20.0", 0)]

    database.lock()
    for value in ("21", "21", "22"):
        assert (await get(legacy_url(value))).status == HTTPStatus.OK
        await pass_seconds(1)
    past = [reading(23, 60), reading(23, 58), reading(24, 0.5)]
    assert (await signed.report(*past)).status == HTTPStatus.OK
    assert integration_log() == []
    await pass_seconds(12)

    # From now on stations have to keep their readings.
    for _ in range(2):
        assert (await get(legacy_url("25"))).status == UNAVAILABLE
        assert (await signed.report(reading(25))).status == UNAVAILABLE
        await pass_seconds(30)
    assert _issues(hass) == ["recorder_failed"]
    assert database.rows == [("20.0", 0)]

    database.unlock()
    await pass_seconds(12)
    assert _issues(hass) == []
    assert (await get(legacy_url("25"))).status == HTTPStatus.OK
    await pass_seconds(12)
    assert database.rows == [
        ("23.0", 13 - 60),
        ("23.0", 13 - 58),
        ("20.0", 0),
        ("21.0", 10),
        ("21.0", 11),
        ("22.0", 12),
        ("24.0", 12.5),
        ("25.0", 97),
    ]
    assert [message[:12] for message in integration_log()] == [
        "The recorder",
        "The recorder",
    ]


async def test_first_report(
    hass: HomeAssistant,
    database: Database,
    get: Get,
    pass_seconds: PassSeconds,
) -> None:
    """The first reading of a field, which has no metadata yet, is not lost either."""
    database.lock()
    assert (await get(legacy_url("20"))).status == HTTPStatus.OK
    await pass_seconds(30)
    assert (await get(legacy_url("21"))).status == UNAVAILABLE

    database.unlock()
    await pass_seconds(30)
    assert (await get(legacy_url("21"))).status == HTTPStatus.OK
    await pass_seconds(10)
    assert database.rows == [("20.0", 0), ("21.0", 60)]


@pytest.mark.parametrize("known", [True, False])
async def test_stop(
    hass: HomeAssistant,
    database: Database,
    get: Get,
    recorder_mock: Recorder,
    pass_seconds: PassSeconds,
    known: bool,
) -> None:
    """Nothing is lost if Home Assistant stops once the disk has room again."""
    if known:
        await get(legacy_url("20"))
    await pass_seconds(10)
    database.lock()
    await get(legacy_url("21"))
    await pass_seconds(30)

    database.unlock()
    recorder_mock.queue_task(busy := Busy(threading.Event()))
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    busy.over.set()
    await hass.async_block_till_done()
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()
    assert not recorder_mock.is_running
    assert database.rows == [("20.0", 0), ("21.0", 10)][not known :]


async def test_dropped(
    hass: HomeAssistant,
    recorder_mock: Recorder,
    database: Database,
    get: Get,
    pass_seconds: PassSeconds,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Readings that the recorder drops because of another integration are added again.

    The statistics are those that they would have been.
    """
    for value in ("20", "30", "30"):
        await get(legacy_url(value))
        await pass_seconds(6)
    await get(legacy_url("40"))
    recorder_mock.queue_task(Failure())
    await pass_seconds(1)
    await get(legacy_url("50"))
    freezer.move_to(START + timedelta(minutes=4))
    do_adhoc_statistics(hass)

    await pass_seconds(12)

    expected = [("20.0", 0), ("30.0", 6), ("30.0", 12), ("40.0", 18), ("50.0", 19)]
    assert database.rows == expected
    assert _issues(hass) == []
    ((maximum,),) = database.connection.execute("SELECT max FROM statistics_short_term")
    assert maximum == 50


async def test_renamed(
    hass: HomeAssistant, database: Database, get: Get, pass_seconds: PassSeconds
) -> None:
    """A reading follows its entity to a new ID."""
    await get(legacy_url("20"))
    await pass_seconds(10)
    await get(legacy_url("21"))
    registry = er.async_get(hass)
    registry.async_update_entity(SENSOR, new_entity_id="sensor.garden")
    await pass_seconds(10)

    assert database.connection.execute(
        "SELECT states_meta.entity_id, state FROM states"
        " JOIN states_meta USING (metadata_id)"
        " WHERE state IN ('20.0', '21.0') ORDER BY state_id"
    ).fetchall() == [
        ("sensor.garden", "20.0"),
        ("sensor.garden", "21.0"),
        # Home Assistant writes the state of the entity under its new ID.
        ("sensor.garden", "21.0"),
    ]


async def test_many(
    hass: HomeAssistant,
    database: Database,
    get: Get,
    recorder_mock: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many readings are committed before the commit interval has passed."""
    monkeypatch.setattr(journal, "_CHECK_AFTER", 5)
    values = [str(float(value)) for value in range(5)]
    for value in values[:4]:
        await get(legacy_url(value))
    await hass.async_add_executor_job(recorder_mock.block_till_done)
    assert database.rows == []

    await get(legacy_url(values[4]))
    await hass.async_block_till_done()
    await hass.async_add_executor_job(recorder_mock.block_till_done)
    assert [state for state, _ in database.rows] == values


async def test_limit(
    hass: HomeAssistant,
    database: Database,
    get: Get,
    signed: SignedStation,
    recorder_mock: Recorder,
    pass_seconds: PassSeconds,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """During a backup of the database a bounded number of readings waits."""
    monkeypatch.setattr(journal, "_LIMIT", 20)
    await recorder_mock.lock_database()
    statuses = [(await get(legacy_url(str(value)))).status for value in range(25)]
    refused = await signed.report(reading(26))
    recorder_mock.unlock_database()

    taken = statuses.count(HTTPStatus.OK)
    assert 5 < taken < 20
    assert statuses == [HTTPStatus.OK] * taken + [UNAVAILABLE] * (25 - taken)
    assert refused.status == UNAVAILABLE
    await pass_seconds(6)
    assert (await signed.report(reading(27))).status == HTTPStatus.OK
    await pass_seconds(6)
    assert [float(state) for state, _ in database.rows] == [*range(taken), 27]


async def test_recorder_has_stopped(
    hass: HomeAssistant,
    database: Database,
    get: Get,
    recorder_mock: Recorder,
    pass_time: PassTime,
) -> None:
    """Reports are refused once the recorder has stopped for lack of memory."""
    with patch.object(recorder_mock, "_reached_max_backlog", return_value=True):
        await pass_time(5)

    assert (await get(legacy_url())).status == UNAVAILABLE


async def test_stored(
    hass: HomeAssistant,
    database: Database,
    signed: SignedStation,
    pass_seconds: PassSeconds,
) -> None:
    """A reading is confirmed when its row is on the disk, and counts once."""

    async def stored(first: int, *readings: dict[str, Any]) -> int:
        answer = await signed.report(*readings, stream="9f3a1c22", first=first)
        return int(answer.content["stored"])

    assert await stored(5, reading(20), reading(21)) == 4
    await pass_seconds(12)
    assert await stored(7, reading(22)) == 6
    assert await stored(7, reading(22)) == 6
    await pass_seconds(12)
    assert await stored(8) == 7
    identity = reading_id(OUTDOOR, "9f3a1c22", 6)
    assert database.connection.execute(
        "SELECT state FROM states WHERE context_id_bin = ?", (identity,)
    ).fetchall() == [("21.0",)]
    assert sorted(state for state, _ in database.rows) == ["20.0", "21.0", "22.0"]


async def test_half_taken(
    hass: HomeAssistant,
    database: Database,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_seconds: PassSeconds,
) -> None:
    """The part of a failed report that was taken is stored once and not confirmed."""
    await signed.report(reading(20), stream="9f3a1c22", first=1)
    await pass_seconds(60)
    readings = [reading(21), reading(50, field=2), reading(22)]
    with patch.object(station.runtime_data, "_factory", side_effect=NotReadyError):
        answer = await signed.report(*readings, stream="9f3a1c22", first=2)
    assert answer.status == UNAVAILABLE
    await pass_seconds(12)
    await hass.config_entries.async_reload(station.entry_id)
    # A station may send fewer at once after that.
    answer = await signed.report(readings[0], stream="9f3a1c22", first=2)
    assert answer.content["stored"] == 2
    await signed.report(*readings, stream="9f3a1c22", first=2)
    await pass_seconds(12)
    answer = await signed.report(stream="9f3a1c22", first=5)

    assert answer.content["stored"] == 4
    rows = "SELECT count(*) FROM states WHERE context_id_bin = ?"
    for number in range(1, 5):
        identity = reading_id(OUTDOOR, "9f3a1c22", number)
        assert database.connection.execute(rows, (identity,)).fetchone() == (1,)


async def test_known_to_database(
    hass: HomeAssistant,
    database: Database,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_seconds: PassSeconds,
) -> None:
    """After a restart, the database tells which readings were taken before."""
    await signed.report(reading(20), reading(21), stream="9f3a1c22", first=1)
    await pass_seconds(12)
    hass.data[DATA].journal._stations.clear()
    await hass.config_entries.async_reload(station.entry_id)

    async with hass.data[DATA].journal._syncing:
        answer = await signed.report(
            reading(20, 12), reading(21, 12), reading(22), stream="9f3a1c22", first=1
        )
    # The kill may have come before the sync.
    assert answer.content["stored"] == 0
    await pass_seconds(12)
    answer = await signed.report(stream="9f3a1c22", first=4)
    assert answer.content["stored"] == 3

    states = [state for state, _ in database.rows]
    # The reload writes the last value once more.
    assert (states.count("20.0"), states.count("22.0")) == (1, 1)
    rows = "SELECT count(*) FROM states WHERE context_id_bin = ?"
    for number in 1, 2, 3:
        identity = reading_id(OUTDOOR, "9f3a1c22", number)
        assert database.connection.execute(rows, (identity,)).fetchone() == (1,)


async def test_station_disabled_meanwhile(
    hass: HomeAssistant,
    database: Database,
    recorder_mock: Recorder,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_seconds: PassSeconds,
) -> None:
    """A report that waits for the database while its station is disabled is not taken."""
    await signed.report(reading(20), stream="9f3a1c22", first=1)
    asked, go_on = threading.Event(), threading.Event()

    def find_slowly(*args: Any) -> set[bytes]:
        asked.set()
        assert go_on.wait(10)
        return backfill.find_known(*args)

    with patch.object(journal, "find_known", find_slowly):
        report = asyncio.create_task(
            signed.report(reading(21), stream="5b7d0e41", first=1)
        )
        await hass.async_add_executor_job(asked.wait, 10)
        await hass.config_entries.async_set_disabled_by(
            station.entry_id, ConfigEntryDisabler.USER
        )
        go_on.set()
        assert (await report).status == UNAVAILABLE

    await hass.config_entries.async_set_disabled_by(station.entry_id, None)
    answer = await signed.report(reading(21), stream="5b7d0e41", first=1)
    assert answer.status == HTTPStatus.OK
    await pass_seconds(12)
    assert "21.0" in [state for state, _ in database.rows]


async def test_database_cannot_be_asked(
    hass: HomeAssistant, database: Database, signed: SignedStation
) -> None:
    """A report that may have been taken before waits for the database to answer."""
    with patch.object(journal, "find_known", side_effect=SQLAlchemyError):
        answer = await signed.report(reading(20), stream="9f3a1c22", first=1)
    assert answer.status == UNAVAILABLE
    answer = await signed.report(reading(20), stream="9f3a1c22", first=1)
    assert answer.status == HTTPStatus.OK


async def test_disabled(
    hass: HomeAssistant, database: Database, get: Get, pass_seconds: PassSeconds
) -> None:
    """Readings that arrive while the recorder is disabled are recorded afterwards."""
    await get(legacy_url("20"))
    await pass_seconds(6)
    await hass.services.async_call("recorder", "disable", blocking=True)
    for value in "21", "22":
        assert (await get(legacy_url(value))).status == HTTPStatus.OK
        await pass_seconds(6)
    assert _issues(hass) == ["recorder_disabled"]
    assert database.rows == [("20.0", 0)]

    await hass.services.async_call("recorder", "enable", blocking=True)
    await pass_seconds(12)
    assert _issues(hass) == []
    assert database.rows == [("20.0", 0), ("21.0", 6), ("22.0", 12)]


async def test_disabled_meanwhile(
    hass: HomeAssistant,
    database: Database,
    get: Get,
    recorder_mock: Recorder,
    pass_seconds: PassSeconds,
) -> None:
    """The recorder may be disabled while a new entity's first reading is added."""
    recorder_mock.set_enable(False)
    await get(legacy_url("20"))
    await hass.async_add_executor_job(recorder_mock.block_till_done)
    recorder_mock.set_enable(True)

    def insert_disabled(*args: Any, **kwargs: Any) -> bool:
        recorder_mock.set_enable(False)
        return backfill.insert(*args, **kwargs)

    with patch.object(journal, "insert", insert_disabled):
        await pass_seconds(6)
    assert _issues(hass) == ["recorder_disabled"]
    recorder_mock.set_enable(True)
    await pass_seconds(6)
    assert database.rows == [("20.0", 0)]


async def test_replaced(
    hass: HomeAssistant,
    database: Database,
    get: Get,
    recorder_db_url: str,
    pass_seconds: PassSeconds,
) -> None:
    """A database that is deleted while Home Assistant runs is noticed."""
    await get(legacy_url("20"))
    await pass_seconds(12)
    file = Path(recorder_db_url.removeprefix("sqlite:///"))
    away = file.rename(file.with_name("away.db"))  # noqa: ASYNC240
    assert (await get(legacy_url("21"))).status == HTTPStatus.OK
    await pass_seconds(12)
    assert (await get(legacy_url("22"))).status == UNAVAILABLE
    assert _issues(hass) == ["database_replaced"]

    file.touch()  # noqa: ASYNC240
    await pass_seconds(12)
    assert _issues(hass) == ["database_replaced"]
    away.rename(file)
    await pass_seconds(12)
    assert _issues(hass) == []
    assert (await get(legacy_url("22"))).status == HTTPStatus.OK


@pytest.mark.parametrize("is_begun_anew", [False, True])
async def test_log_deleted(
    hass: HomeAssistant,
    database: Database,
    get: Get,
    recorder_db_url: str,
    pass_seconds: PassSeconds,
    is_begun_anew: bool,
) -> None:
    """A deleted write-ahead log is noticed: its content ends with the process.

    A new connection begins another one in its place.
    """
    await get(legacy_url("20"))
    await pass_seconds(12)
    log = Path(f"{recorder_db_url.removeprefix('sqlite:///')}-wal")
    log.unlink()  # noqa: ASYNC240
    if is_begun_anew:
        log.touch()  # noqa: ASYNC240
    await get(legacy_url("21"))
    await pass_seconds(12)
    assert _issues(hass) == ["database_replaced"]


@pytest.mark.parametrize("end", ["", "-wal"])
async def test_replaced_before_the_first_report(
    hass: HomeAssistant,
    database: Database,
    get: Get,
    recorder_db_url: str,
    pass_seconds: PassSeconds,
    end: str,
) -> None:
    """What is replaced before anything was stored is noticed, too."""
    file = Path(recorder_db_url.removeprefix("sqlite:///") + end)
    file.rename(file.with_name("away"))  # noqa: ASYNC240
    file.touch()  # noqa: ASYNC240
    assert (await get(legacy_url("20"))).status == HTTPStatus.OK
    await pass_seconds(12)
    assert (await get(legacy_url("21"))).status == UNAVAILABLE
    assert _issues(hass) == ["database_replaced"]


async def test_sync_fails(
    hass: HomeAssistant, database: Database, get: Get, pass_seconds: PassSeconds
) -> None:
    """A failing sync has the same effect as a full disk."""
    await get(legacy_url("20"))
    with patch("os.fsync", side_effect=OSError):
        await pass_seconds(12)
        assert (await get(legacy_url("21"))).status == UNAVAILABLE
        assert _issues(hass) == ["recorder_failed"]
    await pass_seconds(12)
    assert _issues(hass) == []
    assert (await get(legacy_url("21"))).status == HTTPStatus.OK


@pytest.mark.parametrize(
    ("url", "needs_help"),
    [
        ("sqlite:////config/home-assistant_v2.db", True),
        ("sqlite://", False),
        ("sqlite:///:memory:", False),
        ("postgresql://user@host/database", False),
    ],
)
def test_durable(url: str, needs_help: bool) -> None:
    """Only SQLite files are synced by the integration."""
    assert (DatabaseFiles.of(url) is not None) is needs_help


def test_no_log(tmp_path: Path) -> None:
    """Where SQLite cannot have a write-ahead log, it syncs by itself."""
    file = tmp_path / "home-assistant_v2.db"
    file.touch()
    DatabaseFiles(file).sync(object())


async def test_shares(
    hass: HomeAssistant,
    database: Database,
    get: Get,
    recorder_mock: Recorder,
    pass_seconds: PassSeconds,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A station that sends too much has to wait, others do not."""
    other = station_entry(INDOOR, "Indoor")
    other.add_to_hass(hass)
    await hass.config_entries.async_setup(other.entry_id)
    await get(legacy_url("20"))
    await get(legacy_url("20", mac=INDOOR))
    await pass_seconds(12)
    monkeypatch.setattr(journal, "_LIMIT", 50)
    monkeypatch.setattr(journal, "_LEAST_SHARE", 5)
    await recorder_mock.lock_database()
    statuses = [(await get(legacy_url(str(value)))).status for value in range(30)]
    assert statuses == [HTTPStatus.OK] * 26 + [UNAVAILABLE] * 4
    assert (await get(legacy_url("21", mac=INDOOR))).status == HTTPStatus.OK
    recorder_mock.unlock_database()
    await pass_seconds(12)
    assert (await get(legacy_url("31"))).status == HTTPStatus.OK


async def test_streams(hass: HomeAssistant, database: Database) -> None:
    """Of the streams of a station only the last few are remembered."""
    station = hass.data[DATA].journal.async_station(OUTDOOR, 0)
    first = station.async_stream("00000000")
    assert station.async_stream("00000000") is first
    await first.lock.acquire()
    for number in range(1, 8):
        station.async_stream(f"{number:08}")
    assert station.async_stream("00000000") is first
    assert len(station._streams) == 4


async def test_recorder_changed(
    hass: HomeAssistant,
    database: Database,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_seconds: PassSeconds,
) -> None:
    """With an unknown recorder, past readings are refused with the reason."""
    data = hass.data[DATA]
    with patch.object(journal, "missing_part", return_value="moved"):
        data.journal = journal.Journal(hass)
    await data.journal.async_load()
    await hass.config_entries.async_reload(station.entry_id)

    answer = await signed.report(
        reading(20, 60), reading(21, 0.5), stream="9f3a1c22", first=1
    )

    content = answer.content
    assert (content["taken"], content["stored"]) == (1, 2)
    assert [each["number"] for each in content["refused"]] == [1]
    assert "recorder_changed" in _issues(hass)
    async with asyncio.timeout(10):
        while "21.0" not in [state for state, _ in database.rows]:
            await async_wait_recording_done(hass)
