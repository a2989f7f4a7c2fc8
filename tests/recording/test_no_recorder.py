"""Without a recorder no reading is kept, neither here nor by the station."""

from typing import Any

from aiohttp.test_utils import TestClient
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.esp_weather.data import DATA
from homeassistant.core import HomeAssistant
from tests.signed_station import SignedStation, reading


async def test_confirmed_at_once(
    hass: HomeAssistant, station: MockConfigEntry, client: TestClient[Any, Any]
) -> None:
    """A reading that will never be recorded counts as stored."""
    signed = SignedStation(client)
    answer = await signed.report(
        reading(20, 60), reading(21), stream="9f3a1c22", first=4
    )
    assert answer.content == {"taken": 2, "refused": [], "stored": 5}
    assert not hass.data[DATA].journal.is_behind
