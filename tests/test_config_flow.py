"""The config flow, reconfiguration, and the options flow."""

import asyncio
from collections.abc import Generator
from datetime import timedelta
from http import HTTPStatus
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.esp_weather.const import DOMAIN
from homeassistant.components.http import ApiConfig
from homeassistant.config_entries import (
    SOURCE_DHCP,
    SOURCE_IGNORE,
    SOURCE_INTEGRATION_DISCOVERY,
    SOURCE_USER,
    ConfigFlowResult,
)
from homeassistant.const import CONF_API_KEY, CONF_MAC, CONF_NAME
from homeassistant.core import HomeAssistant
from homeassistant.core_config import async_process_ha_core_config
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo
from homeassistant.util import dt as dt_util

from .helpers import (
    INDOOR,
    KEY,
    OUTDOOR,
    Get,
    PassTime,
    entity_id,
    follow_up,
    legacy_url,
    state_of,
    station_entry,
)

STATION = {CONF_NAME: "Outdoor", CONF_MAC: OUTDOOR, CONF_API_KEY: KEY}
MANUAL = {**STATION, "place": "outside"}
# What the user enters for a station that has sent field 1
NAMED = {CONF_NAME: "Outdoor", "place": "outside", "kind_1": "temperature"}
# The settings of a field that was guessed to be a temperature
GUESSED = {"kind": "temperature"}

pytestmark = pytest.mark.usefixtures("client")


@pytest.fixture(autouse=True)
def _close_dialogs(hass: HomeAssistant, client: object) -> Generator[None]:
    """Close the flows that a test leaves open: pairing has a timer."""
    yield
    for flow in hass.config_entries.flow.async_progress():
        hass.config_entries.flow.async_abort(flow["flow_id"])


async def _choose(hass: HomeAssistant, step: str) -> ConfigFlowResult:
    """Open the dialog and choose from its menu."""
    menu = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    assert menu["type"] is FlowResultType.MENU
    assert menu["menu_options"] == ["board", "pair", "manual"]
    return await hass.config_entries.flow.async_configure(
        menu["flow_id"], {"next_step_id": step}
    )


async def _submit(
    hass: HomeAssistant, result: ConfigFlowResult, **user_input: Any
) -> ConfigFlowResult:
    """Submit a form of the dialog."""
    return await hass.config_entries.flow.async_configure(result["flow_id"], user_input)


def _filled_in(result: ConfigFlowResult, field: str) -> Any:
    """Return the suggested value of a field of the form."""
    assert result["data_schema"] is not None
    (marker,) = (marker for marker in result["data_schema"].schema if marker == field)
    return marker.description["suggested_value"]


@pytest.mark.parametrize(
    ("mac", "key", "name"),
    [
        (OUTDOOR, KEY, "Outdoor"),
        (" 6C-RF-7F-2B-0E-G8 ", f" {KEY} ", " Outdoor "),
        ("6crf7f2b0eg8", KEY, "Outdoor"),
    ],
)
async def test_manual(
    hass: HomeAssistant, get: Get, mac: str, key: str, name: str
) -> None:
    """A station that is added manually may report at once."""
    form = await _choose(hass, "manual")
    assert form["step_id"] == "manual"
    assert re.fullmatch("[0-9a-f]{20}", _filled_in(form, CONF_API_KEY))

    result = await _submit(hass, form, name=name, mac=mac, api_key=key, place="inside")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Outdoor"
    assert result["data"] == {CONF_MAC: OUTDOOR, CONF_API_KEY: KEY, "fields": {}}
    assert result["options"] == {"place": "inside"}
    assert result["result"].unique_id == OUTDOOR
    await hass.async_block_till_done()
    assert (await get(legacy_url())).status == HTTPStatus.OK


async def test_fresh_keys(hass: HomeAssistant) -> None:
    """Each dialog has a key of its own."""
    keys = {_filled_in(await _choose(hass, "manual"), CONF_API_KEY) for _ in range(3)}
    assert len(keys) == 3


async def test_place_is_suggested(hass: HomeAssistant) -> None:
    """The suggested place is inside once a station is outside."""
    form = await _choose(hass, "manual")
    assert _filled_in(form, "place") == "outside"
    await _submit(hass, form, **{**MANUAL, "place": "inside"})
    form = await _choose(hass, "manual")
    assert _filled_in(form, "place") == "outside"
    await _submit(hass, form, **{**MANUAL, CONF_MAC: INDOOR})

    assert _filled_in(await _choose(hass, "manual"), "place") == "inside"


@pytest.mark.parametrize(
    ("source", "address", "server"),
    [
        (
            "http://192.168.7.2:8123",
            "http://192.168.7.2:8123",
            {"host": "192.168.7.2", "port": 8123, "tls": False},
        ),
        (
            "https://ha.example.org",
            "https://ha.example.org",
            {"host": "ha.example.org", "port": 443, "tls": True},
        ),
        (
            ApiConfig("192.168.7.3", "0.0.0.0", 8443, use_ssl=True),
            "https://192.168.7.3:8443",
            {"host": "192.168.7.3", "port": 8443, "tls": True},
        ),
        (
            ApiConfig("fd00::7", "::", 8123, use_ssl=False),
            "http://[fd00::7]:8123",
            {"host": "fd00::7", "port": 8123, "tls": False},
        ),
        (
            None,
            "http://homeassistant.local:8123",
            {"host": "homeassistant.local", "port": 8123, "tls": False},
        ),
    ],
)
async def test_what_to_put_into_the_station(
    hass: HomeAssistant,
    source: str | ApiConfig | None,
    address: str,
    server: dict[str, Any],
) -> None:
    """The last step shows the address and the config.json, ready to copy."""
    if isinstance(source, str):
        # Home Assistant refuses an IP address by default once it uses TLS itself.
        hass.config.api = ApiConfig("192.168.7.3", "0.0.0.0", 8443, use_ssl=True)
        await async_process_ha_core_config(hass, {"internal_url": source})
    else:
        hass.config.api = source

    created = await _submit(hass, await _choose(hass, "manual"), **MANUAL)

    shown = created["description_placeholders"]
    assert shown is not None
    assert shown["url"] == f"{address}{legacy_url('21.5')}"
    config = json.loads(shown["config"])
    assert config["key"] == KEY
    assert config["server"] == server
    assert config["sensors"][0]["field"] == 1
    assert "signed" not in config  # The default is what the chip can do.


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        ({CONF_NAME: "  "}, {CONF_NAME: "name_missing"}),
        ({CONF_MAC: "6c:rf:7f:2b:0e"}, {CONF_MAC: "invalid_mac"}),
        ({CONF_MAC: "6c:rf:7f:2b:0e:g8:00"}, {CONF_MAC: "invalid_mac"}),
        ({CONF_MAC: "6c:rf:7f:2b:0e:ä8"}, {CONF_MAC: "invalid_mac"}),
        ({CONF_MAC: "FF:FF:FF:FF:FF:FF"}, {CONF_MAC: "unset_mac"}),
        ({CONF_API_KEY: " "}, {CONF_API_KEY: "invalid_key"}),
        ({CONF_API_KEY: "k" * 65}, {CONF_API_KEY: "invalid_key"}),
        ({CONF_API_KEY: "a/b"}, {CONF_API_KEY: "invalid_key"}),
        ({CONF_API_KEY: "schlüssel"}, {CONF_API_KEY: "invalid_key"}),
        (
            {CONF_NAME: "", CONF_MAC: "", CONF_API_KEY: ""},
            {
                CONF_NAME: "name_missing",
                CONF_MAC: "invalid_mac",
                CONF_API_KEY: "invalid_key",
            },
        ),
    ],
)
async def test_input_errors(
    hass: HomeAssistant, wrong: dict[str, str], errors: dict[str, str]
) -> None:
    """Each error is shown at its field, and the input is kept."""
    form = await _choose(hass, "manual")

    result = await _submit(hass, form, **{**MANUAL, **wrong})

    assert (result["step_id"], result["errors"]) == ("manual", errors)
    for field, value in wrong.items():
        assert _filled_in(result, field) == value
    assert not hass.config_entries.async_entries(DOMAIN)

    assert (await _submit(hass, result, **MANUAL))["title"] == "Outdoor"


async def test_short_key(hass: HomeAssistant) -> None:
    """A short key is accepted once the user has been warned of this very key."""
    form = await _choose(hass, "manual")
    for key in ("seven_7", "6_char"):
        form = await _submit(hass, form, **{**MANUAL, CONF_API_KEY: key})
        assert form["errors"] == {CONF_API_KEY: "short_key"}
        assert _filled_in(form, CONF_API_KEY) == key

    result = await _submit(hass, form, **{**MANUAL, CONF_API_KEY: "6_char"})
    assert result["type"] is FlowResultType.CREATE_ENTRY

    form = await _choose(hass, "manual")
    long = {**MANUAL, CONF_MAC: INDOOR, CONF_API_KEY: "eight__8"}
    result = await _submit(hass, form, **long)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_manual_duplicate(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """A MAC can be set up only once."""
    form = await _choose(hass, "manual")

    result = await _submit(hass, form, **{**MANUAL, CONF_MAC: OUTDOOR.upper()})

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_two_stations_share_a_key(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """Stations may share a key."""
    form = await _choose(hass, "manual")
    await _submit(hass, form, **{**MANUAL, CONF_MAC: INDOOR})
    await hass.async_block_till_done()

    for mac in (OUTDOOR, INDOOR):
        assert (await get(legacy_url(mac=mac))).status == HTTPStatus.OK


def _shown_key(result: ConfigFlowResult) -> str:
    """Return the key that the dialog shows."""
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    key: str = json.loads(placeholders["config"])["key"]
    assert f"/update/API_key={key}/mac=MAC/field=1/data=" in placeholders["url"]
    return key


async def _next(hass: HomeAssistant, result: ConfigFlowResult) -> ConfigFlowResult:
    """Return the next step, which the dialog shows by itself."""
    await hass.async_block_till_done()
    # A station may send its other fields with requests of their own.
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=4))
    await hass.async_block_till_done()
    return await hass.config_entries.flow.async_configure(result["flow_id"])


async def test_pair(hass: HomeAssistant, get: Get) -> None:
    """A station is found by its first report with the key that is shown."""
    waiting = await _choose(hass, "pair")
    assert waiting["type"] is FlowResultType.SHOW_PROGRESS
    key = _shown_key(waiting)
    assert (await get(legacy_url())).status == HTTPStatus.FORBIDDEN

    answer = await get(legacy_url(key=key, mac=OUTDOOR.upper()))
    # The reading is not stored yet; the station is asked to retry.
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "Retry-After" in answer.headers

    form = await _next(hass, waiting)
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "name")
    assert form["description_placeholders"] == {"mac": OUTDOOR, "value_1": "72.3"}
    assert _filled_in(form, "kind_1") == "temperature"
    assert (await get(legacy_url(key=key))).status == HTTPStatus.SERVICE_UNAVAILABLE
    form = await _submit(hass, form, name=" ", place="outside", kind_1="humidity")
    assert form["errors"] == {CONF_NAME: "name_missing"}

    assert _filled_in(form, "kind_1") == "humidity"
    result = await _submit(hass, form, **NAMED)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == {CONF_MAC: OUTDOOR, CONF_API_KEY: key, "fields": {}}
    assert result["options"] == {
        "place": "outside",
        "fields": {"1": {"kind": "temperature"}},
    }
    await hass.async_block_till_done()
    assert (await get(legacy_url(key=key))).status == HTTPStatus.OK
    # The key now belongs to this station: no other one is paired with it.
    assert (await get(legacy_url(key=key, mac=INDOOR))).status == HTTPStatus.FORBIDDEN


def _qr_code(form: ConfigFlowResult) -> dict[str, list[str]]:
    """Return what a phone that scans the QR code hands to the board's page."""
    assert form["data_schema"] is not None
    (selector,) = form["data_schema"].schema.values()
    url = urlsplit(selector.config["data"])
    assert (url.scheme, url.netloc, url.path) == ("http", "192.168.4.1", "/")
    return parse_qs(url.fragment)


@pytest.mark.parametrize("is_early", [True, False])
async def test_pair_board(hass: HomeAssistant, get: Get, is_early: bool) -> None:
    """The QR code has key and address; the board may report before or after Submit."""
    await hass.config.async_update(internal_url="http://192.168.1.2:8123")
    form = await _choose(hass, "board")
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "board")
    code = _qr_code(form)
    key = code["key"][0]
    assert code == {"key": [key], "host": ["192.168.1.2"], "port": ["8123"]}
    placeholders = form["description_placeholders"]
    assert placeholders is not None
    assert (placeholders["key"], placeholders["server"]) == (
        key,
        "http://192.168.1.2:8123",
    )

    url = legacy_url(key=key, mac=OUTDOOR)
    if is_early:
        assert (await get(url)).status == HTTPStatus.SERVICE_UNAVAILABLE
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=4))
        await hass.async_block_till_done()
    named = await _submit(hass, form)
    if not is_early:
        assert named["type"] is FlowResultType.SHOW_PROGRESS
        assert (await get(url)).status == HTTPStatus.SERVICE_UNAVAILABLE
        named = await _next(hass, named)
    assert (named["type"], named["step_id"]) == (FlowResultType.FORM, "name")
    result = await _submit(hass, named, **NAMED)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == {CONF_MAC: OUTDOOR, CONF_API_KEY: key, "fields": {}}


async def test_pair_board_time_limit(
    hass: HomeAssistant, get: Get, pass_time: PassTime
) -> None:
    """The key expires while the QR code is shown, too."""
    form = await _choose(hass, "board")
    await pass_time(10.1)
    result = await _submit(hass, form)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "pair_timeout")


async def test_qr_code_of_https(hass: HomeAssistant) -> None:
    """The page is told that Home Assistant is at https."""
    await hass.config.async_update(internal_url="https://ha.example.org")
    code = _qr_code(await _choose(hass, "board"))
    assert code == {
        "key": code["key"],
        "host": ["ha.example.org"],
        "port": ["443"],
        "tls": ["1"],
    }


async def test_pair_time_limit(
    hass: HomeAssistant, get: Get, pass_time: PassTime
) -> None:
    """Pairing expires after 10 minutes, even if the dialog is not shown."""
    waiting = await _choose(hass, "pair")
    await pass_time(9.9)
    key = _shown_key(waiting)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "pair"

    await pass_time(0.2)
    assert (await get(legacy_url(key=key))).status == HTTPStatus.FORBIDDEN
    result = await _next(hass, waiting)

    assert (result["type"], result["reason"]) == (
        FlowResultType.ABORT,
        "pair_timeout",
    )
    assert (await get(legacy_url(key=key))).status == HTTPStatus.FORBIDDEN


async def test_pair_named_late(
    hass: HomeAssistant, get: Get, pass_time: PassTime
) -> None:
    """The pairing expires while the form is open, which can still be submitted."""
    waiting = await _choose(hass, "pair")
    key = _shown_key(waiting)
    await get(legacy_url(key=key))
    form = await _next(hass, waiting)
    assert (await get(legacy_url(key=key))).status == HTTPStatus.SERVICE_UNAVAILABLE

    await pass_time(10.1)
    assert (await get(legacy_url(key=key))).status == HTTPStatus.FORBIDDEN

    result = await _submit(hass, form, **NAMED)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert (await get(legacy_url(key=key))).status == HTTPStatus.OK


async def test_pair_cancelled(hass: HomeAssistant, get: Get) -> None:
    """The key of a cancelled dialog is invalid."""
    waiting = await _choose(hass, "pair")
    hass.config_entries.flow.async_abort(waiting["flow_id"])

    answer = await get(legacy_url(key=_shown_key(waiting)))

    assert answer.status == HTTPStatus.FORBIDDEN


async def test_pair_two_at_once(hass: HomeAssistant, get: Get) -> None:
    """Each of two dialogs gets the station that has its key."""
    dialogs = [await _choose(hass, "pair") for _ in range(2)]
    keys = [_shown_key(dialog) for dialog in dialogs]
    assert keys[0] != keys[1]

    await asyncio.gather(
        get(legacy_url(key=keys[1], mac=INDOOR)),
        get(legacy_url(key=keys[0], mac=OUTDOOR)),
    )

    assert [
        (await _next(hass, dialog))["description_placeholders"] for dialog in dialogs
    ] == [
        {"mac": OUTDOOR, "value_1": "72.3"},
        {"mac": INDOOR, "value_1": "72.3"},
    ]


async def test_pairings_are_bounded(hass: HomeAssistant, get: Get) -> None:
    """The keys that wait for a station are few; the newest ones are good."""
    dialogs = [await _choose(hass, "pair") for _ in range(12)]
    answers = [await get(legacy_url(key=_shown_key(dialog))) for dialog in dialogs]

    assert [answer.status for answer in answers] == [403, 403] + [503] * 10
    ended = await _next(hass, dialogs[0])
    assert (ended["type"], ended["reason"]) == (FlowResultType.ABORT, "pair_timeout")
    # Only those that were found go on.
    form = await _next(hass, dialogs[-1])
    assert form["step_id"] == "name"


async def test_pairing_is_bounded(hass: HomeAssistant, get: Get) -> None:
    """What is kept of the station that is found does not grow with its reports."""
    waiting = await _choose(hass, "pair")
    key = _shown_key(waiting)
    for number in range(1, 30):
        await get(legacy_url(str(number), key=key, field=str(number % 12)))
        await get(legacy_url(key=key, mac=f"5c:cf:7f:2b:0e:{number + 10}"))

    form = await _next(hass, waiting)
    assert form["description_placeholders"] == {
        "mac": OUTDOOR,
        **{f"value_{n}": str(n + (24 if n < 6 else 12)) for n in range(1, 10)},
    }


async def test_pair_known_station(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """Pairing a known station changes its key."""
    waiting = await _choose(hass, "pair")
    key = _shown_key(waiting)
    await get(legacy_url(key=key))

    result = await _next(hass, waiting)

    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "key_changed")
    assert result["description_placeholders"] == {"name": "Outdoor"}
    await hass.async_block_till_done()
    assert (await get(legacy_url(key=key))).status == HTTPStatus.OK
    assert (await get(legacy_url())).status == HTTPStatus.FORBIDDEN
    assert hass.config_entries.async_entries(DOMAIN) == [station]


async def test_pair_ignored_station(hass: HomeAssistant, get: Get) -> None:
    """An ignored discovery can be paired."""
    await _discover_by_dhcp(hass)
    await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE},
        data={"unique_id": DHCP_MAC, "title": "esp-weather-1"},
    )
    assert (await _discover_by_dhcp(hass))["reason"] == "already_configured"
    waiting = await _choose(hass, "pair")
    key = _shown_key(waiting)
    await get(legacy_url(key=key, mac=DHCP_MAC))

    await _submit(hass, await _next(hass, waiting), **NAMED)

    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.title == "Outdoor"
    assert entry.data == {CONF_MAC: DHCP_MAC, CONF_API_KEY: key, "fields": {}}


async def _next_of(
    hass: HomeAssistant, get: Get, dialog: ConfigFlowResult
) -> ConfigFlowResult:
    """Report with the key of a dialog and return its next form."""
    await get(legacy_url(key=_shown_key(dialog)))
    return await _next(hass, dialog)


async def test_two_dialogs_for_one_station(hass: HomeAssistant, get: Get) -> None:
    """The dialog that is finished first closes the other one."""
    dialogs = [await _choose(hass, "pair") for _ in range(2)]
    forms = [await _next_of(hass, get, dialog) for dialog in dialogs]

    result = await _submit(hass, forms[0], **NAMED)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert hass.config_entries.flow.async_progress() == []


async def test_pair_without_a_mac(hass: HomeAssistant, get: Get) -> None:
    """A report with an invalid MAC does not end the pairing."""
    waiting = await _choose(hass, "pair")
    key = _shown_key(waiting)

    answer = await get(legacy_url(key=key, mac="MAC"))

    assert answer.status == HTTPStatus.BAD_REQUEST
    assert answer.text == "Replace MAC with the MAC address of the station."
    assert (await get(legacy_url(key=key, mac="6c"))).status == HTTPStatus.BAD_REQUEST
    assert (await get(legacy_url("21,5", key=key))).status == HTTPStatus.BAD_REQUEST
    assert (await get(legacy_url(key=key))).status == HTTPStatus.SERVICE_UNAVAILABLE


DHCP_MAC = "5c:cf:7f:2b:0e:a8"


async def _discover_by_dhcp(
    hass: HomeAssistant, mac: str = "5ccf7f2b0ea8"
) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_DHCP},
        data=DhcpServiceInfo(ip="192.0.2.7", hostname="esp-weather-1", macaddress=mac),
    )


async def test_dhcp_pair(hass: HomeAssistant, get: Get) -> None:
    """A station that DHCP has seen is discovered, and can be paired."""
    menu = await _discover_by_dhcp(hass)
    assert (menu["type"], menu["step_id"]) == (FlowResultType.MENU, "discovered")
    assert menu["description_placeholders"] == {
        "name": "esp-weather-1",
        "mac": DHCP_MAC,
    }
    assert (await _discover_by_dhcp(hass))["reason"] == "already_in_progress"
    assert not hass.config_entries.async_entries(DOMAIN)

    waiting = await _submit(hass, menu, next_step_id="pair")
    key = _shown_key(waiting)
    await get(legacy_url(key=key, mac=DHCP_MAC))
    result = await _submit(hass, await _next(hass, waiting), **NAMED)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == {CONF_MAC: DHCP_MAC, CONF_API_KEY: key, "fields": {}}
    assert (await _discover_by_dhcp(hass))["reason"] == "already_configured"


async def test_dhcp_manual(hass: HomeAssistant) -> None:
    """A discovered station that has a key can be added manually, its MAC filled in."""
    menu = await _discover_by_dhcp(hass)
    form = await _submit(hass, menu, next_step_id="manual")
    assert _filled_in(form, CONF_MAC) == DHCP_MAC

    result = await _submit(hass, form, **{**MANUAL, CONF_MAC: DHCP_MAC})
    assert result["data"] == {CONF_MAC: DHCP_MAC, CONF_API_KEY: KEY, "fields": {}}


async def test_dhcp_does_not_get_in_the_way(hass: HomeAssistant, get: Get) -> None:
    """Adding the station manually supersedes its discovery flow."""
    await _discover_by_dhcp(hass)
    waiting = await _choose(hass, "pair")
    await get(legacy_url(key=_shown_key(waiting), mac=DHCP_MAC))

    result = await _submit(hass, await _next(hass, waiting), **NAMED)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert hass.config_entries.flow.async_progress() == []


async def test_dhcp_offers_are_bounded(hass: HomeAssistant) -> None:
    """Whoever asks for addresses cannot fill the page of the integrations."""
    offers = await asyncio.gather(
        *(_discover_by_dhcp(hass, f"5ccf7f2b0e{number}") for number in range(10, 40))
    )
    assert [offer["type"] for offer in offers].count(FlowResultType.MENU) == 20
    assert {offer.get("reason") for offer in offers} == {None, "too_many_discovered"}

    hass.config_entries.flow.async_abort(offers[0]["flow_id"])
    assert (await _discover_by_dhcp(hass))["type"] is FlowResultType.MENU


async def _discovered(hass: HomeAssistant) -> list[ConfigFlowResult]:
    """Return the flows of stations that were discovered by their reports."""
    await follow_up(hass)
    return hass.config_entries.flow.async_progress_by_handler(
        DOMAIN, match_context={"source": SOURCE_INTEGRATION_DISCOVERY}
    )


async def test_discovered_by_its_key(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A second station with the same key is discovered, and only needs a name."""
    for mac in (INDOOR.upper(), INDOOR, INDOOR.replace(":", "")):
        answer = await get(legacy_url(mac=mac))
        assert answer.status == HTTPStatus.FORBIDDEN
        assert answer.text == "No station with this MAC and key may report here."
    (offer,) = await _discovered(hass)
    assert offer["step_id"] == "name"
    assert offer["context"]["title_placeholders"] == {"name": INDOOR}
    assert KEY not in str(offer)

    result = await _submit(hass, offer, name="Indoor", place="inside")

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == {CONF_MAC: INDOOR, CONF_API_KEY: KEY, "fields": {}}
    await hass.async_block_till_done()
    assert (await get(legacy_url(mac=INDOOR))).status == HTTPStatus.OK
    assert not await _discovered(hass)


@pytest.mark.parametrize(
    ("mac", "key"),
    [
        (INDOOR, "PHDNGI2346"),
        (INDOOR, ""),
        (INDOOR, "%ff"),
        (OUTDOOR, "PHDNGI2346"),
        ("MAC", KEY),
    ],
)
async def test_not_discovered(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, mac: str, key: str
) -> None:
    """Neither an unknown key nor the MAC of a known station starts a discovery."""
    assert (await get(legacy_url(mac=mac, key=key))).status == HTTPStatus.FORBIDDEN

    assert not await _discovered(hass)


async def test_discoveries_are_bounded(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The number of discoveries by reports is bounded."""
    for number in range(10, 30):
        await get(legacy_url(mac=f"5c:cf:7f:2b:0e:{number}"))
        await follow_up(hass)

    offers = await _discovered(hass)
    assert len(offers) == 5

    hass.config_entries.flow.async_abort(offers[0]["flow_id"])
    await get(legacy_url(mac=INDOOR))
    assert len(await _discovered(hass)) == 5


async def test_ignored_discovery(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """An ignored station is not discovered again."""
    MockConfigEntry(
        domain=DOMAIN, unique_id=INDOOR, source=SOURCE_IGNORE, data={}
    ).add_to_hass(hass)

    assert (await get(legacy_url(mac=INDOOR))).status == HTTPStatus.FORBIDDEN

    assert not await _discovered(hass)


async def _change(hass: HomeAssistant, station: MockConfigEntry) -> ConfigFlowResult:
    """Open the dialog that changes a station."""
    menu = await station.start_reconfigure_flow(hass)
    assert menu["menu_options"] == ["change", "address"]
    return await _submit(hass, menu, next_step_id="change")


async def test_address(hass: HomeAssistant, station: MockConfigEntry) -> None:
    """Address and config.json can be looked up later, which changes nothing."""
    before = dict(station.data)
    menu = await station.start_reconfigure_flow(hass)
    page = await _submit(hass, menu, next_step_id="address")
    placeholders = page["description_placeholders"]
    assert placeholders is not None
    assert f"/update/API_key={KEY}/mac={OUTDOOR}/field=1" in placeholders["url"]
    assert json.loads(placeholders["config"])["key"] == KEY
    assert _qr_code(page)["key"] == [KEY]

    result = await _submit(hass, page)

    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "unchanged")
    assert station.data == before


async def test_reconfigure(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """Name, MAC and key change; device, entities and their names stay."""
    await get(legacy_url())
    before = {
        entity.id: entity.entity_id
        for entity in er.async_entries_for_config_entry(
            er.async_get(hass), station.entry_id
        )
    }
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), station.entry_id)
    form = await _change(hass, station)
    assert [_filled_in(form, field) for field in STATION] == list(STATION.values())

    result = await _submit(hass, form, name="Garden", mac=INDOOR, api_key="new-key_1")
    await hass.async_block_till_done()

    assert (result["type"], result["reason"]) == (
        FlowResultType.ABORT,
        "reconfigure_successful",
    )
    assert (station.title, station.unique_id) == ("Garden", INDOOR)
    assert station.data == {
        CONF_MAC: INDOOR,
        CONF_API_KEY: "new-key_1",
        "fields": {"1": GUESSED},
    }
    assert {
        entity.id: entity.entity_id
        for entity in er.async_entries_for_config_entry(
            er.async_get(hass), station.entry_id
        )
    } == before
    (renamed,) = dr.async_entries_for_config_entry(dr.async_get(hass), station.entry_id)
    assert (renamed.id, renamed.name) == (device.id, "Garden")
    assert state_of(hass, "1", mac=INDOOR) == "72.3"
    assert (await get(legacy_url())).status == HTTPStatus.FORBIDDEN
    answer = await get(legacy_url("60", mac=INDOOR, key="new-key_1"))
    assert answer.status == HTTPStatus.OK
    assert state_of(hass, "1", mac=INDOOR) == "60.0"
    assert entity_id(hass, "1") is None


async def test_reconfigure_shared_device(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The identifiers of other integrations at the same device are kept."""
    await get(legacy_url())
    registry = dr.async_get(hass)
    (device,) = dr.async_entries_for_config_entry(registry, station.entry_id)
    registry.async_update_device(
        device.id,
        new_identifiers={*device.identifiers, ("unifi", "tracker-7")},
        new_connections={*device.connections, (dr.CONNECTION_BLUETOOTH, OUTDOOR)},
    )

    form = await _change(hass, station)
    await _submit(hass, form, name="Outdoor", mac=INDOOR, api_key=KEY)
    await hass.async_block_till_done()

    (device,) = dr.async_entries_for_config_entry(registry, station.entry_id)
    assert device.identifiers == {(DOMAIN, INDOOR), ("unifi", "tracker-7")}
    assert device.connections == {
        (dr.CONNECTION_NETWORK_MAC, INDOOR),
        (dr.CONNECTION_BLUETOOTH, OUTDOOR),
    }


async def test_reconfigure_errors(
    hass: HomeAssistant, station: MockConfigEntry
) -> None:
    """Wrong input changes nothing, and another station's MAC is refused."""
    station_entry(INDOOR, "Indoor").add_to_hass(hass)
    form = await _change(hass, station)

    form = await _submit(hass, form, name="", mac="x", api_key="")
    assert form["errors"] == {
        CONF_NAME: "name_missing",
        CONF_MAC: "invalid_mac",
        CONF_API_KEY: "invalid_key",
    }
    form = await _submit(hass, form, name="Garden", mac=INDOOR, api_key=KEY)
    assert form["errors"] == {CONF_MAC: "already_configured"}
    assert (station.title, station.unique_id) == ("Outdoor", OUTDOOR)

    result = await _submit(hass, form, name="Garden", mac=OUTDOOR, api_key=KEY)
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()


async def test_reconfigure_short_key(
    hass: HomeAssistant, station: MockConfigEntry
) -> None:
    """A station's own key may stay short; a new short key causes a warning."""
    hass.config_entries.async_update_entry(
        station, data={CONF_MAC: OUTDOOR, CONF_API_KEY: "old"}
    )
    form = await _change(hass, station)
    form = await _submit(hass, form, name="Garden", mac=OUTDOOR, api_key="new")
    assert form["errors"] == {CONF_API_KEY: "short_key"}
    result = await _submit(hass, form, name="Garden", mac=OUTDOOR, api_key="new")
    assert result["reason"] == "reconfigure_successful"

    form = await _change(hass, station)
    result = await _submit(hass, form, name="Porch", mac=OUTDOOR, api_key="new")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()


async def _options(
    hass: HomeAssistant, entry: MockConfigEntry, step: str
) -> ConfigFlowResult:
    """Open the options and choose from their menu."""
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    windows = ["windows"] if entry.options.get("place") == "inside" else []
    steps = ["station", *windows, "fields", "history", "export"]
    assert menu["menu_options"] == steps
    return await hass.config_entries.options.async_configure(
        menu["flow_id"], {"next_step_id": step}
    )


async def _submit_options(
    hass: HomeAssistant, result: ConfigFlowResult, **user_input: Any
) -> ConfigFlowResult:
    """Submit a form of the options, and let the entry reload."""
    result = await hass.config_entries.options.async_configure(
        result["flow_id"], user_input
    )
    await hass.async_block_till_done()
    return result


def _fields_filled_in(result: ConfigFlowResult) -> dict[str, dict[str, Any]]:
    """Return the suggested values of the sections of the fields."""
    assert result["data_schema"] is not None
    return {
        str(name): {
            str(marker): (marker.description or {}).get("suggested_value")
            for marker in section.schema.schema
        }
        for name, section in result["data_schema"].schema.items()
    }


async def test_station_options(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The options of the station: place, timeout, unsigned reports."""
    form = await _options(hass, station, "station")
    assert _filled_in(form, "timeout") == 15
    assert _filled_in(form, "legacy") is True
    assert _filled_in(form, "place") == "elsewhere"
    assert _filled_in(form, "archive") is False

    result = await _submit_options(
        hass, form, timeout=30.0, legacy=False, place="inside", archive=True
    )

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert station.options == {
        "timeout": 30,
        "legacy": False,
        "place": "inside",
        "archive": True,
    }
    assert (await get(legacy_url())).status == HTTPStatus.FORBIDDEN
    form = await _options(hass, station, "station")
    assert (_filled_in(form, "timeout"), _filled_in(form, "legacy")) == (30, False)
    assert _filled_in(form, "place") == "inside"

    await _submit_options(
        hass, form, timeout=30.0, legacy=False, place="elsewhere", archive=False
    )
    assert station.options == {"timeout": 30, "legacy": False, "archive": False}


async def test_field_options(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """Kind, name, unit and calibration of all fields in one dialog."""
    await get(legacy_url(field="2"))
    form = await _options(hass, station, "fields")
    assert form["data_schema"] is not None
    assert next(iter(form["data_schema"].schema)) == "field_2"
    filled_in = _fields_filled_in(form)
    assert filled_in["field_2"] == {
        "kind": "temperature",
        "unit_of_measurement": "°C",
        "name": None,
        "offset": 0.0,
    }
    assert form["description_placeholders"] is not None
    assert form["description_placeholders"]["value_2"] == "72.3"
    assert form["description_placeholders"]["value_1"] == "–"
    entered: dict[str, dict[str, Any]] = {
        f"field_{number}": {"offset": 0} for number in range(1, 10)
    }
    entered["field_2"] = {
        "kind": "temperature",
        "unit_of_measurement": "hPa",
        "name": " Porch ",
        "offset": -1.5,
    }
    form = await _submit_options(hass, form, **entered)
    assert form["errors"] == {"base": "invalid_unit"}
    assert form["description_placeholders"] is not None
    assert form["description_placeholders"]["units"] == "°C, °F, K"
    assert _fields_filled_in(form)["field_2"]["unit_of_measurement"] == "hPa"

    entered["field_2"]["unit_of_measurement"] = "°F"
    entered["field_5"] = {"kind": "number", "unit_of_measurement": "drops", "offset": 0}
    result = await _submit_options(hass, form, **entered)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert station.options == {
        "fields": {
            "2": {"name": "Porch", "unit_of_measurement": "°F", "offset": -1.5},
            "5": {"kind": "number", "unit_of_measurement": "drops"},
        }
    }
    await get(legacy_url("69.5", field="2"))
    state = hass.states.get(str(entity_id(hass, "2")))
    assert state is not None
    assert float(state.state) == pytest.approx(20)
    assert state.name == "Outdoor Porch"
    await get(legacy_url("7", field="5"))
    state = hass.states.get(str(entity_id(hass, "5")))
    assert state is not None
    assert state.attributes["unit_of_measurement"] == "drops"

    filled_in = _fields_filled_in(await _options(hass, station, "fields"))
    assert filled_in["field_2"] == {
        "kind": "temperature",
        "unit_of_measurement": "°F",
        "name": "Porch",
        "offset": -1.5,
    }


@pytest.mark.parametrize(
    "options",
    [{"timeout": 5, "fields": {"1": {"kind": "humidity", "offset": 3.0}}}],
)
async def test_field_of_another_kind(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A new kind has its own unit; other options stay."""
    form = await _options(hass, station, "fields")
    filled_in = _fields_filled_in(form)["field_1"]
    assert filled_in["kind"] == "humidity"
    entered: dict[str, dict[str, Any]] = {
        f"field_{number}": {"offset": 0} for number in range(2, 10)
    }
    entered["field_1"] = {**filled_in, "kind": "pressure", "name": ""}

    await _submit_options(hass, form, **entered)

    assert station.options == {
        "timeout": 5,
        "fields": {"1": {"kind": "pressure", "offset": 3.0}},
    }
    await get(legacy_url("1000"))
    assert state_of(hass, "1") == "1003.0"
