"""Pairing: the answers to the station, and its fields in the dialog."""

import asyncio
from collections.abc import Generator
from http import HTTPStatus
from typing import Any

from aiohttp.test_utils import TestClient
import pytest

from custom_components.esp_weather import config_flow
from custom_components.esp_weather.const import DOMAIN
from custom_components.esp_weather.data import DATA
from custom_components.esp_weather.protocol.readings import Declaration, Reading
from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigFlowResult
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from tools.signature import Signer

from .helpers import (
    INDOOR,
    OUTDOOR,
    Get,
    entity_id,
    follow_up,
    issues,
    legacy_url,
    state_of,
)
from .signed_station import SignedStation, reading

pytestmark = pytest.mark.usefixtures("client")


@pytest.fixture(autouse=True)
def _settle(monkeypatch: pytest.MonkeyPatch, hass: HomeAssistant) -> Generator[None]:
    """Skip the wait for more fields; close the dialogs that are left open."""
    monkeypatch.setattr(config_flow, "_SETTLE", 0.2)
    yield
    for flow in hass.config_entries.flow.async_progress():
        hass.config_entries.flow.async_abort(flow["flow_id"])


async def _pair(hass: HomeAssistant) -> tuple[ConfigFlowResult, str]:
    """Start a pairing; return the step and the key that it shows."""
    menu = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    step = await hass.config_entries.flow.async_configure(
        menu["flow_id"], {"next_step_id": "pair"}
    )
    assert step["type"] is FlowResultType.SHOW_PROGRESS
    assert step["description_placeholders"] is not None
    url = step["description_placeholders"]["url"]
    return step, url.partition("API_key=")[2].partition("/")[0]


async def _name_step(hass: HomeAssistant, step: ConfigFlowResult) -> ConfigFlowResult:
    """Wait until the dialog asks for the name."""
    for _ in range(100):
        form = await hass.config_entries.flow.async_configure(step["flow_id"])
        if form["type"] is FlowResultType.FORM:
            return form
        await asyncio.sleep(0.05)
    raise AssertionError("The dialog does not go on")


async def _submit(
    hass: HomeAssistant, form: ConfigFlowResult, **user_input: Any
) -> ConfigEntry[Any]:
    result = await hass.config_entries.flow.async_configure(form["flow_id"], user_input)
    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    await hass.async_block_till_done()
    entry = result["result"]
    assert isinstance(entry, ConfigEntry)
    return entry


def _suggested(form: ConfigFlowResult) -> dict[str, Any]:
    assert form["data_schema"] is not None
    return {
        str(marker): (marker.description or {}).get("suggested_value")
        for marker in form["data_schema"].schema
    }


async def test_fields_one_by_one(hass: HomeAssistant, get: Get) -> None:
    """All fields of the first 3 seconds are shown, each with a kind to choose."""
    step, key = await _pair(hass)
    for field, data in (("1", "21.5"), ("2", "48.2"), ("3", "1013.2")):
        answer = await get(legacy_url(data, key=key, field=field))
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.text.startswith("Station found. Give it a name")
        assert answer.headers["Retry-After"] == "10"
    form = await _name_step(hass, step)
    shown = form["description_placeholders"]
    assert shown is not None
    assert [shown[f"value_{field}"] for field in "123"] == ["21.5", "48.2", "1013.2"]
    assert _suggested(form) == {
        "name": None,
        "place": "outside",
        "kind_1": "temperature",
        "kind_2": "temperature",
        "kind_3": "number",
    }
    # One more that arrives while the form is open
    await get(legacy_url("3", key=key, field="4"))

    entry = await _submit(
        hass,
        form,
        name="Garden",
        place="outside",
        kind_1="temperature",
        kind_2="humidity",
        kind_3="pressure",
    )

    assert entry.options["place"] == "outside"
    for field, data in (("3", "1013.2"), ("2", "48.2"), ("1", "21.5"), ("4", "3")):
        assert (await get(legacy_url(data, key=key, field=field))).status == 200
    assert [entity_id(hass, field) for field in "1234"] == [
        "sensor.garden_temperature",
        "sensor.garden_humidity",
        "sensor.garden_pressure",
        "sensor.garden_temperature_4",
    ]
    assert issues(hass) == []


async def test_declared(hass: HomeAssistant, get: Get) -> None:
    """A station that declares its fields only needs a name and a place."""
    step, key = await _pair(hass)
    pairing = hass.data[DATA].pairings.match(lambda waiting: waiting == key.encode())
    assert pairing is not None
    pairing.is_complete = True
    pairing.async_found(
        OUTDOOR,
        [Reading(1, 21.5), Reading(2, 48.2), Reading(3, 5)],
        {
            1: Declaration("temperature", "°F", "Porch"),
            2: Declaration("humidity"),
            3: Declaration("magnetism", "µT"),
            4: Declaration("rain"),
        },
    )
    form = await _name_step(hass, step)
    suggested = _suggested(form)
    assert (suggested["kind_1"], suggested["kind_2"]) == ("temperature", "humidity")

    entry = await _submit(
        hass,
        form,
        name="Garden",
        place="elsewhere",
        **{key: value for key, value in suggested.items() if key.startswith("kind")},
    )

    assert "place" not in entry.options
    for field, data in (("1", "68"), ("2", "48"), ("3", "5"), ("4", "1")):
        assert (await get(legacy_url(data, key=key, field=field))).status == 200
    assert state_of(hass, "1") == "20.0"
    assert [entity_id(hass, field) for field in "124"] == [
        "sensor.garden_porch",
        "sensor.garden_humidity",
        "sensor.garden_rain",
    ]
    # The kind is the one that the dialog has shown.
    state = hass.states.get(str(entity_id(hass, "3")))
    assert state is not None
    assert state.attributes.get("device_class") == suggested["kind_3"]
    # A declared kind that the user did not change follows a new declaration.
    assert set(entry.options.get("fields", {})) == {"3"}


async def test_looking_for_the_server(
    hass: HomeAssistant, client: TestClient[Any, Any]
) -> None:
    """A station that sends nothing yet, to see who answers, is not found by that."""
    step, key = await _pair(hass)
    signed = SignedStation(client, Signer(OUTDOOR, key))
    answer = await signed.report()
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.is_believed
    await hass.async_block_till_done()
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "pair"

    assert (await signed.report(reading(21.5))).status == HTTPStatus.SERVICE_UNAVAILABLE
    form = await _name_step(hass, step)
    assert form["description_placeholders"] == {"mac": OUTDOOR, "value_1": "21.5"}


async def test_name_and_place_are_enough(
    hass: HomeAssistant, client: TestClient[Any, Any]
) -> None:
    """With only name and place entered, the declaration applies."""
    step, key = await _pair(hass)
    signed = SignedStation(client, Signer(OUTDOOR, key))
    answer = await signed.report(
        reading(21.5),
        reading(1013.2, field=2),
        reading(5, field=3),
        fields={
            "1": {"kind": "temperature", "unit": "°C"},
            "2": {"kind": "pressure", "unit": "hPa"},
            "3": {"kind": "magnetism", "unit": "µT"},
        },
    )
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    form = await _name_step(hass, step)

    entry = await _submit(hass, form, name="Garden", place="outside")

    assert "fields" not in entry.options
    answer = await signed.report(
        reading(21.5), reading(1013.2, field=2), reading(5, field=3)
    )
    assert answer.status == HTTPStatus.OK
    assert [entity_id(hass, field) for field in "123"] == [
        "sensor.garden_temperature",
        "sensor.garden_pressure",
        "sensor.garden_field_3",
    ]
    assert issues(hass) == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ({"mac": "MAC"}, "Replace MAC with the MAC address"),
        ({"mac": "6c:rf"}, "mac is not"),
        ({"data": "21,5"}, "data is not a decimal number"),
        ({"field": "10"}, "field is not"),
    ],
)
async def test_refused_at_once(
    hass: HomeAssistant, get: Get, url: dict[str, str], reason: str
) -> None:
    """A report that could not be taken later is refused and pairs nothing."""
    step, key = await _pair(hass)
    answer = await get(legacy_url(**{"data": "21.5", "key": key, **url}))
    assert answer.status == HTTPStatus.BAD_REQUEST
    assert answer.text.startswith(reason)
    await asyncio.sleep(0.3)
    step = await hass.config_entries.flow.async_configure(step["flow_id"])
    assert step["type"] is FlowResultType.SHOW_PROGRESS

    await get(legacy_url("21.5", key=key))
    assert (await _name_step(hass, step))["step_id"] == "name"


async def test_two_stations_with_one_key(hass: HomeAssistant, get: Get) -> None:
    """The first station is paired; the second is discovered by its key afterwards."""
    step, key = await _pair(hass)
    await get(legacy_url("21.5", key=key))
    assert (await get(legacy_url("48", key=key, mac=INDOOR, field="2"))).status == 503
    form = await _name_step(hass, step)
    assert form["description_placeholders"] is not None
    assert form["description_placeholders"]["mac"] == OUTDOOR
    assert "kind_2" not in _suggested(form)
    await _submit(hass, form, name="Garden", place="inside", kind_1="temperature")

    assert (await get(legacy_url("48", key=key, mac=INDOOR))).status == 403
    await follow_up(hass)
    (offer,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert offer["context"]["unique_id"] == INDOOR
    form = await hass.config_entries.flow.async_configure(offer["flow_id"])
    entry = await _submit(hass, form, name="Kitchen", place="inside")
    assert entry.options == {"place": "inside"}
    assert (await get(legacy_url("22", key=key, mac=INDOOR))).status == 200


async def test_dialog_is_closed(hass: HomeAssistant, get: Get) -> None:
    """Closing the dialog at its last step leaves nothing behind."""
    step, key = await _pair(hass)
    await get(legacy_url("21.5", key=key))
    form = await _name_step(hass, step)
    hass.config_entries.flow.async_abort(form["flow_id"])
    assert (await get(legacy_url("21.5", key=key))).status == HTTPStatus.FORBIDDEN
    assert not hass.config_entries.async_entries(DOMAIN)

    step, key = await _pair(hass)
    await get(legacy_url("21.5", key=key))
    form = await _name_step(hass, step)
    form = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"name": " ", "place": "outside", "kind_1": "humidity"}
    )
    assert form["errors"] == {"name": "name_missing"}
    assert _suggested(form)["kind_1"] == "humidity"
    await _submit(hass, form, name="Garden", place="outside", kind_1="humidity")
    assert (await get(legacy_url("21.5", key=key))).status == HTTPStatus.OK
    assert entity_id(hass, "1", platform=Platform.SENSOR) == "sensor.garden_humidity"
