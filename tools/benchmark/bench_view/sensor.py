"""Minimal sensors."""

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorStateClass,
)
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EntityCategory, UnitOfTemperature
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add two temperatures and a time."""
    async_add_entities([*entry.runtime_data, PlainTimestamp(entry, 3)])


class PlainEntity(SensorEntity):
    """What the sensors have in common."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, entry: ConfigEntry, number: int) -> None:
        """Create entity `number` of a config entry."""
        self._attr_unique_id = f"{entry.unique_id}_{number}"
        self._attr_name = f"Plain {number}"
        self._attr_device_info = DeviceInfo(
            identifiers={("bench_view", entry.unique_id or "")}, name=entry.title
        )


class PlainSensor(PlainEntity, RestoreSensor):
    """A temperature that is restored after a restart."""

    _attr_device_class = SensorDeviceClass.TEMPERATURE
    _attr_force_update = True
    _attr_native_unit_of_measurement = UnitOfTemperature.CELSIUS
    _attr_native_value = 0.0
    _attr_state_class = SensorStateClass.MEASUREMENT

    @callback
    def async_set(self, value: float) -> None:
        """Write a new state."""
        self._attr_native_value = value
        self.async_write_ha_state()


class PlainTimestamp(PlainEntity):
    """A time."""

    _attr_device_class = SensorDeviceClass.TIMESTAMP
    _attr_entity_category = EntityCategory.DIAGNOSTIC
