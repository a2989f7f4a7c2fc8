"""No key of a station is in a log, whichever logger writes it."""

import asyncio
from contextlib import suppress
import logging
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.esp_weather.const import DOMAIN
from custom_components.esp_weather.data import DATA
from homeassistant.config_entries import SOURCE_IGNORE
from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from tests.helpers import KEY, OUTDOOR, Get, legacy_url

# A key that no station has
WRONG = "mistyped-8215"


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Log at debug level."""
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
        (
            legacy_url("../../1"),
            "homeassistant.components.http.security_filter",
        ),
        (
            legacy_url("../../1").replace("API_key", "API%5Fkey"),
            "homeassistant.components.http.security_filter",
        ),
        # A key that no station has is found by its name only.
        (
            legacy_url("../../1", key=WRONG).replace("API_key", "%41PI%2dke%79"),
            "homeassistant.components.http.security_filter",
        ),
        (
            f"/update?api_key={KEY}&field1=../../1",
            "homeassistant.components.http.security_filter",
        ),
        (
            f"/update?field1=../../1&api_key={WRONG}",
            "homeassistant.components.http.security_filter",
        ),
        (
            f"/update?field1=../../1&api_key=P%48DNG%2549{KEY[6:]}",
            "homeassistant.components.http.security_filter",
        ),
        (f"/elsewhere/{KEY}/../../1", "homeassistant.components.http.security_filter"),
        (f"/elsewhere?api_key={WRONG}", "aiohttp.access"),
        (f"/elsewhere?key={WRONG}", "aiohttp.access"),
        (f"/elsewhere?any={KEY}", "aiohttp.access"),
    ],
)
async def test_addresses_in_the_log(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: Any,
    caplog: pytest.LogCaptureFixture,
    path: str,
    logger: str,
) -> None:
    """An address that Home Assistant or aiohttp logs is logged without its key."""
    assert await async_setup_component(hass, "system_log", {})

    await _send(client, f"GET {path} HTTP/1.1\r\nHost: hass\r\n\r\n")

    (record,) = (record for record in caplog.records if record.name == logger)
    assert "**REDACTED**" in record.getMessage()
    _assert_no_key(hass, caplog)


REST = f"{KEY}/mac={OUTDOOR}/field=1/data= 21.50 HTTP/1.1\r\nHost: hass\r\n\r\n"


@pytest.mark.parametrize(
    "segments",
    [
        # As Arduino's dtostrf() writes a short number
        pytest.param([f"GET /update/API_key={REST}"], id="whole"),
        pytest.param(["GET /update/API_key=", REST], id="before the key"),
        pytest.param([f"GET /update/API_key= {REST}"], id="blank before the key"),
        pytest.param(["GET /update/API_", f"key={REST}"], id="in the name"),
        *(
            pytest.param(
                [f"GET /update/API_key={REST[:split]}", REST[split:]],
                id=f"after {split} characters",
            )
            for split in range(1, len(KEY) + 1)
        ),
        pytest.param([f"GET /update/%41PI_key={REST}"], id="percent-encoded name"),
        pytest.param([f"GET /update/api-key={REST}"], id="other name"),
        pytest.param([f"GET update/API_key={REST}"], id="no slash"),
        pytest.param([f"GET /%75pdate/API_key={REST}"], id="percent-encoded path"),
        pytest.param([f"GE T /update/API_key={REST}"], id="method"),
        pytest.param(
            [f"GET /update?api_key={KEY}&field1= 21.5 HTTP/1.1\r\n\r\n"], id="query"
        ),
        pytest.param(
            [f"GET update?api_key={KEY}&field1=21.5 HTTP/1.1\r\n\r\n"],
            id="query without a slash",
        ),
        pytest.param(
            ["POST /update HTTP/1.1\r\nX-THINGSPEAKAPIKEY: ", f"{KEY}\0\r\n\r\n"],
            id="header",
        ),
        pytest.param(
            [f"POST /update HTTP/1.1\r\nTHINGSPEAKAPIKEY : {KEY}\r\n\r\n"],
            id="blank in a header",
        ),
        pytest.param(
            [f"POST /update HTTP/1.1\r\nHost: hass\r\n {KEY}: x\r\n\r\n"],
            id="header's name",
        ),
        pytest.param(
            [
                "POST /update HTTP/1.1\r\nHost: hass\r\nContent-Length: 0\r\n\r\n",
                f"api_key={KEY}&field1=21.5",
            ],
            id="body without its length",
        ),
        pytest.param(
            [f"GET /update?x={'x' * 70000}{KEY} HTTP/1.1\r\n\r\n"], id="too long"
        ),
        pytest.param(
            [f"GET /update?api_key={KEY}{'x' * 70000} HTTP/1.1\r\n\r\n"],
            id="too long a key",
        ),
    ],
)
async def test_malformed_requests(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: Any,
    caplog: pytest.LogCaptureFixture,
    segments: list[str],
) -> None:
    """A request that aiohttp cannot parse is logged without any part of a key."""
    assert await async_setup_component(hass, "system_log", {})

    answer = await _send(client, *segments)

    assert "HTTP/1.0 400 " in answer or "HTTP/1.1 400 " in answer
    assert any(record.name == "aiohttp.server" for record in caplog.records)
    _assert_no_key(hass, caplog)


async def test_other_errors(
    hass: HomeAssistant, station: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    """Another error is logged with its text, except for the key."""
    error = ValueError(f"'{KEY}' and 'more'")
    logging.getLogger("aiohttp.server").error("Error", exc_info=error)

    assert "ValueError: '**REDACTED**' and 'more'" in caplog.text
    _assert_no_key(hass, caplog)


async def test_waiting_key(
    hass: HomeAssistant, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The key of a pairing is not logged either."""
    pairings = hass.data[DATA].pairings
    pairings.async_start(KEY)

    await _send(client, f"GET /any/{KEY} HTTP/1.1\r\nHost: hass\r\n\r\n")

    pairings.async_end(KEY)
    assert "/any/**REDACTED** " in caplog.text
    _assert_no_key(hass, caplog)


@pytest.mark.parametrize("path", ["/ 1", "/api/states 1", "/?a ="])
async def test_other_log_records_stay(
    station: MockConfigEntry,
    client: Any,
    caplog: pytest.LogCaptureFixture,
    path: str,
) -> None:
    """A record without a key is logged unchanged, with its traceback."""
    await _send(client, f"GET {path} HTTP/1.1\r\n\r\n")

    (record,) = (rec for rec in caplog.records if rec.name == "aiohttp.server")
    if "=" in path:
        assert "**REDACTED**" in caplog.text
        return
    assert record.exc_info
    assert path in caplog.text


async def test_short_key(
    hass: HomeAssistant, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A key of a few characters is not replaced in every message."""
    MockConfigEntry(domain=DOMAIN, data={CONF_API_KEY: "1"}).add_to_hass(hass)
    # A station that the user has ignored has none.
    MockConfigEntry(domain=DOMAIN, source=SOURCE_IGNORE).add_to_hass(hass)

    await _send(client, "GET /one1 HTTP/1.1\r\nHost: hass\r\n\r\n")

    assert "/one1 HTTP/1.1" in caplog.text


async def _send(client: Any, *segments: str) -> str:
    """Send a request unchanged, each part as its own TCP segment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    for segment in segments:
        writer.write(segment.encode())
        await writer.drain()
        # The server reads this part before it gets the next one.
        await asyncio.sleep(0.02)
    with suppress(ConnectionError):
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer.decode()


def _assert_no_key(hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> None:
    """Assert that neither the log nor Home Assistant's own list of it has a key.

    Nor a part: the key of these tests is such that no other text has three letters
    of it in a row.
    """
    logged = "".join(
        f"{record.getMessage()}{record.exc_text}{caplog.handler.format(record)}"
        for record in caplog.records
        if record.name.startswith(("aiohttp", "homeassistant.components.http"))
    )
    assert logged
    if records := hass.data.get("system_log"):
        logged += str(records.records.to_list())
    assert WRONG not in logged
    for start in range(len(KEY) - 2):
        part = KEY[start : start + 3]
        # Times contain digits.
        assert part.isdigit() or part not in logged
