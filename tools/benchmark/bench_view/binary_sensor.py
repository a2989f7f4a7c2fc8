"""A minimal binary sensor."""

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
)
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the connectivity."""
    async_add_entities([PlainBinarySensor(entry)])


class PlainBinarySensor(BinarySensorEntity):
    """A connectivity."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_has_entity_name = True
    _attr_is_on = True
    _attr_should_poll = False

    def __init__(self, entry: ConfigEntry) -> None:
        """Create the binary sensor of a config entry."""
        self._attr_unique_id = f"{entry.unique_id}_connectivity"
        self._attr_device_info = DeviceInfo(
            identifiers={("bench_view", entry.unique_id or "")}, name=entry.title
        )
