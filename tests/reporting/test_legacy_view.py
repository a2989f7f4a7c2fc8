"""The legacy report over HTTP: each row of the table in docs/protocol.md."""

import asyncio
from http import HTTPStatus
from typing import Any

from aiohttp.test_utils import TestClient
from multidict import CIMultiDict
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.esp_weather.const import CONF_LEGACY, DOMAIN
from homeassistant.config_entries import SOURCE_IGNORE, ConfigEntryDisabler
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers.entity_platform import EntityPlatform
from tests.helpers import (
    INDOOR,
    KEY,
    OUTDOOR,
    Answer,
    Get,
    entity_id,
    legacy_url,
    state_of,
    station_entry,
)


@pytest.fixture(autouse=True)
async def _indoor(hass: HomeAssistant) -> None:
    """Set up a second station, so that the MAC has to be looked at."""
    station_entry(INDOOR, "Indoor").add_to_hass(hass)


@pytest.mark.parametrize(
    ("path", "mac", "field", "state"),
    [
        (
            "/update/API_key=PHDNGI2345/mac=6c:rf:7f:2b:0e:g8/field=1/data=72.3",
            OUTDOOR,
            "1",
            "72.3",
        ),
        (
            "/update/API_key=PHDNGI2345/mac=5m:ct:7f:3b:0d:a8/field=2/data=15.2",
            INDOOR,
            "2",
            "15.2",
        ),
        (
            "/update/API_key=PHDNGI2345/mac=6c%3Arf%3a7f%3A2b%3A0e%3Ag8/field=1/data=1",
            OUTDOOR,
            "1",
            "1.0",
        ),
        (legacy_url(mac=OUTDOOR.upper()), OUTDOOR, "1", "72.3"),
        (legacy_url(mac=OUTDOOR.replace(":", "-")), OUTDOOR, "1", "72.3"),
        (legacy_url(mac=OUTDOOR.replace(":", "")), OUTDOOR, "1", "72.3"),
        (legacy_url(field="9"), OUTDOOR, "9", "72.3"),
        (legacy_url("-12.5"), OUTDOOR, "1", "-12.5"),
        (legacy_url("+12.5"), OUTDOOR, "1", "12.5"),
        (legacy_url("1.5e1"), OUTDOOR, "1", "15.0"),
        (legacy_url("-2E-1"), OUTDOOR, "1", "-0.2"),
        (legacy_url(".5"), OUTDOOR, "1", "0.5"),
        (legacy_url("21."), OUTDOOR, "1", "21.0"),
        (legacy_url("21.123456"), OUTDOOR, "1", "21.1235"),
        (legacy_url("-0.00001"), OUTDOOR, "1", "0.0"),
        (legacy_url("0" * 31 + "7"), OUTDOOR, "1", "7.0"),
        (legacy_url("21%2e5"), OUTDOOR, "1", "21.5"),
        # As Arduino's dtostrf() and ESPEasy write it
        (legacy_url("%2021.50"), OUTDOOR, "1", "21.5"),
        (legacy_url("21.50%20"), OUTDOOR, "1", "21.5"),
    ],
)
async def test_stored(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    path: str,
    mac: str,
    field: str,
    state: str,
) -> None:
    """A valid report is answered 200 once it is the state."""
    answer = await get(path)

    assert (answer.status, answer.text) == (HTTPStatus.OK, "OK")
    assert answer.headers["Cache-Control"] == "no-store"
    assert state_of(hass, field, mac=mac) == state


@pytest.mark.parametrize(
    ("path", "text"),
    [
        *(
            (legacy_url(field=field), "field is not a number from 1 to 9.")
            for field in ("0", "10", "", "x", "-1", "01", "1.0", "%D9%A1", "1%20")
        ),
        *(
            (legacy_url(data), "data is not a decimal number, such as 21.5.")
            for data in (
                "",
                "nan",
                "inf",
                "-Infinity",
                "1_000",
                "21,5",
                "%D9%A1",
                "0x10",
                "1e",
                "--1",
                "1/2",
                "%ff",
                "<b>1</b>",
            )
        ),
        (legacy_url("1" * 33), "data has more than 32 characters."),
        pytest.param(
            legacy_url("1" * 4000), "data has more than 32 characters.", id="very long"
        ),
        (legacy_url("1e999"), "data is too large for a number."),
        (
            legacy_url("-127"),
            (
                "A DS18B20 reads -127 °C when it is not connected."
                " Check its wiring and the 4.7 kΩ resistor."
            ),
        ),
        (
            legacy_url("85.0"),
            (
                "A DS18B20 reads 85 °C right after a start, before its first"
                " measurement. The next value is taken."
            ),
        ),
    ],
)
async def test_bad_request(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, path: str, text: str
) -> None:
    """An invalid reading is answered 400 with the reason, and changes nothing."""
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)

    answer = await get(path)

    assert (answer.status, answer.text) == (HTTPStatus.BAD_REQUEST, text)
    assert answer.headers["Cache-Control"] == "no-store"
    assert not changes
    assert entity_id(hass, "1") is None


@pytest.mark.parametrize(
    ("path", "options"),
    [
        (legacy_url(key="wrong"), {}),
        (legacy_url(key=""), {}),
        (legacy_url(key="%ff%C3%A9"), {}),
        (legacy_url(mac="6c:rf:7f:2b:0e:00"), {}),
        (legacy_url(mac=""), {}),
        (legacy_url(), {CONF_LEGACY: False}),
        # Without the key, the answer says nothing about the reading.
        (legacy_url("nan", key="wrong", field="0"), {}),
    ],
)
async def test_forbidden(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, path: str
) -> None:
    """A wrong key, an unknown MAC and unsigned reports off are answered alike."""
    answer = await get(path)

    assert (answer.status, answer.text) == (
        HTTPStatus.FORBIDDEN,
        "No station with this MAC and key may report here.",
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert entity_id(hass, "1") is None


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
async def test_refusals_are_alike(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, accept: str
) -> None:
    """Neither headers nor body reveal whether the MAC, the key or both are wrong."""
    answers = [
        await get(path, Accept=accept)
        for path in (
            legacy_url(mac="6c:rf:7f:2b:0e:00"),
            legacy_url(key="wrong"),
            legacy_url(key=f"{KEY[:-1]}x"),
            legacy_url(key="x" * 4000, mac="x" * 1000),
            legacy_url("x", mac="", key="", field=""),
        )
    ]

    assert len({(answer.status, answer.text) for answer in answers}) == 1
    headers = [dict(answer.headers) for answer in answers]
    for header in headers:
        header.pop("Date")
        assert header == headers[0]


@pytest.mark.parametrize(
    "method", ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]
)
async def test_other_methods(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, method: str
) -> None:
    """Other methods than GET are refused."""
    answer = await get(legacy_url(), method=method)

    assert answer.status == HTTPStatus.METHOD_NOT_ALLOWED
    assert answer.headers["Allow"] == "GET"
    assert answer.headers["Cache-Control"] == "no-store"
    assert entity_id(hass, "1") is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"X-Moz": "Prefetch"},
        {"X-Purpose": "preview"},
    ],
)
async def test_prefetch(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, headers: dict[str, str]
) -> None:
    """An address that a browser prefetches stores nothing until it is opened."""
    answer = await get(legacy_url(), Accept="text/html", **headers)

    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "<h1>This page was requested in advance" in answer.text
    assert "Retry-After" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert entity_id(hass, "1") is None

    assert (await get(legacy_url(), **dict.fromkeys(headers, "other"))).status == 200


@pytest.mark.parametrize("path", [legacy_url(), f"/update?api_key={KEY}&field1=1"])
@pytest.mark.parametrize(
    "lines",
    [
        [("Purpose", "x"), ("Purpose", "prefetch")],
        [("Sec-Purpose", ""), ("Sec-Purpose", "prefetch")],
        [("Purpose", "x"), ("X-Moz", "x"), ("Purpose", "y, Prefetch")],
    ],
)
async def test_prefetch_in_a_second_line(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: TestClient[Any, Any],
    path: str,
    lines: list[tuple[str, str]],
) -> None:
    """What a browser says counts even if a proxy has added a line before it."""
    answer = await client.get(path, headers=CIMultiDict(lines))

    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert entity_id(hass, "1") is None


def _assert_not_ready(answer: Answer) -> None:
    assert (answer.status, answer.text) == (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Home Assistant cannot store the reading now. Send it again later.",
    )
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "state", [CoreState.not_running, CoreState.starting, CoreState.stopping]
)
async def test_starting_and_stopping(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, state: CoreState
) -> None:
    """Nothing is taken while Home Assistant starts or stops."""
    hass.set_state(state)

    _assert_not_ready(await get(legacy_url()))

    hass.set_state(CoreState.running)
    assert entity_id(hass, "1") is None
    assert (await get(legacy_url())).status == HTTPStatus.OK


async def test_entry_not_loaded(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The station is asked to retry while its entry is not loaded."""
    await hass.config_entries.async_set_disabled_by(
        station.entry_id, ConfigEntryDisabler.USER
    )
    _assert_not_ready(await get(legacy_url()))
    assert (await get(legacy_url(key="wrong"))).status == HTTPStatus.FORBIDDEN

    await hass.config_entries.async_set_disabled_by(station.entry_id, None)
    assert (await get(legacy_url())).status == HTTPStatus.OK


async def test_ignored_station(hass: HomeAssistant, client: Any, get: Get) -> None:
    """A station that the user has ignored may not report."""
    MockConfigEntry(domain=DOMAIN, unique_id=OUTDOOR, source=SOURCE_IGNORE).add_to_hass(
        hass
    )

    assert (await get(legacy_url())).status == HTTPStatus.FORBIDDEN


async def test_page(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, freezer: Any
) -> None:
    """A browser gets a page with value, unit, local time and station."""
    await hass.config.async_set_time_zone("Europe/Vienna")
    freezer.move_to("2026-11-24 15:25:03+00:00")

    answer = await get(legacy_url("21.5"), Accept="text/html,*/*;q=0.8")

    assert answer.status == HTTPStatus.OK
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<h1>21.5 °C</h1>" in answer.text
    assert "<p>Outdoor</p>\n<p>2026-11-24 16:25:03 CET</p>" in answer.text
    assert KEY not in answer.text
    assert answer.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'; style-src 'sha256-"
    )


@pytest.mark.parametrize("options", [{"fields": {"1": {"kind": "number"}}}])
async def test_page_without_unit(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A plain number has no unit on its page."""
    answer = await get(legacy_url("21.5"), Accept="text/html")

    assert "<h1>21.5</h1>" in answer.text


async def test_page_escapes(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The name of a station cannot put tags into the page."""
    hass.config_entries.async_update_entry(station, title="<b>&amp;")
    await hass.config_entries.async_reload(station.entry_id)

    answer = await get(legacy_url(), Accept="text/html")

    assert "<p>&lt;b&gt;&amp;amp;</p>" in answer.text


@pytest.mark.parametrize(
    ("path", "status", "text", "next_step"),
    [
        (
            legacy_url("<b>"),
            400,
            "data is not a decimal number, such as 21.5.",
            "Correct the address and open it again",
        ),
        (
            legacy_url(key="<b>"),
            403,
            "No station with this MAC and key may report",
            "Settings &gt; Devices &amp; services &gt; ESP Weather",
        ),
    ],
)
async def test_refusal_page(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    path: str,
    status: int,
    text: str,
    next_step: str,
) -> None:
    """A browser gets the reason and what to do next, and nothing of the request."""
    answer = await get(path, Accept="text/html")

    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert f"<h1>{text}" in answer.text
    assert next_step in answer.text
    assert "<b>" not in answer.text
    # A program gets one line only.
    assert next_step not in (await get(path)).text


async def test_refusal_in_the_language_of_home_assistant(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The reason of a refusal is translated."""
    await hass.config.async_update(language="de")
    await hass.async_block_till_done()

    answer = await get(legacy_url(field="0"))

    assert answer.text != "field is not a number from 1 to 9."
    assert "1" in answer.text
    assert "9" in answer.text


async def test_first_reports_at_the_same_time(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of the first reports of a field is a state change of its own."""
    add_entities = EntityPlatform.async_add_entities

    async def async_add_entities(*args: Any, **kwargs: Any) -> None:
        # Creating the sensor takes a while, in which the other reports arrive.
        await asyncio.sleep(0.05)
        await add_entities(*args, **kwargs)

    monkeypatch.setattr(EntityPlatform, "async_add_entities", async_add_entities)
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)

    answers = await asyncio.gather(*(get(legacy_url(str(n))) for n in range(10)))

    assert {answer.status for answer in answers} == {HTTPStatus.OK}
    await hass.async_block_till_done()
    sensor = entity_id(hass, "1")
    values = [
        float(event.data["new_state"].state)
        for event in changes
        if event.data["entity_id"] == sensor and event.data["new_state"]
    ]
    assert sorted(values) == [float(n) for n in range(10)]
