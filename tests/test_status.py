"""The self-reported status of a station: diagnostic sensors and firmware."""

from collections.abc import Callable
from typing import Any

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_restore_state_shutdown_restart,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.esp_weather.const import FIRMWARE_VERSION
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from .helpers import START, Get, PassTime, entities, entity_id, legacy_url, state_of
from .signed_station import SignedStation, reading

STATUS = {"rssi": -61, "uptime": 5220.4, "battery": 3.712, "firmware": "0.0.9"}


pytestmark = pytest.mark.usefixtures("entity_registry_enabled_by_default")


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    """Start at noon."""
    freezer.move_to(START)


@pytest.fixture
def signed(client: TestClient[Any, Any]) -> SignedStation:
    """Return a station that signs its reports."""
    return SignedStation(client)


def _firmware(hass: HomeAssistant) -> Any:
    found = entity_id(hass, "firmware", platform=Platform.UPDATE)
    return found and hass.states.get(found)


async def test_status(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_time: PassTime,
    snapshot: SnapshotAssertion,
) -> None:
    """Each value becomes an entity when the station first reports it."""
    await signed.report(status={"rssi": -61, "battery": None})
    assert state_of(hass, "rssi") == "-61"
    assert entity_id(hass, "battery") is None
    assert _firmware(hass) is None

    await signed.report(status=STATUS)
    await pass_time(0.1)

    assert [
        entity
        for entity in entities(hass, station)
        if entity["entity_id"].startswith("sensor.")
    ] == snapshot


async def test_changes(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The newest status counts; the start only changes by more than a minute."""
    await signed.report(status=STATUS)
    await hass.async_block_till_done()
    started = "2026-11-24T10:32:59+00:00"
    assert state_of(hass, "uptime") == started

    freezer.tick(60)
    await signed.report(status={"uptime": 5270, "rssi": -70.5})
    assert state_of(hass, "uptime") == started
    assert state_of(hass, "rssi") == "-70.5"
    # Values that are not reported stay.
    assert state_of(hass, "battery") == "3.712"

    freezer.tick(60)
    await signed.report(status={"uptime": 5})
    assert state_of(hass, "uptime") == "2026-11-24T12:01:55+00:00"


async def test_silence(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    get: Get,
    pass_time: PassTime,
) -> None:
    """The status of a station that no longer reports is unavailable."""
    await signed.report(status=STATUS)
    await pass_time(15.1)
    assert state_of(hass, "rssi") == STATE_UNAVAILABLE

    await get(legacy_url())
    assert state_of(hass, "rssi") == "-61"


async def test_restart(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    freezer: FrozenDateTimeFactory,
    integration_log: Callable[[], list[str]],
) -> None:
    """The status is restored after a restart."""
    await signed.report(reading(21.5), status=STATUS)
    await hass.async_block_till_done()
    keys = ("rssi", "uptime", "battery")
    before = [state_of(hass, key) for key in keys]
    await async_mock_restore_state_shutdown_restart(hass)
    await hass.config_entries.async_reload(station.entry_id)
    await hass.async_block_till_done()

    assert [state_of(hass, key) for key in keys] == before
    assert _firmware(hass).attributes["installed_version"] == "0.0.9"

    freezer.tick(10)
    await signed.report(status=STATUS | {"uptime": 5235})
    assert [state_of(hass, key) for key in keys] == before


@pytest.mark.parametrize(
    ("version", "state"),
    [("0.0.9", STATE_ON), (FIRMWARE_VERSION, STATE_OFF), ("99.1", STATE_OFF)],
)
async def test_firmware(
    hass: HomeAssistant,
    station: MockConfigEntry,
    signed: SignedStation,
    pass_time: PassTime,
    device_registry: dr.DeviceRegistry,
    version: str,
    state: str,
) -> None:
    """Older firmware than that of the integration makes an update available."""
    for each in ("0.0.1", version, version):
        await signed.report(status={"firmware": each})
        await pass_time(0.1)

    assert _firmware(hass).state == state
    assert _firmware(hass).attributes["latest_version"] == FIRMWARE_VERSION
    (device,) = dr.async_entries_for_config_entry(device_registry, station.entry_id)
    assert device.sw_version == version
