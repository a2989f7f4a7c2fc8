"""The sensors of a station: one for each field, and the time of its last report."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorExtraStoredData,
    SensorStateClass,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import (
    AddConfigEntryEntitiesCallback,
    async_get_current_platform,
)
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .entity import EspWeatherEntity
from .field import Field
from .station import EspWeatherConfigEntry, Station, seconds_since

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: EspWeatherConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the last report and each field that has reported before."""
    station = entry.runtime_data
    platform = async_get_current_platform()

    async def async_add_field(field: Field, value: float) -> None:
        # Awaited, unlike the callback: a report is answered when it is a state.
        await platform.async_add_entities([FieldSensor(station, field, value)])

    station.add_field = async_add_field

    registry = er.async_get(hass)
    async_add_entities(
        [
            LastReportSensor(station),
            *(
                FieldSensor(station, field)
                for field in station.fields.values()
                if registry.async_get_entity_id(
                    SENSOR_DOMAIN, DOMAIN, f"{station.mac}_{field.number}"
                )
            ),
        ]
    )


@dataclass
class StoredReading(SensorExtraStoredData):
    """The value that a field keeps over a restart, and when it was reported."""

    time: datetime | None

    @override
    def as_dict(self) -> dict[str, Any]:
        """Return the value and its time as JSON takes them."""
        return {
            **super().as_dict(),
            "time": self.time.isoformat() if self.time else None,
        }


class FieldSensor(EspWeatherEntity, RestoreSensor):
    """The newest reading of one field."""

    _attr_state_class = SensorStateClass.MEASUREMENT

    def __init__(
        self, station: Station, field: Field, value: float | None = None
    ) -> None:
        """Create the sensor of a field, with its value if it has just reported."""
        super().__init__(station, str(field.number))
        self._field = field
        self._is_report = False
        self._silence = station.silence_timer(self._async_silent)
        self._time = None if value is None else dt_util.utcnow()
        self._attr_native_value = value
        self._attr_native_unit_of_measurement = field.unit
        self._attr_device_class = field.kind.device_class
        self._attr_entity_category = field.kind.entity_category
        self._attr_suggested_display_precision = field.kind.precision
        # The first field is the only one of most stations and needs no number.
        self._attr_translation_key = (
            field.kind_name if field.number == 1 else f"{field.kind_name}_numbered"
        )
        self._attr_translation_placeholders = {"field": str(field.number)}
        if field.name:
            self._attr_name = field.name

    @property
    @override
    def force_update(self) -> bool:
        """Return whether the state that is being written is a row even if unchanged.

        Each report is a row in the history. What else writes the state, such as
        a change in the entity registry, is none.
        """
        return self._is_report

    @property
    @override
    def extra_restore_state_data(self) -> StoredReading:
        """Return what a restart must not lose."""
        return StoredReading(
            self.native_value, self.native_unit_of_measurement, self._time
        )

    @override
    async def async_added_to_hass(self) -> None:
        """Take the reading from before the restart and receive new ones."""
        await super().async_added_to_hass()
        if self._time is None:
            await self._async_restore()
        else:
            self._silence.async_heard()
        self.async_on_remove(self._silence.async_cancel)
        self.async_on_remove(
            self._station.async_receive(self._field, self._async_receive)
        )

    async def _async_restore(self) -> None:
        reading = await self.async_get_last_sensor_data()
        extra = await self.async_get_last_extra_data()
        # A value in another unit is worth nothing once the options have changed.
        if (
            reading is None
            or extra is None
            or reading.native_unit_of_measurement != self._field.unit
            or (time := dt_util.parse_datetime(extra.as_dict()["time"] or "")) is None
        ):
            self._attr_available = False
            return
        self._attr_native_value = reading.native_value
        self._time = time
        ago = seconds_since(time)
        if self._station.timeout and ago >= self._station.timeout:
            self._attr_available = False
        else:
            self._silence.async_heard(ago)
        self._station.async_restore(time)

    @callback
    def _async_receive(self, value: float, time: datetime) -> None:
        self._attr_native_value = value
        self._attr_available = True
        self._time = time
        self._silence.async_heard()
        self._is_report = True
        self.async_write_ha_state()
        self._is_report = False

    @callback
    def _async_silent(self) -> None:
        self._attr_available = False
        self.async_write_ha_state()


class LastReportSensor(EspWeatherEntity, SensorEntity):
    """When the station last reported."""

    _attr_device_class = SensorDeviceClass.TIMESTAMP
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_translation_key = "last_report"

    def __init__(self, station: Station) -> None:
        """Create the sensor of a station."""
        super().__init__(station, "last_report")

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the station's reports."""
        self._attr_native_value = self._station.last_report
        self.async_on_remove(self._station.async_listen(self._async_report))

    @callback
    def _async_report(self) -> None:
        if self._attr_native_value != self._station.last_report:
            self._attr_native_value = self._station.last_report
            self.async_write_ha_state()
