"""Base entity of a station."""

from typing import override

from homeassistant.helpers.device_registry import CONNECTION_NETWORK_MAC, DeviceInfo
from homeassistant.helpers.entity import Entity

from .const import DOMAIN
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
