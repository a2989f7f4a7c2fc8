"""Reports to a real Home Assistant are stored in its database."""

from datetime import UTC, datetime, timedelta

import aiohttp
from yarl import URL

from tools.home_assistant import HomeAssistant
from tools.station import Station, add_station

from .helpers import rows

# As in the old server's examples
OUTDOOR = Station("Outdoor", "6c:rf:7f:2b:0e:g8", key="PHDNGI2345")
INDOOR = Station("Indoor", "5m:ct:7f:3b:0d:a8", key="PHDNGI2345")
# Equal values in a row, and one that is rounded
VALUES = {"72.3": "72.3", "72.30": "72.3", "72.3000": "72.3", "-1.23456": "-1.2346"}


async def _report(
    home_assistant: HomeAssistant, station: Station, field: int, value: str
) -> None:
    """Report as the old stations do, byte for byte."""
    url = URL(home_assistant.url + station.report_path(field, value), encoded=True)
    async with aiohttp.request("GET", url) as response:
        assert (response.status, await response.text()) == (200, "OK")


async def test_reports(home_assistant: HomeAssistant) -> None:
    """Reports become states and rows with their times, and survive a restart."""
    for station in (OUTDOOR, INDOOR):
        shown = await add_station(home_assistant, station)
        placeholders = shown["description_placeholders"]
        assert placeholders["url"] == (
            home_assistant.url + station.report_path(1, "21.5")
        )

    sent: list[tuple[str, datetime]] = []
    for value, stored in VALUES.items():
        await _report(home_assistant, OUTDOOR, 1, value)
        sent.append((stored, datetime.now(UTC)))
    await _report(home_assistant, INDOOR, 2, "15.2")

    assert await _state(home_assistant, "sensor.outdoor_temperature") == "-1.2346"
    assert await _state(home_assistant, "sensor.indoor_temperature") == "15.2"

    await home_assistant.stop()
    recorded = rows(home_assistant.database, "sensor.outdoor_temperature")
    assert [state for state, _ in recorded] == [state for state, _ in sent]
    for (_, time), (_, answered) in zip(recorded, sent, strict=True):
        assert answered - timedelta(seconds=1) < time <= answered
    assert [
        state for state, _ in rows(home_assistant.database, "sensor.indoor_temperature")
    ] == ["15.2"]

    await home_assistant.start()
    assert await _state(home_assistant, "sensor.outdoor_temperature") == "-1.2346"
    assert await _state(home_assistant, "sensor.indoor_temperature") == "15.2"
    assert await _state(home_assistant, "binary_sensor.outdoor_connectivity") == "on"


async def _state(home_assistant: HomeAssistant, entity_id: str) -> str:
    state: str = (await home_assistant.rest("GET", f"/api/states/{entity_id}"))["state"]
    return state
