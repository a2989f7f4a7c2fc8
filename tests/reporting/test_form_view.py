"""The form report over HTTP: the answers to sketches made for ThingSpeak."""

import asyncio
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
import json
from typing import Any
from urllib.parse import urlencode

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.esp_weather.const import CONF_LEGACY, DOMAIN
from custom_components.esp_weather.data import DATA
from custom_components.esp_weather.reporting import body as body_module
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_INTEGRATION_DISCOVERY,
    ConfigEntryDisabler,
)
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
    follow_up,
    issues,
    state_of,
    station_entry,
)

BULK_JSON = "/channels/12345/bulk_update.json"
BULK_CSV = "/channels/12345/bulk_update.csv"
NEW = "5c:cf:7f:2b:0e:a8"


class Post:
    """Sends form reports."""

    def __init__(self, client: TestClient[Any, Any]) -> None:
        """Initialize with an HTTP client."""
        self._client = client

    async def __call__(
        self,
        path: str = "/update",
        data: dict[str, Any] | str | bytes = b"",
        method: str = "POST",
        **headers: str,
    ) -> Answer:
        """Send a form, or JSON if the path says so."""
        if isinstance(data, dict):
            as_json = path.endswith(".json")
            data = json.dumps(data) if as_json else urlencode(data)
        response = await self._client.request(method, path, data=data, headers=headers)
        return Answer(response.status, await response.text(), response.headers)


@pytest.fixture
def post(station: MockConfigEntry, client: TestClient[Any, Any]) -> Post:
    """Return a function that sends form reports to a Home Assistant with a station."""
    return Post(client)


@pytest.fixture
async def indoor(hass: HomeAssistant, station: MockConfigEntry) -> MockConfigEntry:
    """Set up a second station with the same key."""
    entry = station_entry(INDOOR, "Indoor")
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    return entry


@pytest.mark.parametrize(
    ("path", "data", "method", "headers"),
    [
        (f"/update?api_key={KEY}&field1=21.5", b"", "GET", {}),
        (f"/update?key={KEY}&field1=21.5", b"", "GET", {}),
        (f"/update?field1=21.5&api_key={KEY}", b"", "POST", {}),
        ("/update", {"api_key": KEY, "field1": 21.5}, "POST", {}),
        ("/update", {"api_key": KEY, "field1": 21.5}, "GET", {}),
        ("/update?field1=21.5", b"", "GET", {"THINGSPEAKAPIKEY": KEY}),
        ("/update", "field1=21.5", "POST", {"X-THINGSPEAKAPIKEY": KEY}),
        ("/update", f"api_key={KEY}&field1=21.5\r\n", "POST", {}),
        ("/update", json.dumps({"api_key": KEY, "field1": "21.5"}), "POST", {}),
        (
            "/update",
            f"api_key={KEY}&field1=%2021.50&status=a+b&lat=1&headers=false",
            "POST",
            {"Content-Type": "application/x-www-form-urlencoded"},
        ),
        (
            "/update",
            f"api_key={KEY}&field1=21.5",
            "POST",
            {"Content-Type": "text/plain"},
        ),
    ],
)
async def test_update(
    hass: HomeAssistant,
    post: Post,
    path: str,
    data: Any,
    method: str,
    headers: dict[str, str],
) -> None:
    """An update is answered with its number once it is the state."""
    for entry in ("1", "2"):
        answer = await post(path, data, method, **headers)

        assert (answer.status, answer.text) == (HTTPStatus.OK, entry)
        assert answer.headers["Content-Length"] == "1"
        assert answer.headers["Cache-Control"] == "no-store"
        assert state_of(hass, "1") == "21.5"


async def test_all_fields(hass: HomeAssistant, post: Post) -> None:
    """One update may have all fields of a station, one more than on ThingSpeak."""
    fields = {f"field{number}": str(10 + number) for number in range(1, 10)}
    answer = await post("/update", {"api_key": KEY, **fields})

    assert (answer.status, answer.text) == (HTTPStatus.OK, "1")
    for number in range(1, 10):
        assert state_of(hass, str(number)) == f"{10 + number}.0"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_json_update(
    hass: HomeAssistant, post: Post, freezer: Any, method: str
) -> None:
    """JSON is answered as ThingSpeak documents it."""
    freezer.move_to("2026-11-26 12:00:00+00:00")
    data = {"api_key": KEY, "field1": 21.5, "field8": "1013.2", "status": "fine"}
    answer = await post("/update.json", data, method)

    assert answer.status == HTTPStatus.OK
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert json.loads(answer.text) == {
        "channel_id": 0,
        "created_at": "2026-11-26T12:00:00Z",
        "entry_id": 1,
        "field1": 21.5,
        **dict.fromkeys(f"field{number}" for number in range(2, 8)),
        "field8": "1013.2",
        "latitude": None,
        "longitude": None,
        "elevation": None,
        "status": "fine",
    }
    assert state_of(hass, "1") == "21.5"
    assert state_of(hass, "8") == "1013.2"


async def test_nothing_measured(
    hass: HomeAssistant, post: Post, station: MockConfigEntry
) -> None:
    """An update without a field is accepted: ESPEasy sends a text as status."""
    answer = await post("/update", {"api_key": KEY, "status": "hello"})

    assert (answer.status, answer.text) == (HTTPStatus.OK, "1")
    assert station.runtime_data.connected


async def test_page(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, freezer: Any
) -> None:
    """A browser gets a page."""
    await hass.config.async_set_time_zone("Europe/Vienna")
    freezer.move_to("2026-11-24 15:25:03+00:00")
    path = f"/update?api_key={KEY}&field1=21.5"

    answer = await get(path, Accept="text/html")
    for part in ("<h1>1</h1>", "Outdoor", "2026-11-24 16:25:03 CET"):
        assert part in answer.text

    prefetched = await get(path, Accept="text/html", Purpose="prefetch")
    assert prefetched.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "<h1>This page was requested in advance" in prefetched.text

    refused = await get("/update?api_key=x&field1=1", Accept="text/html")
    assert refused.status == HTTPStatus.FORBIDDEN
    assert "<h1>No station with this MAC and key" in refused.text


UNKNOWN = [
    "/update",
    "/update?field1=21.5",
    "/update?api_key=&field1=21.5",
    f"/update?api_key={KEY}x&field1=21.5",
    f"/update?api_key={KEY.lower()}&field1=nan",
    f"/update?api_key=wrong&mac={OUTDOOR}&field1=21.5",
    f"/update?api_key=wrong&mac={INDOOR}&field1=21.5",
    "/update?api_key=wrong&mac=MAC&field1=21.5",
    f"/update?api_key=wrong&field1=1{'&' * 100}",
    "/update?api_key=%ff&field1=1",
]


@pytest.mark.parametrize("path", UNKNOWN)
async def test_unknown(hass: HomeAssistant, post: Post, path: str) -> None:
    """Without a valid key, the answer is ThingSpeak's 0."""
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    for method in ("GET", "POST"):
        answer = await post(path, method=method)
        assert (answer.status, answer.text) == (HTTPStatus.UNAUTHORIZED, "0")
        assert answer.headers["Cache-Control"] == "no-store"
    answer = await post(path.replace("/update", "/update.json"))
    assert answer.status == HTTPStatus.UNAUTHORIZED
    error = {
        "error_code": "error_auth_required",
        "message": "Authorization Required",
        "details": "No station with this MAC and key may report here.",
    }
    assert json.loads(answer.text) == {"status": "401", "error": error}
    for bulk in (BULK_JSON, BULK_CSV):
        answer = await post(path.replace("/update", bulk))
        assert answer.status == HTTPStatus.UNAUTHORIZED
        assert json.loads(answer.text) == {"status": "401", "error": error}
    assert not changes


async def test_refusals_are_alike(post: Post) -> None:
    """Neither headers nor body reveal what is wrong."""
    answers = [await post(path) for path in UNKNOWN]
    headers = [dict(answer.headers) for answer in answers]
    for header in headers:
        header.pop("Date")
        assert header == headers[0]


async def test_wrong_key_is_told_to_the_user(
    hass: HomeAssistant, post: Post, station: MockConfigEntry
) -> None:
    """A wrong key with the MAC of a station raises the repair issue."""
    for _ in range(3):
        await post("/update", {"api_key": "wrong", "mac": OUTDOOR, "field1": 1})
    await follow_up(hass)
    assert issues(hass) == [("wrong_key", "Outdoor")]


@pytest.mark.parametrize("options", [{CONF_LEGACY: False}])
async def test_switched_off(hass: HomeAssistant, post: Post) -> None:
    """Where unsigned reports are off, form reports are refused."""
    for data in ({}, {"mac": OUTDOOR}):
        answer = await post("/update", {"api_key": KEY, "field1": 1, **data})
        assert (answer.status, answer.text) == (HTTPStatus.UNAUTHORIZED, "0")
    assert entity_id(hass, "1") is None


@pytest.mark.parametrize("state", [CoreState.starting, CoreState.stopping])
async def test_starting_and_stopping(
    hass: HomeAssistant, post: Post, state: CoreState
) -> None:
    """Nothing is taken while Home Assistant starts or stops, whatever the key."""
    hass.set_state(state)
    for key in (KEY, "wrong"):
        answer = await post("/update", {"api_key": key, "field1": 1})
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        assert int(answer.headers["Retry-After"]) > 0
    answer = await post("/update.json", {"api_key": KEY, "field1": 1})
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert int(answer.headers["Retry-After"]) > 0
    assert json.loads(answer.text)["error"]["error_code"] == "error_service_unavailable"
    hass.set_state(CoreState.running)


async def test_entry_not_loaded(
    hass: HomeAssistant, post: Post, station: MockConfigEntry
) -> None:
    """The station is asked to retry while its entry is not loaded."""
    await hass.config_entries.async_set_disabled_by(
        station.entry_id, ConfigEntryDisabler.USER
    )
    MockConfigEntry(domain=DOMAIN, unique_id=INDOOR, source=SOURCE_IGNORE).add_to_hass(
        hass
    )
    data = {"api_key": KEY, "field1": 1}
    assert (await post("/update", data)).status == HTTPStatus.SERVICE_UNAVAILABLE
    assert (await post("/update", {**data, "api_key": "x"})).text == "0"
    assert (await post("/update", {**data, "mac": INDOOR})).text == "0"

    await hass.config_entries.async_set_disabled_by(station.entry_id, None)
    assert (await post("/update", data)).text == "1"


async def test_new_field_without_its_platform(
    post: Post, station: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The station is asked to retry while no sensor can be created."""
    monkeypatch.setattr(station.runtime_data, "_factory", None)
    answer = await post("/update", {"api_key": KEY, "field1": 1})
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE


async def test_two_stations_with_one_key(
    hass: HomeAssistant, post: Post, indoor: MockConfigEntry
) -> None:
    """The MAC tells the stations apart; without it the answer asks for it."""
    data = {"api_key": KEY, "field1": 21.5}
    answer = await post("/update", data)
    assert answer.status == HTTPStatus.BAD_REQUEST
    assert answer.text.startswith("Several stations have this key.")
    assert "mac=" in answer.text
    answer = await post("/update.json", data)
    assert json.loads(answer.text)["error"]["error_code"] == "error_bad_request"
    assert entity_id(hass, "1") is None

    for mac in (INDOOR, INDOOR.replace(":", "-").upper()):
        answer = await post("/update", {**data, "mac": mac})
        assert answer.status == HTTPStatus.OK
    assert state_of(hass, "1", mac=INDOOR) == "21.5"
    assert entity_id(hass, "1") is None

    # One that is disabled still counts: its reports are not the other's.
    await hass.config_entries.async_set_disabled_by(
        indoor.entry_id, ConfigEntryDisabler.USER
    )
    assert (await post("/update", data)).status == HTTPStatus.BAD_REQUEST

    # One that only takes signed reports does not.
    hass.config_entries.async_update_entry(indoor, options={CONF_LEGACY: False})
    assert (await post("/update", data)).status == HTTPStatus.OK
    assert state_of(hass, "1") == "21.5"


@pytest.mark.parametrize(
    ("mac", "status"),
    [
        (True, HTTPStatus.UNAUTHORIZED),
        (-1, HTTPStatus.UNAUTHORIZED),
        ([OUTDOOR], HTTPStatus.UNAUTHORIZED),
        ({"a": OUTDOOR}, HTTPStatus.UNAUTHORIZED),
        ("", HTTPStatus.UNAUTHORIZED),
        (None, HTTPStatus.OK),
    ],
)
async def test_mac_in_json(
    station: MockConfigEntry, post: Post, mac: object, status: HTTPStatus
) -> None:
    """A MAC that is not a text is wrong; null counts as no MAC."""
    data = {"api_key": KEY, "mac": mac, "field1": 21.5}
    assert (await post("/update.json", data)).status == status


async def test_discovery(hass: HomeAssistant, post: Post) -> None:
    """An unknown station is discovered if its key is that of another one."""
    data = {"api_key": KEY, "mac": "5c:cf:7f:2b:e:a8", "field1": 21.5}
    assert (await post("/update", data)).text == "0"
    assert (await post("/update", {**data, "mac": "00:00:00:00:00:00"})).text == "0"
    await follow_up(hass)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_INTEGRATION_DISCOVERY
    assert flow["context"]["unique_id"] == NEW


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "Home Assistant does not know this station yet. Add mac="),
        ({"mac": "MAC"}, "Replace MAC with"),
        ({"mac": "5c:cf"}, "mac is not six pairs"),
        ({"mac": "00:00:00:00:00:00"}, "mac is all zeros or all f"),
        ({"mac": NEW, "created_at": "x", "field1": 1}, None),
    ],
)
async def test_pairing(
    hass: HomeAssistant, post: Post, data: dict[str, Any], text: str | None
) -> None:
    """A report with the key of a pairing is answered with what to do next."""
    pairings = hass.data[DATA].pairings
    pairing = pairings.async_start("waiting")
    answer = await post("/update", {"api_key": "waiting", **data})
    if text is None:
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    else:
        assert answer.status == HTTPStatus.BAD_REQUEST
        assert answer.text.startswith(text)

    answer = await post("/update", {"api_key": "waiting", "mac": NEW, "field2": 48.2})
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.text.startswith("Station found. Give it a name")
    assert await pairing.mac == NEW
    assert pairing.values == {2: 48.2}
    pairings.async_end("waiting")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("field1=nan", "Field 1: data is not a decimal number, such as 21.5."),
        ("field2=21,5", "Field 2: data is not a decimal number, such as 21.5."),
        ("field1=1e999", "Field 1: data is too large for a number."),
        ("field1=1&created_at=x", "Field 1: created_at is not a time such as"),
        ("field1=1&created_at=0", "Field 1: The reading is more than 7 days old."),
        ("field1=1&created_at=2099-01-01", "Field 1: created_at is in the future."),
        ("field1=1&timezone=Moon", "timezone is not the name of a time zone"),
        ("&" * 100, "The report has more than 64 parameters."),
        ("a=" + "x" * 65536, "The report has more than 65536 bytes."),
    ],
)
async def test_bad_request(
    hass: HomeAssistant, post: Post, data: str, text: str
) -> None:
    """A report without any valid reading is refused with the reason."""
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    answer = await post("/update", f"api_key={KEY}&{data}")
    assert answer.status in (
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
    assert answer.text.startswith(text)
    assert not changes
    assert entity_id(hass, "1") is None


async def test_broken_json(post: Post) -> None:
    """Malformed JSON is refused with the reason, if the key is right."""
    answer = await post("/update.json", f'{{"api_key": "{KEY}", "field1": }}')
    assert answer.status == HTTPStatus.BAD_REQUEST
    error = json.loads(answer.text)["error"]
    assert error == {
        "error_code": "error_bad_request",
        "message": "Bad Request",
        "details": "The body is not JSON.",
    }


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/update", "PUT", "GET, POST"),
        ("/update", "HEAD", "GET, POST"),
        ("/update.json", "DELETE", "GET, POST"),
        (BULK_JSON, "GET", "POST"),
        (BULK_CSV, "GET", "POST"),
    ],
)
async def test_other_methods(
    hass: HomeAssistant, post: Post, path: str, method: str, allowed: str
) -> None:
    """Other methods are refused."""
    answer = await post(f"{path}?api_key={KEY}&field1=1", method=method)
    assert answer.status == HTTPStatus.METHOD_NOT_ALLOWED
    assert answer.headers["Allow"] == allowed
    assert entity_id(hass, "1") is None


@pytest.mark.parametrize("path", ["/update", "/update.json", BULK_JSON, BULK_CSV])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "https://evil.example:8123"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_other_origin(
    hass: HomeAssistant, post: Post, path: str, headers: dict[str, str]
) -> None:
    """A page of another site sends nothing by POST, not even with the right key."""
    content = {"api_key": KEY, "field1": 21.5, "updates": [{"field1": 21.5}]}
    answer = await post(path, content, **headers)

    assert answer.status == HTTPStatus.UNAUTHORIZED
    assert entity_id(hass, "1") is None
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_other_origin_page(post: Post) -> None:
    """Who has filled in a form there gets to know why nothing comes of it."""
    answer = await post(
        "/update", f"api_key={KEY}", Origin="http://evil.example", Accept="text/html"
    )

    assert answer.status == HTTPStatus.FORBIDDEN
    assert "A web page of another address has sent this." in answer.text
    assert "Compare both" not in answer.text


async def test_own_origin(
    hass: HomeAssistant, post: Post, client: TestClient[Any, Any]
) -> None:
    """A page of Home Assistant may send, and any page may request an address."""
    own = f"http://127.0.0.1:{client.server.port}"
    headers = {"Origin": own, "Sec-Fetch-Site": "same-origin"}
    answer = await post("/update", {"api_key": KEY, "field1": 21.5}, **headers)
    assert answer.text == "1"
    answer = await post(
        f"/update?api_key={KEY}&field1=22", method="GET", Origin="http://evil.example"
    )
    assert answer.text == "2"
    assert state_of(hass, "1") == "22.0"


async def test_one_bad_field(hass: HomeAssistant, post: Post) -> None:
    """Only the reading of a failed sensor is refused, and JSON names it."""
    data = {"api_key": KEY, "field1": "nan", "field2": 48.2}
    answer = await post("/update", data)
    assert (answer.status, answer.text) == (HTTPStatus.OK, "1")
    answer = await post("/update.json", data)
    assert json.loads(answer.text)["refused"] == [
        {
            "update": 1,
            "field": 1,
            "reason": "data is not a decimal number, such as 21.5.",
        }
    ]
    assert state_of(hass, "2") == "48.2"
    assert entity_id(hass, "1") is None


@pytest.mark.parametrize("options", [{"fields": {"1": {"kind": "humidity"}}}])
@pytest.mark.parametrize("more", [{}, {"created_at": "2026-11-26 11:59:00"}])
async def test_impossible_value(
    hass: HomeAssistant, post: Post, freezer: Any, more: dict[str, str]
) -> None:
    """An impossible value is named, too, live or past."""
    freezer.move_to("2026-11-26 12:00:00+00:00")
    data = {"api_key": KEY, "field1": 120, "field2": 21.5, **more}
    answer = await post("/update.json", data)
    assert answer.status == HTTPStatus.OK
    ((refused),) = json.loads(answer.text)["refused"]
    assert (refused["update"], refused["field"]) == (1, 1)
    assert "between 0 and 100" in refused["reason"]
    assert state_of(hass, "2") == "21.5"

    answer = await post("/update", {"api_key": KEY, "field1": 120, **more})
    assert answer.status == HTTPStatus.BAD_REQUEST
    assert answer.text.startswith("Field 1: data is not between 0 and 100")


async def test_created_at(hass: HomeAssistant, post: Post, freezer: Any) -> None:
    """An update is stored with its `created_at`."""
    freezer.move_to("2026-11-26 12:00:00+00:00")
    await post("/update", {"api_key": KEY, "field1": 20})
    freezer.tick(timedelta(minutes=10))
    answer = await post(
        "/update",
        f"api_key={KEY}&field1=21.5&created_at=2026-11-26 13:05:00"
        "&timezone=Europe/Vienna",
    )
    assert answer.status == HTTPStatus.OK
    state = hass.states.get(entity_id(hass, "1") or "")
    assert state is not None
    assert state.state == "21.5"
    assert state.last_updated == datetime(2026, 11, 26, 12, 5, tzinfo=UTC)

    # A reading that is older than the state does not become the state.
    answer = await post(
        "/update",
        {"api_key": KEY, "field1": 19, "created_at": "2026-11-26T12:01:00Z"},
    )
    assert answer.status == HTTPStatus.OK
    assert state_of(hass, "1") == "21.5"


@pytest.mark.parametrize("path", [BULK_JSON, BULK_CSV])
async def test_bulk_update(
    hass: HomeAssistant, post: Post, freezer: Any, path: str
) -> None:
    """A bulk update stores all readings; the newest one of a field is its state."""
    freezer.move_to("2026-11-26 12:00:00+00:00")
    updates: Any = [
        {"delta_t": 15, "field1": 20.5, "field2": "nan"},
        {"delta_t": 15, "field1": 21.5, "status": "well"},
        {"delta_t": 60, "field2": 48},
    ]
    if path == BULK_CSV:
        updates = "15,20.5,nan|15,21.5,,,,,,,,,,,well|60,,48"
    answer = await post(
        path,
        {"write_api_key": KEY, "time_format": "relative", "updates": updates},
    )

    assert answer.status == HTTPStatus.ACCEPTED
    assert answer.headers["Content-Type"].startswith("application/json")
    refused = {
        "update": 1,
        "field": 2,
        "reason": "data is not a decimal number, such as 21.5.",
    }
    assert json.loads(answer.text) == {"success": True, "refused": [refused]}
    assert state_of(hass, "1") == "21.5"
    assert state_of(hass, "2") == "48.0"


async def test_bulk_update_of_nothing(
    hass: HomeAssistant, post: Post, freezer: Any
) -> None:
    """A list without updates is a sign of life; a text that is no CSV is refused."""
    answer = await post(BULK_JSON, {"write_api_key": KEY, "updates": []})
    assert answer.status == HTTPStatus.ACCEPTED
    for path in (BULK_JSON, BULK_CSV):
        for text in ("x", "60", "<html>"):
            answer = await post(path, {"write_api_key": KEY, "updates": text})
            assert answer.status == HTTPStatus.BAD_REQUEST
            assert "no list of updates" in answer.text


async def test_slow_body(
    hass: HomeAssistant,
    post: Post,
    client: TestClient[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A body that does not arrive in time is refused."""
    monkeypatch.setattr(body_module, "_TIME_LIMIT", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    writer.write(
        b"POST /update HTTP/1.1\r\nHost: hass\r\nContent-Length: 99\r\n\r\n"
        + f"api_key={KEY}&field1=21.5".encode()
    )
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b"The body took longer than 10 seconds.")
    writer.close()
    await writer.wait_closed()
    assert entity_id(hass, "1") is None


async def test_first_reports_at_the_same_time(
    hass: HomeAssistant, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports that arrive while a sensor is being created are taken, too."""
    add_entities = EntityPlatform.async_add_entities

    async def async_add_entities(*args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0.05)
        await add_entities(*args, **kwargs)

    monkeypatch.setattr(EntityPlatform, "async_add_entities", async_add_entities)
    answers = await asyncio.gather(
        *(post("/update", {"api_key": KEY, "field1": n, "field2": n}) for n in range(5))
    )
    assert sorted(answer.text for answer in answers) == ["1", "2", "3", "4", "5"]
