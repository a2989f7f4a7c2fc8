"""A house with stations outside and inside, for tests and pictures."""

from dataclasses import dataclass, replace
from http import HTTPStatus

from .home_assistant import HomeAssistant, HomeAssistantError
from .past import add_past
from .station import INDOOR, OUTDOOR, Station, add_station, find_entry, report_signed

ELSEWHERE = "elsewhere"
BEDROOM = Station("Bed", "5c:cf:7f:3b:0d:a9", 21.5, 0.8, place="inside")
CELLAR = Station("Cellar", "5c:cf:7f:3b:0d:b0", 15, 0.4, place=ELSEWHERE)
FREEZER = Station("Freezer", "5c:cf:7f:3b:0d:b1", -18, 1.5, place=ELSEWHERE)
ATTIC = Station("Attic", "5c:cf:7f:3b:0d:b2", 26, 4, place=ELSEWHERE)
BATH = Station("Bath", "5c:cf:7f:3b:0d:b3", 22.5, 0.6, place="inside")
GREENHOUSE = Station("Greenhouse", "5c:cf:7f:3b:0d:b4", 25, 9, place=ELSEWHERE)
# Beside the two that scripts/develop always sets up
MORE_STATIONS = (BEDROOM, BATH, CELLAR, FREEZER, ATTIC, GREENHOUSE)


@dataclass(frozen=True)
class Room:
    """A station, its place, and its last readings.

    `humidity` is in percent, `temperature` in °C, None for a station without readings.
    """

    station: Station
    temperature: float | None
    humidity: float | None = None
    area: str | None = None
    timeout: int | None = None


def house(outside: float = 18.1) -> tuple[Room, ...]:
    """Return a house of six stations; the one outside reports `outside` in °C."""
    return (
        Room(replace(OUTDOOR, mean=22, swing=6), outside, 62),
        Room(
            replace(INDOOR, name="Living", mean=24.5, place="inside"),
            24.6,
            48,
            area="Living room",
        ),
        Room(
            BEDROOM,
            21.8,
            51,
            area="Bedroom",
        ),
        Room(
            CELLAR,
            15.2,
            70,
            timeout=1,
        ),
        Room(FREEZER, -17.6),
        Room(ATTIC, None),
    )


async def furnish(home_assistant: HomeAssistant, rooms: tuple[Room, ...]) -> None:
    """Set up the stations of a house, with their past and their last readings."""
    areas = {
        area["name"].lower(): area["area_id"]
        for area in await home_assistant.websocket("config/area_registry/list")
    }
    for room in rooms:
        await add_station(home_assistant, room.station)
        if room.temperature is not None:
            await add_past(home_assistant, room.station)
            await _report(home_assistant, room)
        if room.timeout is not None:
            await _set_timeout(home_assistant, room)
        if room.area is not None:
            for device in await home_assistant.websocket("config/device_registry/list"):
                if device["name"] == room.station.name:
                    await home_assistant.websocket(
                        "config/device_registry/update",
                        device_id=device["id"],
                        area_id=areas[room.area.lower()],
                    )


async def _report(home_assistant: HomeAssistant, room: Room) -> None:
    """Declare the fields of a station and report them, signed."""
    station = room.station
    fields = {"1": {"kind": "temperature"}}
    readings = [{"field": 1, "value": room.temperature, "age": 0}]
    if room.humidity is not None:
        fields["2"] = {"kind": "humidity"}
        readings.append({"field": 2, "value": room.humidity, "age": 0})
    status = await report_signed(
        home_assistant.url, station, fields=fields, readings=readings
    )
    if status != HTTPStatus.OK:
        raise HomeAssistantError(f"{station.name} was answered {status}")


async def _set_timeout(home_assistant: HomeAssistant, room: Room) -> None:
    """Set the inactivity timeout of a station in its options, in minutes."""
    handler = await find_entry(home_assistant, room.station)
    flows = "/api/config/config_entries/options/flow"
    flow = await home_assistant.rest("POST", flows, {"handler": handler})
    url = f"{flows}/{flow['flow_id']}"
    form = await home_assistant.rest("POST", url, {"next_step_id": "station"})
    suggested = {
        each["name"]: each.get("description", {}).get("suggested_value")
        for each in form["data_schema"]
    }
    await home_assistant.rest("POST", url, {**suggested, "timeout": room.timeout})
