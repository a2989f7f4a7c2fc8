"""The archive: a file with every reading of the stations that have the option on."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
import sqlite3
from typing import Any

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.esp_weather import backup
from custom_components.esp_weather.const import DOMAIN
from custom_components.esp_weather.data import DATA
from custom_components.esp_weather.recording import archive
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from tests.archive import ARCHIVED, archive_rows, write_archive
from tests.helpers import OUTDOOR, Get, legacy_url
from tests.signed_station import SignedStation, reading

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("recorder_mock", "_now")


@pytest.fixture
def _now(hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path) -> None:
    freezer.move_to(NOW)
    hass.config.config_dir = str(tmp_path)


@pytest.fixture
def options() -> dict[str, Any]:
    """Return the options of a station that is archived, with a calibration."""
    return {**ARCHIVED}


async def _stop(hass: HomeAssistant) -> None:
    """Write everything, as when Home Assistant stops."""
    hass.bus.async_fire_internal(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()


async def _let_write(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """Let the seconds pass after which waiting readings are written."""
    freezer.tick(6)
    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    async with hass.data[DATA].archive._writing:
        pass


async def test_as_the_old_server_kept_it(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Each accepted reading is a row with the value that was sent, equal ones too."""
    for value in ("21.5", "21.5", "22.12346"):
        assert (await get(legacy_url(value))).status == 200
        freezer.tick(timedelta(seconds=61, microseconds=3))
    assert (await get(legacy_url("5000"))).status == 400
    assert (await get(legacy_url("1", key="wrong"))).status == 403
    await _stop(hass)

    assert archive_rows(hass) == [
        (1, "", "2026-11-24T12:30:00+00:00", OUTDOOR, 1, 21.5),
        (2, "", "2026-11-24T12:31:01.000003+00:00", OUTDOOR, 1, 21.5),
        (3, "", "2026-11-24T12:32:02.000006+00:00", OUTDOOR, 1, 22.1235),
    ]


@pytest.mark.parametrize("options", [{}])
async def test_off_by_default(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """Without the option there is no file; the dialog switches it on."""
    assert (await get(legacy_url())).status == 200
    await write_archive(hass)
    assert not hass.data[DATA].archive.path.exists()

    flow = hass.config_entries.options
    menu = await flow.async_init(station.entry_id)
    form = await flow.async_configure(menu["flow_id"], {"next_step_id": "station"})
    assert form["data_schema"] is not None
    done = await flow.async_configure(
        form["flow_id"],
        {"place": "outside", "timeout": 15, "legacy": True, "archive": True},
    )
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert (await get(legacy_url("20"))).status == 200
    await _stop(hass)
    assert [row[5] for row in archive_rows(hass)] == [20.0]


async def test_order(
    hass: HomeAssistant, station: MockConfigEntry, client: TestClient[Any, Any]
) -> None:
    """The rows are in the order of the readings in the report."""
    await SignedStation(client).report(
        reading(20.5, age=60), reading(45, field=2, age=60), reading(21.5)
    )
    await _stop(hass)
    assert [row[4:] for row in archive_rows(hass)] == [(1, 20.5), (2, 45.0), (1, 21.5)]


async def test_past_and_repeated(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: TestClient[Any, Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    """A reading has the time when it was measured, and is written once.

    A station that has lost the answer sends the same numbers again, a minute later and
    with a new reading after them. Without numbers, equal readings are two.
    """
    signed = SignedStation(client)
    numbered = {"stream": "9f3a1c22", "first": 7}
    await signed.report(reading(20.5, age=600), reading(21.5), **numbered)
    await write_archive(hass)
    freezer.tick(60)
    for _ in range(2):
        answer = await signed.report(
            reading(20.5, age=660), reading(21.5, age=60), reading(22.5), **numbered
        )
        assert answer.content["taken"] == 3
    for _ in range(2):
        await signed.report(reading(23.5))
    await _stop(hass)

    assert [row[2:] for row in archive_rows(hass)] == [
        ("2026-11-24T12:20:00+00:00", OUTDOOR, 1, 20.5),
        ("2026-11-24T12:30:00+00:00", OUTDOOR, 1, 21.5),
        *(
            ("2026-11-24T12:31:00+00:00", OUTDOOR, 1, value)
            for value in (22.5, 23.5, 23.5)
        ),
    ]


async def test_backup(hass: HomeAssistant, station: MockConfigEntry, get: Get) -> None:
    """During a backup the file is complete and not written."""
    assert (await get(legacy_url("20"))).status == 200
    await backup.async_pre_backup(hass)
    assert (await get(legacy_url("21"))).status == 200
    path = hass.data[DATA].archive.path
    assert [file.name for file in path.parent.iterdir()] == ["data.db"]
    assert [row[5] for row in archive_rows(hass)] == [20.0]

    await backup.async_post_backup(hass)
    await _stop(hass)
    assert [row[5] for row in archive_rows(hass)] == [20.0, 21.0]


async def test_disk_that_fails(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    issue_registry: ir.IssueRegistry,
) -> None:
    """Readings wait for a file that cannot be written, and an issue says so."""
    archive = hass.data[DATA].archive
    in_the_way = archive.path.parent
    in_the_way.write_text("no folder")
    for value in ("20", "21"):
        assert (await get(legacy_url(value))).status == 200
        await write_archive(hass)
    assert issue_registry.async_get_issue(DOMAIN, "archive_failed")

    in_the_way.unlink()
    await write_archive(hass)
    assert not issue_registry.async_get_issue(DOMAIN, "archive_failed")
    assert [row[5] for row in archive_rows(hass)] == [20.0, 21.0]

    # What is there now is not a database.
    archive.path.write_bytes(b"x" * 4096)
    assert (await get(legacy_url("22"))).status == 200
    await write_archive(hass)
    assert issue_registry.async_get_issue(DOMAIN, "archive_failed")
    archive.path.unlink()
    await _stop(hass)
    assert [row[5] for row in archive_rows(hass)] == [22.0]


async def test_changed_by_another_program(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
    issue_registry: ir.IssueRegistry,
) -> None:
    """Readings that cannot be written are written once the file is reopened."""
    path = hass.data[DATA].archive.path
    assert (await get(legacy_url("20"))).status == 200
    await _let_write(hass, freezer)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE data")

    assert (await get(legacy_url("21"))).status == 200
    await _let_write(hass, freezer)
    assert issue_registry.async_get_issue(DOMAIN, "archive_failed")
    await _stop(hass)
    assert not issue_registry.async_get_issue(DOMAIN, "archive_failed")
    assert [row[5] for row in archive_rows(hass)] == [21.0]


async def test_too_many_wait(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory is bounded however long writing fails: the newest readings are kept."""
    monkeypatch.setattr(archive, "_MOST_WAITING", 3)
    in_the_way = hass.data[DATA].archive.path.parent
    in_the_way.write_text("no folder")
    for value in range(20, 25):
        assert (await get(legacy_url(str(value)))).status == 200
    await write_archive(hass)
    assert (await get(legacy_url("25"))).status == 200
    in_the_way.unlink()
    await _stop(hass)
    assert [row[5] for row in archive_rows(hass)] == [23.0, 24.0, 25.0]
