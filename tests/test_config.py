"""Entries written by other versions: each loads, and its dialogs open."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.esp_weather.const import DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY, CONF_MAC, Platform
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er

from .helpers import (
    KEY,
    OUTDOOR,
    Get,
    connectivity,
    entity_id,
    legacy_url,
    state_of,
    station_entry,
)

# The options that 0.2.0 wrote for a station with described fields
OPTIONS_OF_0_2_0 = {
    "timeout": 30,
    "legacy": True,
    "fields": {
        "2": {"kind": "humidity", "unit_of_measurement": "%", "offset": -2.0},
        "3": {
            "kind": "pressure",
            "name": "Barometer",
            "unit_of_measurement": "mmHg",
            "offset": 0.0,
        },
        "5": {"kind": "number", "offset": 0.0},
    },
}


async def _open(
    hass: HomeAssistant, entry: MockConfigEntry, step: str
) -> dict[str, Any]:
    """Return the suggested values of a form of the options."""
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    form = await hass.config_entries.options.async_configure(
        menu["flow_id"], {"next_step_id": step}
    )
    assert form["type"] is FlowResultType.FORM
    assert form["data_schema"] is not None
    return {
        str(name): {
            str(marker): (marker.description or {}).get("suggested_value")
            for marker in part.schema.schema
        }
        if hasattr(part, "schema")
        else (name.description or {}).get("suggested_value")
        for name, part in form["data_schema"].schema.items()
    }


@pytest.mark.parametrize(
    ("field", "unit"),
    [
        ({"kind": "co2x"}, None),
        ({"kind": "co2x", "unit_of_measurement": "ppm"}, "ppm"),
        ({"kind": ["co2"]}, None),
        ({"kind": 7, "offset": 1.5}, None),
        ({"kind": "pressure", "unit_of_measurement": "torr"}, "torr"),
        ({"kind": "pressure", "unit_of_measurement": ["hPa"]}, "hPa"),
        ({"kind": "number", "unit_of_measurement": 7}, None),
    ],
)
@pytest.mark.parametrize("where", ["options", "data"])
async def test_unknown_settings_of_a_field(
    hass: HomeAssistant,
    client: TestClient[Any, Any],
    get: Get,
    field: dict[str, Any],
    unit: str | None,
    where: str,
    integration_log: Callable[[], list[str]],
) -> None:
    """A kind or unit of a newer version becomes a plain number, and can be changed."""
    entry = station_entry(
        minor_version=2, options={"fields": {"1": field}} if where == "options" else {}
    )
    entry.add_to_hass(hass)
    if where == "data":
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, "fields": {"1": {**field, "declared": True}}}
        )
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert (await get(legacy_url("1013.25"))).status == HTTPStatus.OK
    assert (await get(legacy_url("-7"))).status == (
        HTTPStatus.BAD_REQUEST if unit == "hPa" else HTTPStatus.OK
    )

    state = hass.states.get(str(entity_id(hass, "1")))
    assert state is not None
    assert state.attributes.get("unit_of_measurement") == unit
    # Also of values that are no settings at all
    assert "Outdoor" in "".join(integration_log())

    filled_in = (await _open(hass, entry, "fields"))["field_1"]
    assert filled_in["kind"] == ("pressure" if unit == "hPa" else "number")
    await _open(hass, entry, "station")


@pytest.mark.parametrize(
    "options",
    [
        {"place": "attic"},
        {"place": ["inside"]},
        {"timeout": "soon"},
        {"timeout": -5},
        {"timeout": float("inf")},
        {"timeout": True},
        {"legacy": "yes"},
        {"fields": []},
        {"fields": {"1": "temperature"}},
        {"fields": {"10": {"kind": "temperature"}}},
        {"fields": {"x": {"kind": "number"}}},
        {"fields": {"²": {"kind": "number"}}},
        {"fields": {"٣": {"kind": "number"}}},
        {"fields": {"1": {"offset": "much"}}},
        {"fields": {"1": {"kind": "temperature", "name": 5}}},
        {"fields": {"1": {"kind": "temperature", "offset": float("nan")}}},
    ],
    ids=str,
)
async def test_unknown_options(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    integration_log: Callable[[], list[str]],
) -> None:
    """An option of a newer version becomes the default; everything else works."""
    await hass.config_entries.async_reload(station.entry_id)
    assert station.state is ConfigEntryState.LOADED
    assert (await get(legacy_url("21.5"))).status == HTTPStatus.OK
    assert state_of(hass, "1") == "21.5"
    assert await _open(hass, station, "station") == {
        "place": "elsewhere",
        "timeout": 15,
        "archive": False,
        "legacy": True,
    }
    assert list(await _open(hass, station, "fields"))[0] == "field_1"
    (warning,) = integration_log()
    assert warning.startswith("Outdoor: ")


@pytest.mark.parametrize(
    "fields",
    [
        [],
        {"x": {"kind": "number", "value": 1013.0}},
        {"12": {"kind": "number", "value": 1013.0}},
        {"1": {"kind": "number", "value": "high"}},
        {"1": None},
    ],
    ids=str,
)
async def test_unknown_data(
    hass: HomeAssistant, client: TestClient[Any, Any], get: Get, fields: Any
) -> None:
    """Unknown data of the fields does not prevent the setup."""
    entry = station_entry(minor_version=7, options={"magnetometer": {"on": True}})
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, "fields": fields, "altitude": 500}
    )
    assert await hass.config_entries.async_setup(entry.entry_id)

    assert (await get(legacy_url("21.5"))).status == HTTPStatus.OK
    assert (await get(legacy_url("22.5", field="2"))).status == HTTPStatus.OK
    assert (state_of(hass, "1"), state_of(hass, "2")) == ("21.5", "22.5")
    await _open(hass, entry, "fields")
    # The data of the newer version is kept for when it is installed again.
    assert entry.minor_version == 7
    assert entry.data["altitude"] == 500
    assert entry.options["magnetometer"] == {"on": True}


async def test_unknown_settings_are_logged_once(
    hass: HomeAssistant,
    client: TestClient[Any, Any],
    get: Get,
    integration_log: Callable[[], list[str]],
) -> None:
    """Unknown settings are logged once, however many reports arrive."""
    entry = station_entry(options={"place": "attic", "fields": {"1": {"kind": "co2x"}}})
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(5):
        await get(legacy_url())
        # Compared with the keys of all stations, for discovery
        await get(legacy_url(mac="00:00:00:00:00:01", key="unknown"))
        await hass.async_block_till_done()

    assert len(integration_log()) == 2


async def test_newer_major_version(
    hass: HomeAssistant, client: TestClient[Any, Any], get: Get
) -> None:
    """An entry of a newer major version is neither loaded nor changed."""
    entry = station_entry(version=2, minor_version=1)
    entry.add_to_hass(hass)
    data = dict(entry.data)

    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert entry.data == data
    assert (await get(legacy_url())).status == HTTPStatus.SERVICE_UNAVAILABLE


async def test_migrate_from_0_2_0(
    hass: HomeAssistant, client: TestClient[Any, Any], get: Get
) -> None:
    """Entities keep their IDs and kinds; only new fields are guessed."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Outdoor",
        unique_id=OUTDOOR,
        data={CONF_MAC: OUTDOOR, CONF_API_KEY: KEY},
        options=OPTIONS_OF_0_2_0,
        version=1,
        minor_version=1,
    )
    entry.add_to_hass(hass)
    registry = er.async_get(hass)
    for field, suffix in (("1", ""), ("2", "_2"), ("4", "_4")):
        registry.async_get_or_create(
            Platform.SENSOR,
            DOMAIN,
            f"{OUTDOOR}_{field}",
            config_entry=entry,
            suggested_object_id=f"outdoor_temperature{suffix}",
            disabled_by=er.RegistryEntryDisabler.USER if field == "4" else None,
        )

    assert await hass.config_entries.async_setup(entry.entry_id)

    assert (entry.version, entry.minor_version) == (1, 2)
    assert entry.options == OPTIONS_OF_0_2_0
    # With this value, a new field would be a plain number.
    for field, data in (
        ("1", "90"),
        ("2", "48"),
        ("3", "760"),
        ("5", "3"),
        ("6", "90"),
    ):
        assert (await get(legacy_url(data, field=field))).status == HTTPStatus.OK
    assert {
        state.entity_id: (state.state, state.attributes.get("unit_of_measurement"))
        for state in hass.states.async_all(Platform.SENSOR)
        if state.attributes.get("state_class")
    } == {
        "sensor.outdoor_temperature": ("90.0", "°C"),
        "sensor.outdoor_temperature_2": ("46.0", "%"),
        # Home Assistant shows it in hPa.
        "sensor.outdoor_barometer": ("1013.250144354", "hPa"),
        "sensor.outdoor_field_5": ("3.0", None),
        "sensor.outdoor_field_6": ("90.0", None),
    }
    assert connectivity(hass) == "on"
    # An entity that is enabled later is still a temperature.
    registry.async_update_entity(str(entity_id(hass, "4")), disabled_by=None)
    assert (await get(legacy_url("100", field="4"))).status == HTTPStatus.OK
    state = hass.states.get(str(entity_id(hass, "4")))
    assert state is not None
    assert state.attributes["unit_of_measurement"] == "°C"


async def test_back_from_0_2_0(
    hass: HomeAssistant, client: TestClient[Any, Any], get: Get
) -> None:
    """A field that first reported to an older version is a temperature.

    The older version keeps the newer minor version, and stores no fields.
    """
    entry = station_entry(minor_version=2)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "fields": {}})
    er.async_get(hass).async_get_or_create(
        Platform.SENSOR, DOMAIN, f"{OUTDOOR}_1", config_entry=entry
    )
    assert await hass.config_entries.async_setup(entry.entry_id)

    assert state_of(hass, "1") == "unavailable"
    assert (await get(legacy_url("90"))).status == HTTPStatus.OK
    state = hass.states.get(str(entity_id(hass, "1")))
    assert state is not None
    assert state.attributes["unit_of_measurement"] == "°C"
