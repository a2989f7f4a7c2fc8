"""Each kind in each unit: a report writes the state that HA itself would write."""

from http import HTTPStatus
from typing import Any

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.esp_weather.field import KINDS
from homeassistant.components.sensor import SensorEntity
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State
from homeassistant.core_config import DATA_CUSTOMIZE
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_component import DATA_INSTANCES
from homeassistant.helpers.entity_values import EntityValues
from homeassistant.util.unit_system import (
    METRIC_SYSTEM,
    US_CUSTOMARY_SYSTEM,
    UnitSystem,
)

from .helpers import Get, entity_id, legacy_url, station_entry

UNITS = [(kind, unit) for kind in KINDS for unit in (*KINDS[kind].units, None)]


def _content(state: State | None) -> tuple[str, dict[str, Any]]:
    assert state is not None
    return state.state, dict(state.attributes)


def _as_home_assistant_writes(
    hass: HomeAssistant, sensor: str
) -> tuple[str, dict[str, Any]]:
    """Have Home Assistant write the state of a sensor and return it."""
    entity = hass.data[DATA_INSTANCES]["sensor"].get_entity(sensor)
    assert isinstance(entity, SensorEntity)
    entity.async_write_ha_state()
    return _content(hass.states.get(sensor))


@pytest.mark.parametrize("system", [METRIC_SYSTEM, US_CUSTOMARY_SYSTEM])
@pytest.mark.parametrize(("kind", "unit"), UNITS)
async def test_state(
    hass: HomeAssistant,
    client: TestClient[Any, Any],
    get: Get,
    kind: str,
    unit: str | None,
    system: UnitSystem,
) -> None:
    """State and attributes equal Home Assistant's own, also after they change."""
    hass.config.units = system
    settings = {"kind": kind, "unit_of_measurement": unit}
    entry = station_entry(options={"fields": {"1": settings}})
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    written: list[State] = []

    def note(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == sensor and event.data["new_state"]:
            written.append(event.data["new_state"])

    async def report(value: str) -> None:
        """Report; check that exactly one state is written, equal to HA's own."""
        written.clear()
        assert (await get(legacy_url(value))).status == HTTPStatus.OK
        await hass.async_block_till_done()
        (state,) = written
        content = _content(state)
        assert content == _as_home_assistant_writes(hass, sensor)

    sensor = "sensor.none"
    assert (await get(legacy_url("21.1234"))).status == HTTPStatus.OK
    sensor = str(entity_id(hass, "1"))
    hass.bus.async_listen("state_changed", note)
    for value in ("21.1234", "21.12341", "0", "33.33335", "33.3333"):
        await report(value)

    hass.config.units = (
        METRIC_SYSTEM if system is US_CUSTOMARY_SYSTEM else US_CUSTOMARY_SYSTEM
    )
    await report("33.3333")
    await report("12.3456")

    hass.data[DATA_CUSTOMIZE] = EntityValues({sensor: {"note": "north"}})
    await report("12.3456")
    assert written[-1].attributes["note"] == "north"

    # As the dialog of the entity stores a unit and a precision
    for chosen in KINDS[kind].units:
        er.async_get(hass).async_update_entity_options(
            sensor, "sensor", {"unit_of_measurement": chosen, "display_precision": 2}
        )
        await hass.async_block_till_done()
        await report("12.3456")
        if KINDS[kind].device_class in UNIT_CONVERTERS:
            assert written[-1].attributes["unit_of_measurement"] == chosen


async def test_one_state_after_a_change_of_units(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """After a change of units, a report writes no state with the former value."""
    await get(legacy_url("20"))
    sensor = str(entity_id(hass, "1"))
    states: list[str] = []
    hass.bus.async_listen(
        "state_changed",
        lambda event: (
            states.append(event.data["new_state"].state)
            if event.data["entity_id"] == sensor
            else None
        ),
    )
    hass.config.units = US_CUSTOMARY_SYSTEM
    await get(legacy_url("25"))
    await hass.async_block_till_done()
    assert states == ["77.0"]
