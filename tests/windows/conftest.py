"""A house with a station outside and one inside."""

from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.core import HomeAssistant
from tests.helpers import INDOOR, OUTDOOR, START, Get, legacy_url, station_entry

from .helpers import Report

OPTIONS = {"timeout": 60, "fields": {"2": {"kind": "humidity"}}}


@pytest.fixture
def time(freezer: FrozenDateTimeFactory) -> FrozenDateTimeFactory:
    """Freeze the time."""
    freezer.move_to(START)
    return freezer


@pytest.fixture
def windows() -> dict[str, Any]:
    """Return the windows section of the inside station's options."""
    return {}


@pytest.fixture
async def house(
    hass: HomeAssistant, get: Get, time: FrozenDateTimeFactory, windows: dict[str, Any]
) -> MockConfigEntry:
    """Return the config entry of the inside station of a house that is set up."""
    outside = station_entry(options={**OPTIONS, "place": "outside"})
    inside = station_entry(
        INDOOR, "Bedroom", options={**OPTIONS, "place": "inside", "windows": windows}
    )
    for entry in (outside, inside):
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return inside


@pytest.fixture
def report(hass: HomeAssistant, house: MockConfigEntry, get: Get) -> Report:
    """Return a function that reports temperatures and humidities of both stations."""

    async def _report(
        inside: float | None = None,
        outside: float | None = None,
        *,
        inside_humidity: float | None = None,
        outside_humidity: float | None = None,
    ) -> None:
        for mac, field, value in (
            (INDOOR, "1", inside),
            (OUTDOOR, "1", outside),
            (INDOOR, "2", inside_humidity),
            (OUTDOOR, "2", outside_humidity),
        ):
            if value is not None:
                answer = await get(legacy_url(str(value), mac=mac, field=field))
                assert answer.status == 200
        await hass.async_block_till_done()

    return _report
