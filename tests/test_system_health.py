"""System health: whether reports are taken and reach the disk."""

from http import HTTPStatus
from typing import Any

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    get_system_health_info,
)

from custom_components.esp_weather.const import DOMAIN
from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .helpers import INDOOR, START, Get, PassTime, legacy_url, station_entry
from .recording.helpers import async_journal_idle
from .signed_station import SignedStation, reading


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    return await get_system_health_info(hass, DOMAIN)


async def test_reports(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: TestClient[Any, Any],
    get: Get,
) -> None:
    """A report counts once, however many readings it has and whatever its protocol."""
    other = station_entry(INDOOR, "Indoor")
    other.add_to_hass(hass)
    await hass.config_entries.async_setup(other.entry_id)

    assert await _info(hass) == {
        "stations_connected": "0/2",
        "reports_taken": 0,
        "reports_refused": 0,
        "readings_waiting": 0,
    }

    signed = SignedStation(client)
    # The first nonce comes with a refusal.
    assert (await signed.report(reading(21), reading(22, field=2))).status == 200
    assert (await get(legacy_url())).status == HTTPStatus.OK
    assert (await get(legacy_url("x"))).status == HTTPStatus.BAD_REQUEST
    assert (await get(legacy_url(key="a wrong one"))).status == HTTPStatus.FORBIDDEN

    info = await _info(hass)
    assert info["stations_connected"] == "1/2"
    assert (info["reports_taken"], info["reports_refused"]) == (2, 3)


@pytest.mark.parametrize("persistent_database", [True])
async def test_disk(
    async_test_recorder: object,
    recorder_mock: Recorder,
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
) -> None:
    """A reading waits until it is on the disk, which then is the last time written."""
    freezer.move_to(START)
    await get(legacy_url())

    info = await _info(hass)
    assert info["readings_waiting"] == 1
    assert "last_sync" not in info

    await pass_time(1)
    await async_journal_idle(hass)

    info = await _info(hass)
    assert info["readings_waiting"] == 0
    assert info["last_sync"] == dt_util.utcnow()
