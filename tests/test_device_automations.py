"""The device triggers and conditions of a station's entities."""

from collections.abc import Iterable
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_get_device_automations,
    async_mock_service,
)

from homeassistant.components.device_automation import DeviceAutomationType
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component

from .helpers import Get, PassTime, legacy_url


@pytest.fixture
async def device_id(hass: HomeAssistant, station: MockConfigEntry, get: Get) -> str:
    """Return the ID of a station's device; the station has reported 20 °C."""
    await get(legacy_url("20"))
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), station.entry_id)
    return device.id


def _of_type(automations: Iterable[dict[str, Any]], *types: str) -> dict[str, Any]:
    """Return the one of these types that Home Assistant offers."""
    (found,) = (automation for automation in automations if automation["type"] in types)
    found.pop("metadata")
    return found


async def test_triggers(
    hass: HomeAssistant, device_id: str, get: Get, pass_time: PassTime
) -> None:
    """A device offers triggers for temperature and connectivity, and both fire."""
    offered = await async_get_device_automations(
        hass, DeviceAutomationType.TRIGGER, device_id
    )
    calls = async_mock_service(hass, "test", "note")
    assert await async_setup_component(
        hass,
        "automation",
        {
            "automation": [
                {
                    "triggers": {**trigger, **extra},
                    "actions": {
                        "action": "test.note",
                        "data": {"type": trigger["type"]},
                    },
                }
                for trigger, extra in (
                    (_of_type(offered, "temperature"), {"above": 25}),
                    (_of_type(offered, "not_connected"), {}),
                )
            ]
        },
    )
    await hass.async_block_till_done()

    await get(legacy_url("24.9"))
    assert not calls
    await get(legacy_url("25.1"))
    await hass.async_block_till_done()
    assert [call.data["type"] for call in calls] == ["temperature"]

    await pass_time(16)
    assert [call.data["type"] for call in calls] == ["temperature", "not_connected"]


async def test_conditions(
    hass: HomeAssistant, device_id: str, get: Get, pass_time: PassTime
) -> None:
    """A device offers conditions for temperature and connectivity."""
    offered = await async_get_device_automations(
        hass, DeviceAutomationType.CONDITION, device_id
    )
    calls = async_mock_service(hass, "test", "note")
    assert await async_setup_component(
        hass,
        "automation",
        {
            "automation": {
                "triggers": {"trigger": "event", "event_type": "ask"},
                "conditions": [
                    {**_of_type(offered, "is_temperature"), "above": 25},
                    _of_type(offered, "is_connected"),
                ],
                "actions": {"action": "test.note"},
            }
        },
    )
    await hass.async_block_till_done()

    async def _is_true() -> bool:
        calls.clear()
        hass.bus.async_fire("ask")
        await hass.async_block_till_done()
        return bool(calls)

    assert not await _is_true()
    await get(legacy_url("26"))
    assert await _is_true()
    await pass_time(16)
    assert not await _is_true()
