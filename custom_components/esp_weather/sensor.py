"""Sensors of a station: its fields, its self-reported status, its last report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
    EntityCategory,
    UnitOfElectricPotential,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import (
    AddConfigEntryEntitiesCallback,
    async_get_current_platform,
)

from .const import DOMAIN
from .data import EspWeatherConfigEntry
from .entity import EspWeatherEntity
from .field import Field
from .field_sensor import FieldSensor
from .kind_change import KindChange
from .station import Measurement, Station
from .windows.sensor import async_add_windows_sensors

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: EspWeatherConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the last report and each field that has reported before."""
    station = entry.runtime_data
    platform = async_get_current_platform()
    registry = er.async_get(hass)

    def registered(key: str) -> str | None:
        return registry.async_get_entity_id(
            SENSOR_DOMAIN, DOMAIN, f"{station.mac}_{key}"
        )

    changes = [
        KindChange(hass, entity_id, field)
        for field in station.fields.values()
        if (entity_id := registered(str(field.number)))
    ]
    for change in changes:
        await change.async_before_setup()
    moving = [change for change in changes if change.changes_id]
    if len(moving) > 1:
        # One may take over the entity ID of another.
        for change in moving:
            change.async_free_id()
    sensors = [FieldSensor(station, change.field) for change in changes]
    await platform.async_add_entities([LastReportSensor(station), *sensors])
    for change, sensor in zip(changes, sensors, strict=True):
        change.async_after_setup(sensor)

    missing = [each for each in STATUS if not registered(each.key)]
    async_add_entities(
        StatusSensor(station, each) for each in STATUS if each not in missing
    )

    @callback
    def async_add_status() -> None:
        """Add a sensor for each status value that is reported for the first time."""
        for each in [each for each in missing if each.value(station) is not None]:
            missing.remove(each)
            async_add_entities([StatusSensor(station, each)])

    async def async_add_field(
        field: Field, measurements: Sequence[Measurement]
    ) -> None:
        newest = measurements[-1] if measurements else None
        sensor = FieldSensor(station, field, newest)
        # Awaited, unlike the callback: a report is answered once its states are written.
        await platform.async_add_entities([sensor])
        if sensor.enabled and measurements:
            sensor.async_added(measurements)

    entry.async_on_unload(station.async_listen(async_add_status))
    entry.async_on_unload(station.async_register_factory(async_add_field))
    await async_add_windows_sensors(hass, entry, platform)


@dataclass(frozen=True, kw_only=True)
class StatusDescription(SensorEntityDescription):
    """A sensor of the self-reported status of a station."""

    value: Callable[[Station], float | datetime | None]
    entity_category: EntityCategory | None = EntityCategory.DIAGNOSTIC


STATUS: Final = (
    StatusDescription(
        key="rssi",
        entity_registry_enabled_default=False,
        device_class=SensorDeviceClass.SIGNAL_STRENGTH,
        native_unit_of_measurement=SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value=lambda station: station.status.rssi,
    ),
    StatusDescription(
        key="uptime",
        translation_key="uptime",
        device_class=SensorDeviceClass.TIMESTAMP,
        value=lambda station: station.started,
    ),
    StatusDescription(
        key="battery",
        translation_key="battery_voltage",
        device_class=SensorDeviceClass.VOLTAGE,
        native_unit_of_measurement=UnitOfElectricPotential.VOLT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
        value=lambda station: station.status.battery,
    ),
)
# The uptime is in whole seconds, and a report takes a while to arrive.
_SAME_START: Final = timedelta(minutes=1)


class StatusSensor(EspWeatherEntity, RestoreSensor):
    """One value of the self-reported status of a station."""

    entity_description: StatusDescription

    def __init__(self, station: Station, description: StatusDescription) -> None:
        """Create the sensor of a station."""
        super().__init__(station, description.key)
        self.entity_description = description

    @property
    @override
    def available(self) -> bool:
        """Return whether the station reports."""
        return self._station.connected

    @override
    async def async_added_to_hass(self) -> None:
        """Restore the value from before the restart and subscribe to the station."""
        await super().async_added_to_hass()
        if restored := await self.async_get_last_sensor_data():
            self._attr_native_value = restored.native_value
        self._async_update()
        self.async_on_remove(self._station.async_listen(self._async_report))

    @callback
    def _async_update(self) -> None:
        value = self.entity_description.value(self._station)
        before = self._attr_native_value
        if value is None or (
            isinstance(value, datetime)
            and isinstance(before, datetime)
            and abs(value - before) < _SAME_START
        ):
            return
        self._attr_native_value = value

    @callback
    def _async_report(self) -> None:
        self._async_update()
        self.async_write_ha_state()


class LastReportSensor(EspWeatherEntity, SensorEntity):
    """When the station last reported."""

    _attr_device_class = SensorDeviceClass.TIMESTAMP
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    # Otherwise it would fill the activity page of Home Assistant.
    _attr_entity_registry_enabled_default = False
    _attr_translation_key = "last_report"

    def __init__(self, station: Station) -> None:
        """Create the sensor of a station."""
        super().__init__(station, "last_report")

    @override
    async def async_added_to_hass(self) -> None:
        """Subscribe to the station's reports."""
        self._attr_native_value = self._station.last_report
        self.async_on_remove(self._station.async_listen(self._async_report))

    @callback
    def _async_report(self) -> None:
        if self._attr_native_value != self._station.last_report:
            self._attr_native_value = self._station.last_report
            self.async_write_ha_state()
