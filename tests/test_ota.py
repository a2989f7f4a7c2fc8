"""Commands for a station: firmware over the air, and the interval."""

from collections.abc import Iterator
from hashlib import sha256
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_restore_state_shutdown_restart,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.esp_weather import ota
from custom_components.esp_weather.const import FIRMWARE_VERSION
from homeassistant.components.number import (
    ATTR_VALUE,
    DOMAIN as NUMBER_DOMAIN,
    SERVICE_SET_VALUE,
)
from homeassistant.components.update import (
    DOMAIN as UPDATE_DOMAIN,
    SERVICE_INSTALL,
    UpdateEntityFeature,
)
from homeassistant.const import ATTR_ENTITY_ID, STATE_OFF, STATE_ON, Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.setup import async_setup_component

from .helpers import PassTime, entity_id
from .signed_station import SignedStation

MODULE = b"M\x06"
MANIFEST = json.dumps(
    {
        "version": FIRMWARE_VERSION,
        "bytecode": 6,
        "files": {"awake.mpy": [len(MODULE), sha256(MODULE).hexdigest()]},
    }
).encode()
WANTED = {"version": FIRMWARE_VERSION, "sha256": sha256(MANIFEST).hexdigest()}
OLD = {"firmware": "0.0.9"}
INSTALLED = {"firmware": FIRMWARE_VERSION}
ANSWERS = 5  # that repeat a command


@pytest.fixture(autouse=True)
def firmware(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Add a compiled firmware, unless the test is marked `no_firmware`."""
    folder = tmp_path / "firmware"
    if request.node.get_closest_marker("no_firmware") is None:
        folder.mkdir()
        (folder / "firmware.json").write_bytes(MANIFEST)
        (folder / "awake.mpy").write_bytes(MODULE)
        (folder / "notes.md").write_text("- Better")
    with patch.object(ota, "_FOLDER", folder):
        yield folder


@pytest.fixture
def signed(client: TestClient[Any, Any]) -> SignedStation:
    """Return a station that signs its reports."""
    return SignedStation(client)


def _state(hass: HomeAssistant, key: str, platform: Platform) -> State:
    found = entity_id(hass, key, platform=platform)
    assert found is not None
    state = hass.states.get(found)
    assert state is not None
    return state


def _update(hass: HomeAssistant) -> State:
    return _state(hass, "firmware", Platform.UPDATE)


def _interval(hass: HomeAssistant) -> State:
    return _state(hass, "interval", Platform.NUMBER)


def _offers_notes(hass: HomeAssistant) -> bool:
    """Return whether the dialog shows the release notes, and not the summary."""
    features = _update(hass).attributes["supported_features"]
    return bool(features & UpdateEntityFeature.RELEASE_NOTES)


async def _install(hass: HomeAssistant) -> None:
    await hass.services.async_call(
        UPDATE_DOMAIN,
        SERVICE_INSTALL,
        {ATTR_ENTITY_ID: _update(hass).entity_id},
        blocking=True,
    )


async def _set_interval(hass: HomeAssistant, value: float) -> None:
    await hass.services.async_call(
        NUMBER_DOMAIN,
        SERVICE_SET_VALUE,
        {ATTR_ENTITY_ID: _interval(hass).entity_id, ATTR_VALUE: value},
        blocking=True,
    )


async def test_install(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_time: PassTime,
) -> None:
    """The command is repeated until the station reports the version."""
    answer = await signed.report(status=OLD)
    await pass_time(5.1)
    assert "firmware" not in answer.content
    assert _update(hass).state == STATE_ON
    assert _update(hass).attributes["in_progress"] is False

    await _install(hass)
    assert _update(hass).attributes["in_progress"] is True
    for _ in range(2):
        answer = await signed.report(status=OLD)
        assert answer.is_believed
        assert answer.content["firmware"] == WANTED

    answer = await signed.report(status=INSTALLED)
    await pass_time(5.1)
    assert "firmware" not in answer.content
    assert _update(hass).state == STATE_OFF
    assert _update(hass).attributes["in_progress"] is False
    assert _update(hass).attributes["release_summary"] is None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("no_report", "The last update was undone"),
        ("micropython_too_old", "the MicroPython on the board is too old"),
        ("of a newer station", "The last update failed. The previous version"),
    ],
)
async def test_failure(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_time: PassTime,
    error: str,
    text: str,
) -> None:
    """A failed update shows its reason and is not repeated."""
    await signed.report(status=OLD)
    await pass_time(5.1)
    await _install(hass)
    await signed.report(status=OLD)
    answer = await signed.report(status=OLD | {"update_error": error})
    await pass_time(5.1)

    assert "firmware" not in answer.content
    assert _update(hass).state == STATE_ON
    assert _update(hass).attributes["in_progress"] is False
    assert text in _update(hass).attributes["release_summary"]
    assert not _offers_notes(hass)

    # Until the user tries again
    await _install(hass)
    assert _update(hass).attributes["release_summary"] is None
    assert _offers_notes(hass)
    assert (await signed.report(status=OLD)).content["firmware"] == WANTED


async def test_deaf_station(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_time: PassTime,
) -> None:
    """A station without reaction is not told for ever."""
    await signed.report(status=OLD | {"interval": 60})
    await pass_time(5.1)
    await _install(hass)
    await _set_interval(hass, 300)
    for _ in range(ANSWERS):
        answer = await signed.report(status=OLD | {"interval": 60})
        assert answer.content["firmware"] == WANTED
        assert answer.content["settings"] == {"interval": 300}
    answer = await signed.report(status=OLD | {"interval": 60})
    await pass_time(5.1)

    assert {"firmware", "settings"}.isdisjoint(answer.content)
    assert "has not installed it" in _update(hass).attributes["release_summary"]
    assert _interval(hass).state == "60"


async def test_files(
    hass: HomeAssistant, station: MockConfigEntry, client: TestClient[Any, Any]
) -> None:
    """The files of the firmware are public, others are not."""
    base = "/api/esp_weather/firmware/"
    response = await client.get(f"{base}firmware.json")
    assert await response.read() == MANIFEST
    assert await (await client.get(f"{base}awake.mpy")).read() == MODULE
    for path in ("", "missing.mpy", "notes.md", "..%2fmanifest.json"):
        assert (await client.get(base + path)).status in {400, 404}


@pytest.fixture
async def websocket_api(hass: HomeAssistant) -> None:
    """Load the API of the dialogs before the web server starts."""
    assert await async_setup_component(hass, "websocket_api", {})


async def test_notes(
    hass: HomeAssistant,
    websocket_api: None,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_time: PassTime,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """The dialog shows the release notes."""
    await signed.report(status=OLD)
    await pass_time(5.1)
    connection = await hass_ws_client(hass)
    await connection.send_json_auto_id(
        {"type": "update/release_notes", "entity_id": _update(hass).entity_id}
    )
    assert (await connection.receive_json())["result"] == "- Better"


@pytest.mark.no_firmware
async def test_by_cable(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    client: TestClient[Any, Any],
    pass_time: PassTime,
) -> None:
    """Without the compiled firmware, updates are made by cable."""
    await signed.report(status=OLD)
    await pass_time(5.1)
    assert _update(hass).state == STATE_ON
    assert not _update(hass).attributes["supported_features"] & (
        UpdateEntityFeature.INSTALL
    )
    assert "by cable" in _update(hass).attributes["release_summary"]
    assert (await client.get("/api/esp_weather/firmware/firmware.json")).status == 404


async def test_interval(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_time: PassTime,
) -> None:
    """The interval appears when reported; a new one is sent until it is reported."""
    await signed.report(status={"rssi": -61})
    await pass_time(5.1)
    assert entity_id(hass, "interval", platform=Platform.NUMBER) is None
    answer = await signed.report(status={"interval": 60})
    await pass_time(5.1)
    assert _interval(hass).state == "60"
    assert "settings" not in answer.content

    await _set_interval(hass, 300)
    assert _interval(hass).state == "300"
    for _ in range(2):
        answer = await signed.report(status={"interval": 60})
        assert answer.content["settings"] == {"interval": 300}
    answer = await signed.report(status={"interval": 300})
    assert "settings" not in answer.content
    await pass_time(5.1)
    assert _interval(hass).state == "300"

    # Somebody has edited the file of the station.
    await signed.report(status={"interval": 30})
    await pass_time(5.1)
    assert _interval(hass).state == "30"


async def test_restart(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_time: PassTime,
) -> None:
    """A pending command survives a restart."""
    await signed.report(status=OLD | {"interval": 60})
    await pass_time(5.1)
    await _install(hass)
    await _set_interval(hass, 300)
    await async_mock_restore_state_shutdown_restart(hass)
    await hass.config_entries.async_reload(station.entry_id)
    await hass.async_block_till_done()

    assert _interval(hass).state == "300"
    assert _update(hass).attributes["in_progress"] is True
    answer = await signed.report(status=OLD | {"interval": 60})
    assert answer.content["firmware"] == WANTED
    assert answer.content["settings"] == {"interval": 300}

    # So does the interval of a station without a pending command.
    await signed.report(status=INSTALLED | {"interval": 300})
    await pass_time(5.1)
    await async_mock_restore_state_shutdown_restart(hass)
    await hass.config_entries.async_reload(station.entry_id)
    await hass.async_block_till_done()
    assert _interval(hass).state == "300"
    assert _update(hass).attributes["in_progress"] is False
