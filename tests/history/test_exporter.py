"""Export of all readings in the recorder."""

import asyncio
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
from custom_components.esp_weather.history import exporter
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from tests.helpers import INDOOR, OUTDOOR, Get, entity_id, legacy_url

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("recorder_mock", "_media")


@pytest.fixture
def _media(hass: HomeAssistant, tmp_path: Path, freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)
    hass.config.media_dirs = {"local": str(tmp_path / "media")}
    hass.config.allowlist_external_dirs = {str(tmp_path)}


async def _call(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any]:
    await async_wait_recording_done(hass)
    response = await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True
    )
    assert response is not None
    return response


async def _rows(hass: HomeAssistant, **data: Any) -> list[list[str]]:
    """Export and return time, MAC, field and value of each line."""
    response = await _call(hass, "export_history", **data)
    text = await hass.async_add_executor_job(Path(response["path"]).read_text)
    rows = [line.split(",")[2:] for line in text.splitlines()]
    assert rows.pop(0) == ["date_time", "mac", "field", "data"]
    assert len(rows) == response["readings"]
    return rows


async def test_stations_and_time(
    hass: HomeAssistant,
    indoor: MockConfigEntry,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
) -> None:
    """All stations are exported in order of time, or the chosen one only."""
    for days in (3, 7):
        freezer.tick(timedelta(days=days))
        for mac, field, value in ((INDOOR, "2", "1"), (OUTDOOR, "1", "2.5")):
            assert (await get(legacy_url(value, mac=mac, field=field))).status == 200

    rows = await _rows(hass)
    assert rows == [
        ["2026-11-24T12:30:00+00:00", OUTDOOR, "1", "20.0"],
        ["2026-11-24T12:30:00+00:00", INDOOR, "1", "20.0"],
        ["2026-11-27T12:30:00+00:00", INDOOR, "2", "1.0"],
        ["2026-11-27T12:30:00+00:00", OUTDOOR, "1", "2.5"],
        ["2026-12-04T12:30:00+00:00", INDOOR, "2", "1.0"],
        ["2026-12-04T12:30:00+00:00", OUTDOOR, "1", "2.5"],
    ]
    assert await _rows(hass, config_entry_id=[indoor.entry_id]) == [
        row for row in rows if row[1] == INDOOR
    ]
    assert (
        await _rows(hass, start=NOW + timedelta(days=1), end=NOW + timedelta(days=4))
        == rows[2:4]
    )


@pytest.mark.parametrize(
    "options",
    [
        {
            "fields": {
                "1": {"kind": "temperature", "unit_of_measurement": "°F", "offset": -1},
                "2": {"kind": "humidity", "offset": 2.5},
            }
        }
    ],
)
async def test_as_it_was_sent(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    entity_registry: er.EntityRegistry,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Values are exported as sent, whatever unit they were shown in."""
    sent = []
    for unit in ("°C", "K", "°F"):
        for field, value in (("1", "51.5"), ("2", "40.0")):
            freezer.tick(timedelta(seconds=61, microseconds=5))
            assert (await get(legacy_url(value, field=field))).status == 200
            sent.append([OUTDOOR, field, value])
        outdoor = entity_id(hass, "1")
        assert outdoor is not None
        entity_registry.async_update_entity_options(
            outdoor, "sensor", {"unit_of_measurement": unit}
        )
        await hass.async_block_till_done()

    rows = await _rows(hass)
    # Home Assistant has written the state again in each new unit.
    assert [row[1:] for row in rows if row[2] == "2"] == sent[1::2]
    assert {row[3] for row in rows if row[2] == "1"} == {"51.5"}


async def test_back_again(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
) -> None:
    """An export in either format can be imported."""
    for number in range(130):
        assert (await get(legacy_url(f"{number / 8}"))).status == 200
        freezer.tick(timedelta(minutes=1))
    for file_format in ("csv", "db"):
        exported = await _call(hass, "export_history", format=file_format)
        assert exported["readings"] == 130
        report = await _call(hass, "import_history", path=exported["path"])
        assert report["faults"] == 0
        assert [entity["readings"] for entity in report["entities"]] == [90]
        assert report["readings_too_new"] == 40


async def test_nothing(
    hass: HomeAssistant, station: MockConfigEntry, tmp_path: Path
) -> None:
    """An export without readings fails with the reason and leaves no file."""
    for media, key in (
        ({"local": str(tmp_path / "media")}, "export_nothing"),
        ({}, "export_no_media"),
        ({"other": str(tmp_path / "data.db")}, "export_failed"),
    ):
        hass.config.media_dirs = media
        if key == "export_failed":
            (tmp_path / "data.db").write_text("in the way")
        with pytest.raises(ServiceValidationError) as error:
            await _call(hass, "export_history")
        assert error.value.translation_key == key
    assert list((tmp_path / "media" / DOMAIN).iterdir()) == []


async def test_windows_of_time(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each reading is exported once and in order, however dense they are."""
    monkeypatch.setattr(exporter, "_LEAST_ROWS", 2)
    monkeypatch.setattr(exporter, "_MOST_ROWS", 5)
    value = 0
    for readings in (3, 0, 1, 20, 20, 4, 0, 0, 0, 4, 1, 30):
        for _ in range(readings):
            value += 1
            assert (await get(legacy_url(str(value)))).status == 200
            freezer.tick(timedelta(hours=1) / (readings + 1))
        freezer.tick(timedelta(hours=1) / (readings + 1))
    rows = await _rows(hass)
    assert [float(row[3]) for row in rows] == list(range(1, value + 1))


async def test_nothing_at_that_time(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, tmp_path: Path
) -> None:
    """A sensor without readings in the chosen period fails like an empty export."""
    assert (await get(legacy_url("20"))).status == 200
    with pytest.raises(ServiceValidationError) as error:
        await _call(hass, "export_history", start=NOW + timedelta(seconds=1))
    assert error.value.translation_key == "export_nothing"
    assert list((tmp_path / "media" / DOMAIN).iterdir()) == []


async def test_stopped(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, tmp_path: Path
) -> None:
    """An export that is stopped with Home Assistant leaves no file."""
    assert (await get(legacy_url("20"))).status == 200
    await async_wait_recording_done(hass)
    exporting = hass.async_create_task(_call(hass, "export_history"))
    while not hass._shutdown_jobs:
        await asyncio.sleep(0)
    for job in hass._shutdown_jobs:
        hass.async_run_hass_job(job.job, *job.args)
    with pytest.raises(ServiceValidationError) as error:
        await exporting
    assert error.value.translation_key == "history_stopped"
    assert list((tmp_path / "media" / DOMAIN).iterdir()) == []


async def test_who_may_download(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    client: TestClient[Any, Any],
    hass_client: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    """The signed link works for anybody, the bare address for administrators."""
    assert (await get(legacy_url("20"))).status == 200
    exported = await _call(hass, "export_history")
    # The second one of the same second has another name.
    assert (await _call(hass, "export_history"))["path"] != exported["path"]
    signed = exported["url"]
    address = signed.partition("?")[0]
    admin = await hass_client()
    guest = await hass_client(hass_read_only_access_token)

    for browser, url, status in (
        (client, signed, 200),
        (client, address, 401),
        (client, signed.replace("outdoor", "indoor"), 401),
        (admin, address, 200),
        (guest, address, 403),
        (admin, "/api/esp_weather/history/other.csv", 404),
        (admin, "/api/esp_weather/history/..%2Fsecrets.yaml", 400),
    ):
        assert (await browser.get(url)).status == status, url
