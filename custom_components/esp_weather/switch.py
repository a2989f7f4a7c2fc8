"""Switch platform: the notifications of a station."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .data import EspWeatherConfigEntry
from .windows.switch import async_add_windows_switch

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: EspWeatherConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the notification switch of an inside station."""
    async_add_windows_switch(hass, entry, async_add_entities)
