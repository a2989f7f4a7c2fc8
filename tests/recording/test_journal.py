"""Readings that were acknowledged, when the recorder fails: none is lost.

The failure is a real one: the database is locked from outside, so that SQLite refuses
to write.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from custom_components.esp_weather.recording import journal
from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.tasks import RecorderTask
from homeassistant.const import (
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    EVENT_HOMEASSISTANT_STOP,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.recorder import session_scope
from tests.helpers import Get, PassTime, legacy_url
from tests.signed_station import SignedStation, reading

START = datetime(2026, 11, 24, 11, 57, tzinfo=UTC)
SENSOR = "sensor.outdoor_temperature"
UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE

type PassSeconds = Callable[[int], Awaitable[None]]


@pytest.fixture
def persistent_database() -> bool:
    """Have the recorder write to a file."""
    return True


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """Have the recorder commit as it comes, but try again at once after a failure."""
    return {"commit_interval": 5, "db_retry_wait": 0}


@pytest.fixture
def mock_recorder_before_hass(async_test_recorder: Any) -> None:
    """Prepare the recorder before Home Assistant."""


@pytest.fixture(autouse=True)
def _start(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(START)


class Impatient(RecorderTask):
    """Has SQLite fail at once where it would wait for 5 s."""

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
    """Keeps the recorder busy until it is over."""

    over: threading.Event

    @override
    def run(self, instance: Recorder) -> None:
        self.over.wait()


@dataclass
class Database:
    """The recorder's database, as another program gets at it."""

    connection: sqlite3.Connection

    def lock(self) -> None:
        """Let nobody else write."""
        self.connection.execute("BEGIN EXCLUSIVE")

    def unlock(self) -> None:
        """Let others write."""
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
    """Return the database that the recorder writes to, without waiting for others."""
    recorder_mock.queue_task(Impatient())
    await async_wait_recording_done(hass)
    file = Path(recorder_db_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file)) as connection:
        yield Database(connection)


@pytest.fixture
def pass_seconds(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, recorder_mock: Recorder
) -> PassSeconds:
    """Return a function that lets seconds pass, in which the recorder does its work."""

    async def _pass_seconds(seconds: int) -> None:
        for _ in range(seconds):
            freezer.tick(1)
            async_fire_time_changed(hass)
            await hass.async_block_till_done()
            await hass.async_add_executor_job(recorder_mock.block_till_done)

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
    """What was acknowledged before the failure showed is recorded when it is over."""
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

    # Whoever asks from now on has to keep what it has.
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
    """Not even of a field that the database has never heard of is a reading lost."""
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
    """Home Assistant may be stopped as soon as there is room on the disk again."""
    if known:
        await get(legacy_url("20"))
    await pass_seconds(10)
    database.lock()
    await get(legacy_url("21"))
    await pass_seconds(30)

    database.unlock()
    recorder_mock.queue_task(busy := Busy(threading.Event()))
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    busy.over.set()
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
    """What the recorder drops for the fault of another integration is added again.

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
    """A reading belongs to its entity, also if that has got another ID since."""
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
    """Many readings are committed before the recorder would do so by itself."""
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
    """While Home Assistant backs its database up, readings wait, but not too many."""
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
    """Nothing is taken when the recorder has given up, for want of memory."""
    with patch.object(recorder_mock, "_reached_max_backlog", return_value=True):
        await pass_time(5)

    assert (await get(legacy_url())).status == UNAVAILABLE
