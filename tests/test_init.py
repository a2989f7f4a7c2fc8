"""Setting up, unloading and removing a station."""

import asyncio
from http import HTTPStatus
from typing import Any

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.esp_weather.const import DOMAIN
from homeassistant.components.recorder import Recorder
from homeassistant.config_entries import SOURCE_DHCP, ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo
from homeassistant.setup import async_setup_component

from .helpers import OUTDOOR, Get, entity_id, legacy_url, state_of
from .signed_station import SignedStation, reading


async def test_unload(hass: HomeAssistant, station: MockConfigEntry, get: Get) -> None:
    """Reports are refused while the station is unloaded, and taken afterwards."""
    await get(legacy_url())

    assert await hass.config_entries.async_unload(station.entry_id)
    assert station.state is ConfigEntryState.NOT_LOADED
    assert (await get(legacy_url())).status == HTTPStatus.SERVICE_UNAVAILABLE
    assert state_of(hass, "1") == STATE_UNAVAILABLE

    assert await hass.config_entries.async_setup(station.entry_id)
    assert (await get(legacy_url("60"))).status == HTTPStatus.OK
    assert state_of(hass, "1") == "60.0"


@pytest.mark.parametrize("known", [False, True])
async def test_reload_under_reports(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, known: bool
) -> None:
    """During reloads, exactly the accepted reports become states."""
    if known:
        await get(legacy_url("0"))

    async def report(value: int) -> tuple[int, HTTPStatus]:
        await asyncio.sleep(0)
        return value, HTTPStatus((await get(legacy_url(str(value)))).status)

    async def reload() -> None:
        assert await hass.config_entries.async_reload(station.entry_id)

    accepted: list[str] = []
    states: list[str] = []
    hass.bus.async_listen(
        "state_changed",
        lambda event: (
            states.append(event.data["new_state"].state)
            if event.data["entity_id"] == entity_id(hass, "1")
            and event.data["new_state"]
            else None
        ),
    )
    for start in range(1, 60, 20):
        answers = await asyncio.gather(
            *(report(value) for value in range(start, start + 10)),
            reload(),
            *(report(value) for value in range(start + 10, start + 20)),
        )
        for answer in answers:
            if answer is not None:
                value, status = answer
                assert status in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}
                if status is HTTPStatus.OK:
                    accepted.append(f"{value}.0")
    await hass.async_block_till_done()

    assert accepted
    assert set(accepted) <= set(states)
    rejected = {f"{value}.0" for value in range(1, 61)} - set(accepted)
    assert not rejected & set(states)


@pytest.fixture
async def config_api(hass: HomeAssistant) -> None:
    """Load the API of the settings pages before the web server starts."""
    for component in ("config", "websocket_api"):
        assert await async_setup_component(hass, component, {})


async def test_remove_device(
    hass: HomeAssistant,
    config_api: None,
    station: MockConfigEntry,
    get: Get,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """Deleting the device deletes the station, whose reports are then refused."""
    await get(legacy_url())
    registry = dr.async_get(hass)
    (device,) = dr.async_entries_for_config_entry(registry, station.entry_id)

    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {
            "type": "config/device_registry/remove_config_entry",
            "config_entry_id": station.entry_id,
            "device_id": device.id,
        }
    )
    response = await client.receive_json()
    await hass.async_block_till_done()

    assert response["success"]
    assert not hass.config_entries.async_entries("esp_weather")
    assert registry.async_get(device.id) is None
    assert entity_id(hass, "1") is None
    assert (await get(legacy_url())).status == HTTPStatus.FORBIDDEN


async def test_device_removed_while_unloading(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A station that the user unloads stays unloaded when its device is removed."""
    await get(legacy_url())
    registry = dr.async_get(hass)
    (device,) = dr.async_entries_for_config_entry(registry, station.entry_id)

    registry.async_remove_device(device.id)
    assert await hass.config_entries.async_unload(station.entry_id)
    await hass.async_block_till_done()

    assert station.state is ConfigEntryState.NOT_LOADED


async def test_dialog_before_the_first_station(
    hass: HomeAssistant,
    enable_custom_integrations: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Closing the dialog of a discovered station leaves nothing set up."""
    menu = await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_DHCP},
        data=DhcpServiceInfo(
            ip="192.0.2.7", hostname="esp-weather-1", macaddress="5ccf7f2b0ea8"
        ),
    )
    hass.config_entries.flow.async_abort(menu["flow_id"])

    assert DOMAIN not in hass.config.components
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


async def test_remove_entry(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """Deleting the station leaves nothing behind."""
    await get(legacy_url())

    await hass.config_entries.async_remove(station.entry_id)

    assert not er.async_get(hass).entities
    assert not dr.async_get(hass).devices
    assert (await get(legacy_url())).status == HTTPStatus.FORBIDDEN


async def test_remove_while_the_first_report_comes(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A report in flight does not bring a removed station back."""
    answer, _ = await asyncio.gather(
        get(legacy_url()), hass.config_entries.async_remove(station.entry_id)
    )
    await hass.async_block_till_done()

    assert answer.status in {
        HTTPStatus.OK,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.FORBIDDEN,
    }
    assert not hass.states.async_all("sensor")
    assert not er.async_get(hass).entities


async def test_without_stations(hass: HomeAssistant, client: Any, get: Get) -> None:
    """Without a station, all reports are refused."""
    assert (await get(legacy_url(mac=OUTDOOR))).status == HTTPStatus.FORBIDDEN


async def test_without_the_recorder(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    issue_registry: ir.IssueRegistry,
) -> None:
    """Without a recorder the stations work, and a repair issue says what is lost."""
    assert (await get(legacy_url())).status == HTTPStatus.OK

    assert state_of(hass, "1") == "72.3"
    issue = issue_registry.async_get_issue(DOMAIN, "no_recorder")
    assert issue is not None
    assert issue.active


async def test_with_the_recorder(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    client: Any,
    issue_registry: ir.IssueRegistry,
) -> None:
    """With a recorder there is no issue."""
    assert issue_registry.async_get_issue(DOMAIN, "no_recorder") is None


async def test_disabled_by_default(
    hass: HomeAssistant, station: MockConfigEntry, client: TestClient[Any, Any]
) -> None:
    """Entities of little use, and one that would fill the activity page, are off."""
    signed = SignedStation(client)
    await signed.report(reading(20), status={"rssi": -61, "uptime": 5, "battery": 3})
    await hass.async_block_till_done()

    assert {
        entity.unique_id.removeprefix(f"{OUTDOOR}_")
        for entity in er.async_entries_for_config_entry(
            er.async_get(hass), station.entry_id
        )
        if entity.disabled
    } == {"last_report", "rssi"}
