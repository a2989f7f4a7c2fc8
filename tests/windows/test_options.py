"""The options of a room's windows, and unknown ones."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.esp_weather.windows.config import WindowsConfig
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM

DEFAULTS = {
    "comfort": 23.0,
    "hold": 10.0,
    "hysteresis": 0.5,
    "moisture": True,
}


async def _dialog(hass: HomeAssistant, entry: MockConfigEntry) -> ConfigFlowResult:
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    return await hass.config_entries.options.async_configure(
        menu["flow_id"], {"next_step_id": "windows"}
    )


def _filled_in(form: ConfigFlowResult) -> dict[str, Any]:
    assert form["data_schema"] is not None
    return {
        str(key): value
        for key in form["data_schema"].schema
        if (value := (key.description or {}).get("suggested_value")) not in (None, [])
    }


async def test_dialog(hass: HomeAssistant, house: MockConfigEntry) -> None:
    """The dialog shows the defaults, and later what was entered."""
    form = await _dialog(hass, house)
    assert _filled_in(form) == DEFAULTS
    entered = {
        "comfort": 25.0,
        "hold": 0,
        "hysteresis": 1.0,
        "moisture": False,
        "notify": ["notify.phone"],
        "outside": "sensor.terrace",
    }

    result = await hass.config_entries.options.async_configure(form["flow_id"], entered)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert house.options["place"] == "inside"
    assert WindowsConfig.from_options(house.options["windows"]) == WindowsConfig(
        comfort=25.0,
        hold=0.0,
        hysteresis=1.0,
        moisture=False,
        notify=("notify.phone",),
        outside_entity="sensor.terrace",
    )
    assert _filled_in(await _dialog(hass, house)) == entered


async def test_fahrenheit(hass: HomeAssistant, house: MockConfigEntry) -> None:
    """In a house with °F the dialog is in °F, and the limits stay what they are."""
    hass.config.units = US_CUSTOMARY_SYSTEM
    form = await _dialog(hass, house)
    filled_in = _filled_in(form)
    assert filled_in == {**DEFAULTS, "comfort": 73.4, "hysteresis": 0.9}

    await hass.config_entries.options.async_configure(
        form["flow_id"], {**filled_in, "hysteresis": 0.2, "comfort": 113}
    )

    assert WindowsConfig.from_options(house.options["windows"]) == WindowsConfig(
        comfort=45.0, hysteresis=0.111
    )


@pytest.mark.parametrize(
    "wrong", [{"hysteresis": 0}, {"comfort": 80}, {"hold": -1}, {"outside": "x"}]
)
async def test_wrong_input(
    hass: HomeAssistant, house: MockConfigEntry, wrong: dict[str, Any]
) -> None:
    """Values outside the limits change nothing."""
    form = await _dialog(hass, house)
    before = dict(house.options)

    with pytest.raises(InvalidData):
        await hass.config_entries.options.async_configure(
            form["flow_id"], {**DEFAULTS, **wrong}
        )

    assert house.options == before


@pytest.mark.parametrize(
    "windows",
    [
        None,
        "open",
        {"hysteresis": "much", "hold": None, "comfort": [], "moisture": 1},
        {"hysteresis": 0.0, "hold": -1, "comfort": 1e9, "outside": 7},
        {"hysteresis": float("nan"), "hold": True, "notify": "notify.phone"},
        {"outside": "", "notify": [1]},
    ],
)
def test_unknown_options(windows: object) -> None:
    """An unknown option becomes the default."""
    assert WindowsConfig.from_options(windows) == WindowsConfig()
