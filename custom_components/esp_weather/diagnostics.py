"""Diagnostics of a station, without its key and MAC."""

from dataclasses import asdict
from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_API_KEY, CONF_MAC
from homeassistant.core import HomeAssistant

from .data import EspWeatherConfigEntry

TO_REDACT = (CONF_API_KEY, CONF_MAC)


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: EspWeatherConfigEntry
) -> dict[str, Any]:
    """Return diagnostics that help to find out why a station does not show up."""
    station = entry.runtime_data
    return {
        "data": async_redact_data(entry.data, TO_REDACT),
        "options": dict(entry.options),
        "connected": station.connected,
        "last_report": station.last_report,
        "status": station.status._asdict(),
        "fields": {
            number: asdict(station.fields[number])
            for number in station.reporting_fields
        },
    }
