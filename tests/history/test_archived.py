"""Import of old files into the archive."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.esp_weather.const import DOMAIN
from custom_components.esp_weather.data import DATA
from custom_components.esp_weather.recording.archive import StagedReadings
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from tests.archive import ARCHIVED, archive_rows, write_archive
from tests.helpers import INDOOR, OUTDOOR, Get, legacy_url, upload
from tests.old_server import OldServer

from .dialog import open_dialog, submit, suggested, texts

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("recorder_mock", "_folder_of_uploads", "_now")


@pytest.fixture
def _now(hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path) -> None:
    freezer.move_to(NOW)
    hass.config.config_dir = str(tmp_path)


@pytest.fixture
def options() -> dict[str, Any]:
    """Return the options of a station that is archived, with a calibration."""
    return {**ARCHIVED}


async def _import(hass: HomeAssistant, path: Path, **data: Any) -> dict[str, Any]:
    report = await hass.services.async_call(
        *(DOMAIN, "import_history", {"path": str(path), "archive": True, **data}),
        blocking=True,
        return_response=True,
    )
    assert report is not None
    return report


async def _rows(hass: HomeAssistant) -> list[tuple[Any, ...]]:
    """Return the rows of the archive without their Ids, in order."""
    await write_archive(hass)
    return [row[1:] for row in archive_rows(hass)]


async def test_whole_and_once(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
) -> None:
    """Each reading is archived once, as it was sent, however often it is imported."""
    old = NOW - timedelta(days=900)
    reports = [
        (old, OUTDOOR, 1, 10.0),
        (old + MINUTE, OUTDOOR, 1, 10.0),
        # Twice at the same time, as in a file that has only minutes
        (old + MINUTE, OUTDOOR, 1, 10.0),
        (old + timedelta(microseconds=123457), INDOOR, 1, 20.25),
        # In the hour without statistics
        (NOW - MINUTE, OUTDOOR, 1, 12.5),
        # An impossible value, and one of an unknown field
        (old, OUTDOOR, 1, -300.0),
        (old, OUTDOOR, 7, 1.0),
    ]
    old_server.fill(reports)
    live = await _rows(hass)  # the outdoor station's report; indoors is not archived
    assert live == [("", NOW.isoformat(), OUTDOOR, 1, 20.0)]

    dry_run = await _import(hass, old_server.database, dry_run=True)
    assert dry_run["readings_archived"] == 0
    assert await _rows(hass) == live

    report = await _import(hass, old_server.database)
    assert report["readings_archived"] == 5
    assert await _rows(hass) == [
        *live,
        *(
            ("", time.isoformat(), mac, field, value)
            for time, mac, field, value in sorted(reports[:5])
        ),
    ]

    archive = hass.data[DATA].archive.path
    assert (await _import(hass, old_server.database))["readings_archived"] == 0
    # Its own file, or one with more readings
    assert (await _import(hass, archive))["readings_archived"] == 0
    old_server.fill([(old + 2 * MINUTE, OUTDOOR, 1, 10.0)])
    assert (await _import(hass, old_server.database))["readings_archived"] == 1
    assert len(await _rows(hass)) == 7


async def test_export_is_not_twice(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Readings exported from the recorder are already in the archive."""
    hass.config.media_dirs = {"local": hass.config.path("media")}
    hass.config.allowlist_external_dirs = {hass.config.path("media")}
    for value in ("20.5", "20.5", "21.0625"):
        assert (await get(legacy_url(value))).status == 200
        freezer.tick(timedelta(hours=2, microseconds=7))
    await async_wait_recording_done(hass)
    before = await _rows(hass)
    for file_format in ("csv", "db"):
        exported = await hass.services.async_call(
            *(DOMAIN, "export_history", {"format": file_format}),
            blocking=True,
            return_response=True,
        )
        assert exported is not None
        report = await _import(hass, Path(str(exported["path"])))
        assert report["readings_archived"] == 0
    assert await _rows(hass) == before


async def test_new_board(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
) -> None:
    """Readings of a replaced board get the present MAC of the station."""
    old_server.fill([(NOW - timedelta(days=1), "aa:bb:cc:dd:ee:ff", 1, 10.0)])
    report = await _import(
        hass,
        old_server.database,
        config_entry_id=station.entry_id,
        mac="aa:bb:cc:dd:ee:ff",
    )
    assert report["readings_archived"] == 1
    assert [row[2] for row in await _rows(hass)] == [OUTDOOR, OUTDOOR]


async def test_dialog(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
    hass_client: ClientSessionGenerator,
) -> None:
    """The dialog offers the archive for a station that has it on."""
    old_server.fill([(NOW - timedelta(days=1), OUTDOOR, 1, 10.0)])
    browser: TestClient[Any, Any] = await hass_client()
    for entry, offered in ((station, True), (indoor, False)):
        form = await open_dialog(hass, entry, "history")
        fields = await submit(
            hass, form, {"file": await upload(browser, old_server.database)}
        )
        answers = suggested(fields)
        assert ("archive" in answers) is offered
        confirm = await submit(hass, fields, {"field_1": f"{OUTDOOR} 1", **answers})
        assert len(await _rows(hass)) == (1 if offered else 2)
        done = await submit(hass, confirm, {})
        assert texts(done)["readings_archived"] == ("1" if offered else "0")
    assert len(await _rows(hass)) == 2


async def test_archive_that_cannot_be_written(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
) -> None:
    """An archive that is no database is left alone, and the error says so."""
    old_server.fill([(NOW - timedelta(days=1), OUTDOOR, 1, 10.0)])
    await _rows(hass)
    path = hass.data[DATA].archive.path
    path.write_bytes(4096 * b"x")
    with pytest.raises(ServiceValidationError) as error:
        await _import(hass, old_server.database)
    assert error.value.translation_key == "history_not_archived"
    assert path.read_bytes() == 4096 * b"x"


async def test_stopped(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If Home Assistant stops while readings are added, none is added."""
    old_server.fill(
        (NOW - timedelta(days=100) + number * MINUTE, OUTDOOR, 1, 10.0)
        for number in range(20_000)
    )
    before = await _rows(hass)
    archive = hass.data[DATA].archive
    merge = archive.async_merge

    async def stop_then_merge(staged: StagedReadings) -> int:
        for job in list(hass._shutdown_jobs):
            hass.async_run_hass_job(job.job, *job.args)
        return await merge(staged)

    monkeypatch.setattr(archive, "async_merge", stop_then_merge)
    with pytest.raises(ServiceValidationError) as error:
        await _import(hass, old_server.database)
    assert error.value.translation_key == "history_stopped"
    monkeypatch.undo()
    assert await _rows(hass) == before
    assert (await _import(hass, old_server.database))["readings_archived"] == 20_000
