"""The two stations that scripts/develop sets up, and how a station is set up."""

from dataclasses import dataclass
from typing import Any

from .home_assistant import HomeAssistant, HomeAssistantError


@dataclass(frozen=True)
class Station:
    """A station and what it reports with."""

    name: str
    mac: str
    key: str = "PHDNGI2345"

    def report_path(self, field: int, value: str) -> str:
        """Return the path of the legacy report of a reading."""
        return f"/update/API_key={self.key}/mac={self.mac}/field={field}/data={value}"


OUTDOOR = Station("Outdoor", "6c:rf:7f:2b:0e:g8")
INDOOR = Station("Indoor", "5m:ct:7f:3b:0d:a8")


async def add_station(home_assistant: HomeAssistant, station: Station) -> Any:
    """Set up a station through the config flow unless it is set up already.

    Returns what the flow's last step shows, or None if the station was set up.
    Raises HomeAssistantError if the flow goes another way.
    """
    flows = "/api/config/config_entries/flow"
    step = await home_assistant.rest("POST", flows, {"handler": "esp_weather"})
    flow = f"{flows}/{step['flow_id']}"
    await home_assistant.rest("POST", flow, {"next_step_id": "manual"})
    shown = await home_assistant.rest(
        "POST",
        flow,
        {"name": station.name, "mac": station.mac, "api_key": station.key},
    )
    if shown.get("reason") == "already_configured":
        return None
    if shown.get("step_id") != "station":
        raise HomeAssistantError(f"{station.name} was not set up: {shown}")
    await home_assistant.rest("POST", flow, {})
    return shown
