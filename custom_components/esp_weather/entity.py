"""Base entity of a station."""

from collections.abc import Callable
from typing import override

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import CONNECTION_NETWORK_MAC, DeviceInfo
from homeassistant.helpers.entity import Entity

from .const import DOMAIN
from .data import EspWeatherConfigEntry
from .station import Station


class EspWeatherEntity(Entity):
    """Push-updated entity of a station."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, station: Station, key: str) -> None:
        """Initialize the entity `key` of a station."""
        self._station = station
        self._attr_unique_id = f"{station.mac}_{key}"

    @property
    @override
    def device_info(self) -> DeviceInfo:
        """Return the device of the station; computed on demand, since it is read once."""
        station = self._station
        return DeviceInfo(
            connections={(CONNECTION_NETWORK_MAC, station.mac)},
            identifiers={(DOMAIN, station.mac)},
            manufacturer="ESP Weather",
            model="Weather station",
            name=station.name,
        )


@callback
def async_add_once_reported(
    hass: HomeAssistant,
    entry: EspWeatherConfigEntry,
    platform: Platform,
    key: str,
    is_reported: Callable[[], bool],
    async_add: Callable[[], None],
) -> None:
    """Add the entity `key` of a station once the station reports what it shows.

    An entity that the registry knows is added at once.
    """
    station = entry.runtime_data
    is_added = False

    @callback
    def async_look(*, is_known: bool = False) -> None:
        nonlocal is_added
        if not is_added and (is_known or is_reported()):
            is_added = True
            async_add()

    entry.async_on_unload(station.async_listen(async_look))
    unique_id = f"{station.mac}_{key}"
    if er.async_get(hass).async_get_entity_id(platform, DOMAIN, unique_id):
        async_look(is_known=True)
