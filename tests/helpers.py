"""Helpers that the tests of the integration share."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp.test_utils import TestClient
from multidict import CIMultiDictProxy
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.esp_weather.const import DOMAIN
from homeassistant.const import CONF_API_KEY, CONF_MAC, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.util import dt as dt_util

# The key and the MACs of the old server's examples; they are not hexadecimal.
KEY = "PHDNGI2345"
OUTDOOR = "6c:rf:7f:2b:0e:g8"
INDOOR = "5m:ct:7f:3b:0d:a8"
# The start of the tests that freeze the time
START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Answer(NamedTuple):
    """An answer of the web server."""

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
    """Request a path unchanged, close the connection, and return the answer."""
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


def entities(hass: HomeAssistant, entry: MockConfigEntry) -> list[dict[str, Any]]:
    """Return the properties of a station's entities that no HA version changes."""
    found = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return [
        {
            "entity_id": entity.entity_id,
            "unique_id": entity.unique_id,
            "category": entity.entity_category,
            "translation_key": entity.translation_key,
            "state": state.state,
            "attributes": {
                str(name): value for name, value in state.attributes.items()
            },
        }
        for entity in sorted(found, key=lambda entity: entity.entity_id)
        if (state := hass.states.get(entity.entity_id))
    ]


def issues(hass: HomeAssistant) -> list[tuple[str, str]]:
    """Return the kind of each issue and the station that it names."""
    return [
        (str(issue.translation_key), issue.translation_placeholders["station"])
        for issue in ir.async_get(hass).issues.values()
        # The issue of a missing recorder names no station.
        if issue.domain == DOMAIN and issue.active and issue.translation_placeholders
    ]


async def follow_up(hass: HomeAssistant) -> None:
    """Let the second pass after which wrong keys are handled."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=1))
    await hass.async_block_till_done(wait_background_tasks=True)


async def upload(client: TestClient[Any, Any], file: Path) -> str:
    """Upload a file as a browser does; return its ID."""
    with file.open("rb") as content:
        response = await client.post("/api/file_upload", data={"file": content})
    uploaded: str = (await response.json())["file_id"]
    return uploaded
