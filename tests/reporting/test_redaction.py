"""The key of a station in the logs, whoever writes them."""

import asyncio
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from tests.helpers import KEY, Get, legacy_url, raw_get


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Log as much as there is."""
    caplog.set_level("DEBUG")


async def test_what_we_log(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the integration nor Home Assistant logs the key of a report."""
    for path in (legacy_url(), legacy_url("x"), legacy_url(key=f"{KEY}x")):
        await get(path)
    await hass.config_entries.async_reload(station.entry_id)

    assert "/update/API_key=**REDACTED**/mac=6c:rf:7f:2b:0e:g8/" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("path", "logger"),
    [
        # What dtostrf() of Arduino makes of a short number
        pytest.param(legacy_url(" 21.5"), "aiohttp.server", id="space"),
        pytest.param(
            legacy_url("../../1"), "homeassistant.components.http.security_filter"
        ),
        pytest.param(
            legacy_url("../../1").replace("API_key", "API%5Fkey"),
            "homeassistant.components.http.security_filter",
        ),
    ],
)
async def test_what_the_web_server_logs(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: Any,
    caplog: pytest.LogCaptureFixture,
    path: str,
    logger: str,
) -> None:
    """A request that Home Assistant refuses by itself is logged without its key."""
    assert await async_setup_component(hass, "system_log", {})

    answer = await raw_get(
        await asyncio.open_connection("127.0.0.1", client.server.port), path
    )

    assert answer.split()[1] == "400"
    (record,) = (record for record in caplog.records if record.name == logger)
    assert KEY not in caplog.text
    assert "key=**REDACTED**/mac=" in f"{record.getMessage()}{record.exc_text}"
    assert KEY not in str(hass.data["system_log"].records.to_list())


async def test_other_log_records_stay(
    client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What holds no key is logged as ever, its traceback included."""
    await raw_get(await asyncio.open_connection("127.0.0.1", client.server.port), "/ 1")

    (record,) = (rec for rec in caplog.records if rec.name == "aiohttp.server")
    assert record.exc_info
    assert "/ 1" in caplog.text
