"""System health: whether reports are taken and reach the disk."""

from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .data import DATA


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register the information about the integration."""
    register.async_register_info(_async_info)


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    data = hass.data[DATA]
    stations = data.stations.values()
    info: dict[str, Any] = {
        "stations_connected": (
            f"{sum(station.connected for station in stations)}/{len(stations)}"
        ),
        "reports_taken": data.reports.taken,
        "reports_refused": data.reports.refused,
        "readings_waiting": data.journal.waiting,
    }
    if (last_sync := data.journal.last_sync) is not None:
        info["last_sync"] = last_sync
    return info
