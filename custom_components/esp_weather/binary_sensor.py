"""Connectivity sensor of a station."""

from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .data import EspWeatherConfigEntry
from .entity import EspWeatherEntity
from .station import Station

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: EspWeatherConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the connectivity sensor of the entry's station."""
    async_add_entities([ConnectivitySensor(entry.runtime_data)])


class ConnectivitySensor(EspWeatherEntity, BinarySensorEntity):
    """On while the station reports, off after its inactivity timeout."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, station: Station) -> None:
        """Create the sensor of a station."""
        super().__init__(station, "connectivity")
        self._attr_is_on = station.connected

    @override
    async def async_added_to_hass(self) -> None:
        """Subscribe to changes of the station."""
        self._attr_is_on = self._station.connected
        self.async_on_remove(self._station.async_listen(self._async_update))

    @callback
    def _async_update(self) -> None:
        if self._attr_is_on != self._station.connected:
            self._attr_is_on = self._station.connected
            self.async_write_ha_state()
