"""The sensors of a station: its fields, what it says of itself, its last report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorExtraStoredData,
    SensorStateClass,
)
from homeassistant.const import (
    SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
    EntityCategory,
    UnitOfElectricPotential,
)
from homeassistant.core import HomeAssistant, State, callback
from homeassistant.core_config import DATA_CUSTOMIZE
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import FLOAT_PRECISION
from homeassistant.helpers.entity_platform import (
    AddConfigEntryEntitiesCallback,
    async_get_current_platform,
)
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .entity import EspWeatherEntity
from .field import Field
from .recording.backfill import SAME_MEASUREMENT
from .station import EspWeatherConfigEntry, Measurement, Station, seconds_since

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: EspWeatherConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the last report and each field that has reported before."""
    station = entry.runtime_data
    platform = async_get_current_platform()

    async def async_add_field(
        field: Field, measurements: Sequence[Measurement]
    ) -> None:
        *past, newest = measurements
        sensor = FieldSensor(station, field, newest)
        # Awaited, unlike the callback: a report is answered when it is a state.
        await platform.async_add_entities([sensor])
        if sensor.enabled:
            station.journal.async_add(sensor.entity_id)
            # The state that was just written is of now.
            sensor.async_record([*past, newest] if newest.age else past)

    station.add_field = async_add_field

    registry = er.async_get(hass)

    def is_known(key: str) -> bool:
        unique_id = f"{station.mac}_{key}"
        return bool(registry.async_get_entity_id(SENSOR_DOMAIN, DOMAIN, unique_id))

    async_add_entities(
        [
            LastReportSensor(station),
            *(
                FieldSensor(station, field)
                for field in station.fields.values()
                if is_known(str(field.number))
            ),
        ]
    )

    missing = [each for each in STATUS if not is_known(each.key)]
    async_add_entities(
        StatusSensor(station, each) for each in STATUS if each not in missing
    )

    @callback
    def async_add_status() -> None:
        """Add what the station says of itself for the first time."""
        for each in [each for each in missing if each.value(station) is not None]:
            missing.remove(each)
            async_add_entities([StatusSensor(station, each)])

    entry.async_on_unload(station.async_listen(async_add_status))


@dataclass(frozen=True, kw_only=True)
class StatusDescription(SensorEntityDescription):
    """A sensor of what a station says of itself."""

    value: Callable[[Station], float | datetime | None]
    entity_category: EntityCategory | None = EntityCategory.DIAGNOSTIC


STATUS: Final = (
    StatusDescription(
        key="rssi",
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
# A station reckons in seconds, and its report takes a while to come.
_SAME_START: Final = timedelta(minutes=1)


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
        self, station: Station, field: Field, newest: Measurement | None = None
    ) -> None:
        """Create the sensor of a field, with what it measured if that is new."""
        super().__init__(station, str(field.number))
        self._field = field
        self._attributes: Mapping[str, Any] = {}
        self._unit: str | None = None
        self._basis: tuple[object, ...] = ()
        self._silence = station.silence_timer(self._async_silent)
        self._time = None if newest is None else newest.time
        self._value = None if newest is None else newest.value
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
    def native_value(self) -> float | None:
        """Return the newest reading, not from an _attr_, which takes longer to set."""
        return self._value

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
        if self._time is None or self._is_silent(ago := seconds_since(self._time)):
            self._attr_available = False
        else:
            self._silence.async_heard(ago)
        self.async_on_remove(self._silence.async_cancel)
        self.async_on_remove(self._station.async_receive(self._field, self))

    async def _async_restore(self) -> None:
        reading = await self.async_get_last_sensor_data()
        extra = await self.async_get_last_extra_data()
        # A value in another unit is worth nothing once the options have changed.
        if (
            reading is None
            or not isinstance(value := reading.native_value, float)
            or extra is None
            or reading.native_unit_of_measurement != self._field.unit
            or (time := dt_util.parse_datetime(extra.as_dict()["time"] or "")) is None
        ):
            return
        self._value = value
        self._time = time
        self._station.async_restore(time)

    @callback
    def async_take(
        self, measurements: Sequence[Measurement], *, repeated: bool
    ) -> None:
        """Take measurements: the newest as the state, the others as history."""
        *past, newest = measurements
        if repeated and self._is_known(newest):
            self._silence.async_heard(newest.age)
        elif not self._is_newest(newest) or not self.async_set(*newest):
            past.append(newest)
        self.async_record(past, repeated=repeated)

    @callback
    def async_record(
        self, measurements: Sequence[Measurement], *, repeated: bool = False
    ) -> None:
        """Have measurements in the history that are not to be the state."""
        self._station.journal.async_add_past(
            [
                State(
                    self.entity_id,
                    self._as_state(each.value),
                    self._attributes,
                    last_reported=each.time,
                )
                for each in measurements
            ],
            repeated=repeated,
        )

    def _is_newest(self, measurement: Measurement) -> bool:
        """Return whether a measurement is newer than the state, and not too old."""
        return not measurement.age or (
            (self._time is None or measurement.time > self._time)
            and not self._is_silent(measurement.age)
        )

    def _is_known(self, measurement: Measurement) -> bool:
        """Return whether the state seems to be of the same measurement."""
        return (
            self._time is not None
            and self._value == measurement.value
            and abs(measurement.time - self._time) < SAME_MEASUREMENT
        )

    def _is_silent(self, ago: float) -> bool:
        """Return whether the field is silent if it last measured `ago` seconds ago."""
        return 0 < self._station.timeout <= ago

    @callback
    def async_set(self, value: float, time: datetime, age: float = 0.0) -> bool:
        """Make a measurement the state; return whether with the time it was measured.

        It cannot have that time when the state has been written since.
        """
        # What attributes depend on without Home Assistant having the entity write them
        basis = (self.hass.config.units, self.hass.data.get(DATA_CUSTOMIZE))
        if basis != self._basis:
            self._basis = basis
            self.async_write_ha_state()
        self._value = value
        if not self.available:
            self._attr_available = True
        self._time = time
        self._silence.async_heard(age)
        timestamp = None
        if (
            age
            and (state := self.hass.states.get(self.entity_id))
            and time > state.last_updated
        ):
            timestamp = time.timestamp()
        # Each report is a row in the history, equal values too. What else writes the
        # state, such as a change in the entity registry, is none. The attributes are
        # not made anew, which would take as long as all else that is done here.
        self.hass.states.async_set(
            self.entity_id,
            self._as_state(value),
            self._attributes,
            force_update=True,
            timestamp=timestamp,
        )
        self._station.journal.async_add(self.entity_id)
        return timestamp is not None or not age

    @callback
    @override
    def _async_write_ha_state(self) -> None:
        """Write the state; keep its attributes and unit for the reports to come."""
        super()._async_write_ha_state()
        self._unit = self.unit_of_measurement
        if state := self.hass.states.get(self.entity_id):
            self._attributes = state.attributes

    def _as_state(self, value: float) -> str:
        """Return a value as the state would be, which may have another unit."""
        if self._unit == self._field.unit:
            return f"{value:.{FLOAT_PRECISION}}"
        current = self._value
        self._value = value
        state = self.state
        self._value = current
        return state if isinstance(state, str) else f"{state:.{FLOAT_PRECISION}}"

    @callback
    def _async_silent(self) -> None:
        self._attr_available = False
        self.async_write_ha_state()


class StatusSensor(EspWeatherEntity, RestoreSensor):
    """One thing that a station has said of itself."""

    entity_description: StatusDescription

    def __init__(self, station: Station, description: StatusDescription) -> None:
        """Create the sensor of a station."""
        super().__init__(station, description.key)
        self.entity_description = description

    @property
    @override
    def available(self) -> bool:
        """Return whether the station is heard from."""
        return self._station.connected

    @override
    async def async_added_to_hass(self) -> None:
        """Take the value from before the restart and follow the station."""
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
