"""Drives the dialogs of a station."""

from collections.abc import Mapping
from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType


async def open_dialog(
    hass: HomeAssistant, station: MockConfigEntry, step: str
) -> ConfigFlowResult:
    """Choose a dialog in the options of a station."""
    menu = await hass.config_entries.options.async_init(station.entry_id)
    assert step in menu["menu_options"]
    return await hass.config_entries.options.async_configure(
        menu["flow_id"], {"next_step_id": step}
    )


async def submit(
    hass: HomeAssistant, form: ConfigFlowResult, user_input: dict[str, Any]
) -> ConfigFlowResult:
    """Submit a form; return the page after the progress that it starts."""
    options = hass.config_entries.options
    progress = await options.async_configure(form["flow_id"], user_input)
    assert progress["type"] is FlowResultType.SHOW_PROGRESS
    await hass.async_block_till_done()
    return await options.async_configure(form["flow_id"])


def texts(result: ConfigFlowResult) -> Mapping[str, str]:
    """Return the placeholders of a page."""
    assert result["description_placeholders"] is not None
    return result["description_placeholders"]


def suggested(form: ConfigFlowResult) -> dict[str, Any]:
    """Return the suggested values of a form."""
    assert form["data_schema"] is not None
    return {
        str(key): key.description["suggested_value"]
        for key in form["data_schema"].schema
        if key.description and "suggested_value" in key.description
    }
