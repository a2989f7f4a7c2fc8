"""Diagnostics of a station, without its key and MAC."""

from dataclasses import asdict
from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_API_KEY, CONF_MAC
from homeassistant.core import HomeAssistant

from .data import DATA, EspWeatherConfigEntry

TO_REDACT = (CONF_API_KEY, CONF_MAC)


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: EspWeatherConfigEntry
) -> dict[str, Any]:
    """Return what helps to find out why readings of a station are missing."""
    data = hass.data[DATA]
    station = entry.runtime_data
    return {
        "data": async_redact_data(entry.data, TO_REDACT),
        "options": dict(entry.options),
        "connected": station.connected,
        "last_report": station.last_report,
        "protocol": data.reports.protocols.get(station.mac),
        "status": station.status._asdict(),
        "fields": {
            number: asdict(station.fields[number])
            for number in station.reporting_fields
        },
        "refusals": [each._asdict() for each in data.reports.refusals(station.mac)],
        # Among them may be those of this station, if it sends a wrong MAC.
        "refusals_of_unknown_senders": [
            each._asdict() for each in data.reports.refusals(None)
        ],
        "readings_waiting": data.journal.waiting,
        "last_sync": data.journal.last_sync,
    }
