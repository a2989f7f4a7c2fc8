"""The fixtures of the tests of the integration."""

from collections.abc import Callable, Generator
from datetime import timedelta
import logging
from typing import Any
from unittest.mock import patch

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion

from custom_components.esp_weather.const import DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .helpers import Answer, Get, PassTime, station_entry

# Home Assistant's plugin has every statement of the recorder logged.
logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return the snapshots in Home Assistant's format.

    Its plugin has the same fixture, which syrupy's own may override.
    """
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
def entity_registry_enabled_by_default() -> Generator[None]:
    """Enable all entities, as the fixture of this name in Home Assistant does."""
    with patch(
        "homeassistant.helpers.entity.Entity.entity_registry_enabled_default",
        return_value=True,
    ):
        yield


@pytest.fixture
def options() -> dict[str, Any]:
    """Return the options of the station."""
    return {}


@pytest.fixture
def entry(
    hass: HomeAssistant, enable_custom_integrations: None, options: dict[str, Any]
) -> MockConfigEntry:
    """Return the config entry of a station, not set up yet."""
    entry = station_entry(options=options)
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def client(
    hass: HomeAssistant,
    enable_custom_integrations: None,
    hass_client_no_auth: ClientSessionGenerator,
) -> TestClient[Any, Any]:
    """Return an HTTP client of a Home Assistant with the integration loaded."""
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()
    return await hass_client_no_auth()


@pytest.fixture
async def station(
    hass: HomeAssistant, entry: MockConfigEntry, client: TestClient[Any, Any]
) -> MockConfigEntry:
    """Return the config entry of a station that is set up."""
    if entry.state is ConfigEntryState.NOT_LOADED:
        await hass.config_entries.async_setup(entry.entry_id)
    return entry


@pytest.fixture
def get(hass: HomeAssistant, client: TestClient[Any, Any]) -> Get:
    """Return a function that requests a path as a station does."""

    async def _get(path: str, *, method: str = "GET", **headers: str) -> Answer:
        response = await client.request(method, path, headers=headers)
        return Answer(response.status, await response.text(), response.headers)

    return _get


@pytest.fixture
def pass_time(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PassTime:
    """Return a function that advances the clock by some minutes."""

    async def _pass_time(minutes: float) -> None:
        freezer.tick(timedelta(minutes=minutes))
        async_fire_time_changed(hass)
        await hass.async_block_till_done()

    return _pass_time


@pytest.fixture
def integration_log(
    caplog: pytest.LogCaptureFixture,
) -> Generator[Callable[[], list[str]]]:
    """Return a function that returns what the integration has logged."""

    def _messages() -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.name.startswith("custom_components.esp_weather")
        ]

    with caplog.at_level("DEBUG"):
        yield _messages
