"""The options flow: opened and saved unchanged, it changes nothing."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .declaring import BME280, BME280_VALUES, declare
from .helpers import Get, entity_id, issues, legacy_url


async def _open(
    hass: HomeAssistant, entry: MockConfigEntry, step: str
) -> tuple[ConfigFlowResult, dict[str, Any]]:
    """Return a form, and the input that a browser submits if nothing is changed."""
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    form = await hass.config_entries.options.async_configure(
        menu["flow_id"], {"next_step_id": step}
    )
    assert form["data_schema"] is not None

    def content(schema: Any) -> dict[str, Any]:
        return {
            str(key): content(part.schema)
            if hasattr(part, "schema")
            else (key.description or {}).get("suggested_value")
            for key, part in schema.schema.items()
            if hasattr(part, "schema")
            or (key.description or {}).get("suggested_value") is not None
        }

    return form, content(form["data_schema"])


async def _save(
    hass: HomeAssistant, form: ConfigFlowResult, user_input: dict[str, Any]
) -> ConfigFlowResult:
    result = await hass.config_entries.options.async_configure(
        form["flow_id"], user_input
    )
    await hass.async_block_till_done()
    return result


@pytest.mark.parametrize("step", ["station", "fields"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"place": "attic", "fields": {"1": {"kind": "co2x", "shade": 3}}},
        {"timeout": 30, "fields": {"2": {"kind": "number", "offset": 0.0}}},
        {"fields": {"1": {"kind": "pressure", "unit_of_measurement": "mmHg"}}},
        {"fields": {"3": {"unit_of_measurement": "", "name": ""}, "9": {"offset": 2}}},
    ],
    ids=str,
)
@pytest.mark.parametrize("declared", [False, True])
async def test_nothing_changes(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    step: str,
    options: dict[str, Any],
    declared: bool,
) -> None:
    """Saving unchanged keeps all options and does not reload the entry."""
    if declared:
        await declare(hass, station, BME280, BME280_VALUES)
    else:
        await get(legacy_url("1013.2", field="3"))
    before, runtime = dict(station.options), station.runtime_data
    asked = issues(hass)

    result = await _save(hass, *await _open(hass, station, step))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert station.options == before
    assert station.runtime_data is runtime
    assert issues(hass) == asked


async def test_cleared(hass: HomeAssistant, station: MockConfigEntry) -> None:
    """A name that the station has declared can be cleared; sections may be empty."""
    fields = {number: each._replace(name="Bosch") for number, each in BME280.items()}
    await declare(hass, station, fields, BME280_VALUES)
    form, filled_in = await _open(hass, station, "fields")
    assert filled_in["field_1"]["name"] == "Bosch"
    del filled_in["field_1"]["name"]
    for number in range(4, 10):
        filled_in[f"field_{number}"] = {}

    await _save(hass, form, filled_in)

    assert station.options == {"fields": {"1": {"name": ""}}}
    await declare(hass, station, fields, BME280_VALUES)
    state = hass.states.get(str(entity_id(hass, "1")))
    assert state is not None
    assert state.name == "Outdoor Temperature"
    # And back to the declaration
    form, filled_in = await _open(hass, station, "fields")
    filled_in["field_1"]["name"] = " Bosch "
    await _save(hass, form, filled_in)
    assert station.options == {"fields": {}}


async def test_cleared_kind(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """Without a choice, the declaration applies again."""
    await declare(hass, station, BME280, BME280_VALUES)
    form, filled_in = await _open(hass, station, "fields")
    filled_in["field_1"] = {"kind": "dew_point", "offset": 0}
    await _save(hass, form, filled_in)
    assert station.options == {"fields": {"1": {"kind": "dew_point"}}}

    form, filled_in = await _open(hass, station, "fields")
    del filled_in["field_1"]["kind"]
    await _save(hass, form, filled_in)
    assert station.options == {"fields": {}}
    assert entity_id(hass, "1") == "sensor.outdoor_temperature"


async def test_unit_of_none_of_them(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A wrong unit changes nothing, and the form keeps the input."""
    await get(legacy_url("21"))
    form, filled_in = await _open(hass, station, "fields")
    filled_in["field_1"] |= {"unit_of_measurement": "hPa", "name": "Porch"}
    filled_in["field_2"] = {"kind": "voc_index", "unit_of_measurement": "ppb"}
    form = await _save(hass, form, filled_in)
    assert form["errors"] == {"base": "invalid_unit"}
    assert form["description_placeholders"] is not None
    assert form["description_placeholders"]["unit"] in {"hPa", "ppb"}
    assert station.options == {}
