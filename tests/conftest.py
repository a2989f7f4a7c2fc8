"""What the tests of the integration share."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from datetime import timedelta
import logging
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
from multidict import CIMultiDictProxy
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
from homeassistant.const import CONF_API_KEY, CONF_MAC, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component

# Home Assistant's plugin has every statement of the recorder logged.
logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)

# The key and the MACs of the old server's examples; they are not hexadecimal.
KEY = "PHDNGI2345"
OUTDOOR = "6c:rf:7f:2b:0e:g8"
INDOOR = "5m:ct:7f:3b:0d:a8"


class Answer(NamedTuple):
    """What the web server answered."""

    status: int
    text: str
    headers: CIMultiDictProxy[str]


type Get = Callable[..., Awaitable[Answer]]
type PassTime = Callable[[float], Awaitable[None]]


def legacy_url(
    data: str = "72.3", *, key: str = KEY, mac: str = OUTDOOR, field: str = "1"
) -> str:
    """Return the path of a legacy report."""
    return f"/update/API_key={key}/mac={mac}/field={field}/data={data}"


async def raw_get(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: str
) -> str:
    """Request a path as it is, on a connection that this closes; return the answer."""
    reader, writer = connection
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: hass\r\nConnection: close\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    return answer.decode()


def station_entry(
    mac: str = OUTDOOR, title: str = "Outdoor", **kwargs: Any
) -> MockConfigEntry:
    """Return the config entry of a station."""
    return MockConfigEntry(
        domain=DOMAIN,
        title=title,
        unique_id=mac,
        data={CONF_MAC: mac, CONF_API_KEY: KEY},
        **kwargs,
    )


def entity_id(
    hass: HomeAssistant,
    key: str,
    *,
    mac: str = OUTDOOR,
    platform: Platform = Platform.SENSOR,
) -> str | None:
    """Return the entity ID of a station's entity, found by its unique ID."""
    return er.async_get(hass).async_get_entity_id(platform, DOMAIN, f"{mac}_{key}")


def state_of(hass: HomeAssistant, key: str, *, mac: str = OUTDOOR) -> str:
    """Return the state of a station's sensor."""
    found = entity_id(hass, key, mac=mac)
    assert found is not None
    state = hass.states.get(found)
    assert state is not None
    return state.state


def connectivity(hass: HomeAssistant) -> str:
    """Return the state of the station's connectivity sensor."""
    found = entity_id(hass, "connectivity", platform=Platform.BINARY_SENSOR)
    assert found is not None
    state = hass.states.get(found)
    assert state is not None
    return state.state


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return the snapshots in Home Assistant's format.

    Its plugin has the same fixture, which syrupy's own may hide.
    """
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


async def upload(client: TestClient[Any, Any], file: Path) -> str:
    """Upload a file as a browser does and return its ID."""
    with file.open("rb") as content:
        response = await client.post("/api/file_upload", data={"file": content})
    uploaded: str = (await response.json())["file_id"]
    return uploaded


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
    """Return a function that lets minutes pass."""

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
