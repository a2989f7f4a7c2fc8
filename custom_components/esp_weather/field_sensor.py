"""The sensor of one field, which writes each reading to the state machine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorEntity,
    SensorExtraStoredData,
)
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.core import Context, HomeAssistant, State, callback
from homeassistant.core_config import DATA_CUSTOMIZE
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import FLOAT_PRECISION
from homeassistant.helpers.entity_values import EntityValues
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_system import UnitSystem

from .const import DOMAIN
from .entity import EspWeatherEntity
from .field import Field
from .kind_change import entity_options
from .station import Measurement, Station, seconds_since


class ReadingWriter:
    """Writes the readings of one sensor to the state machine, and does nothing else.

    Entity.async_write_ha_state() recomputes all attributes, checks unit and classes
    and compares them with the entity registry. From one reading to the next only the
    value changes, and computing the rest takes longer than everything else done for a
    report. So the attributes are those that Home Assistant wrote last, and the
    value is converted to the unit by the same converter. They are recomputed when
    something they depend on changes without Home Assistant having the entity write
    its state: the unit system and the customization.
    """

    def __init__(self, sensor: SensorEntity) -> None:
        """Initialize the writer of a sensor that has not written a state yet."""
        self._sensor = sensor
        self._attributes: Mapping[str, Any] = {}
        self._convert: Callable[[float], float] | None = None
        self._units: UnitSystem | None = None
        self._customize: EntityValues | None = None

    @callback
    def async_written(self, hass: HomeAssistant) -> None:
        """Take over the attributes and the unit that Home Assistant has just written."""
        sensor = self._sensor
        self._units = hass.config.units
        self._customize = hass.data.get(DATA_CUSTOMIZE)
        if state := hass.states.get(sensor.entity_id):
            self._attributes = state.attributes
        native_unit, unit = (
            sensor.native_unit_of_measurement,
            sensor.unit_of_measurement,
        )
        self._convert = None
        if native_unit != unit and sensor.device_class in UNIT_CONVERTERS:
            converter = UNIT_CONVERTERS[sensor.device_class]
            self._convert = converter.converter_factory(native_unit, unit)

    def is_current(self, hass: HomeAssistant) -> bool:
        """Return whether attributes and unit are still those Home Assistant would write."""
        return hass.config.units is self._units and (
            hass.data.get(DATA_CUSTOMIZE) is self._customize
        )

    @callback
    def async_write(
        self,
        hass: HomeAssistant,
        value: float,
        timestamp: float | None,
        context: Context | None,
    ) -> None:
        """Write a value; even one that equals the last gets a row in the history."""
        hass.states.async_set(
            self._sensor.entity_id,
            self._as_text(value),
            self._attributes,
            force_update=True,
            context=context,
            timestamp=timestamp,
        )

    def as_state(self, measurement: Measurement) -> State:
        """Return the state that a past measurement would have been."""
        return State(
            self._sensor.entity_id,
            self._as_text(measurement.value),
            self._attributes,
            last_reported=measurement.time,
            context=measurement.context,
        )

    def _as_text(self, value: float) -> str:
        if self._convert is not None:
            value = self._convert(value)
        return f"{value:.{FLOAT_PRECISION}}"


@dataclass
class StoredReading(SensorExtraStoredData):
    """Restore data of a field: the value and when it was measured."""

    time: datetime | None

    @override
    def as_dict(self) -> dict[str, Any]:
        """Return the restore data, ready for JSON."""
        return {
            **super().as_dict(),
            "time": self.time.isoformat() if self.time else None,
        }


class FieldSensor(EspWeatherEntity, RestoreSensor):
    """The newest reading of one field."""

    def __init__(
        self, station: Station, field: Field, newest: Measurement | None = None
    ) -> None:
        """Initialize the sensor of a field, with its first measurement if it is new."""
        super().__init__(station, str(field.number))
        self._field = field
        self._writer = ReadingWriter(self)
        self._inactivity = station.inactivity_timer(self._async_inactive)
        self._time = None if newest is None else newest.time
        self._value = None if newest is None else newest.value
        self._order = None if newest is None else newest.order
        if newest is not None and not newest.reading.age:
            self._context = newest.context
        kind = field.kind
        self._attr_native_unit_of_measurement = field.unit
        self._attr_device_class = kind.device_class
        self._attr_entity_category = kind.entity_category
        self._attr_state_class = kind.state_class
        self._attr_suggested_display_precision = kind.precision
        self._attr_translation_key = (
            f"{field.kind_name}_numbered" if field.is_numbered else field.kind_name
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
        """Return the restore data."""
        return StoredReading(
            self.native_value, self.native_unit_of_measurement, self._time
        )

    @override
    def get_initial_entity_options(self) -> er.EntityOptionsType | None:
        """Return the options of a new entity, with the kind that it is set up with."""
        return {
            **(super().get_initial_entity_options() or {}),
            DOMAIN: entity_options(self._field),
        }

    @override
    async def async_added_to_hass(self) -> None:
        """Restore the reading from before the restart and receive new ones."""
        await super().async_added_to_hass()
        if self._time is None:
            await self._async_restore()
        if self._time is None or self._is_inactive(ago := seconds_since(self._time)):
            self._attr_available = False
        else:
            self._inactivity.async_activity(ago)
        self.async_on_remove(self._inactivity.async_cancel)
        self.async_on_remove(self._station.async_receive(self._field, self))

    async def _async_restore(self) -> None:
        reading = await self.async_get_last_sensor_data()
        extra = await self.async_get_last_extra_data()
        # The stored number is in the unit of the station, whatever unit was shown.
        if (
            reading is None
            or not isinstance(value := reading.native_value, float)
            or extra is None
            or not self._field.minimum <= value <= self._field.maximum
            or (time := dt_util.parse_datetime(extra.as_dict()["time"] or "")) is None
        ):
            return
        self._value = value
        self._time = time
        self._station.async_restore(time)

    @callback
    def async_added(self, measurements: Sequence[Measurement]) -> None:
        """Record the measurements that the sensor was created for."""
        *past, newest = measurements
        # Later states are not this reading.
        self._context = None
        self._station.journal.async_add(self.entity_id)
        # The state just written has the present time.
        self._async_record([*past, newest] if newest.reading.age else past)

    @callback
    def async_take(self, measurements: Sequence[Measurement]) -> None:
        """Take measurements: the newest as the state, the others as history."""
        *past, newest = measurements
        if not self._is_newest(newest) or not self._async_set_measured(newest):
            past.append(newest)
        if past:
            self._async_record(past)

    def as_state(self, measurement: Measurement) -> State:
        """Return the state that a past measurement would have been."""
        return self._writer.as_state(measurement)

    @callback
    def _async_record(self, measurements: Sequence[Measurement]) -> None:
        """Record measurements that do not become the state."""
        if not self._writer.is_current(self.hass):
            self.async_write_ha_state()
        self._station.journal.async_add_past(
            self.as_state(each) for each in measurements
        )

    def _is_newest(self, measurement: Measurement) -> bool:
        """Return whether a measurement is newer than the state, and not too old.

        Within a stream the numbers decide, since a clock may have been set back;
        otherwise the time.
        """
        order, newest, age = measurement.order, self._order, measurement.reading.age
        if order is not None and newest is not None and order[0] == newest[0]:
            is_newer = order > newest
        else:
            is_newer = (
                not age
                or self._time is None
                or measurement.time > self._time
                # The state is from the future: the clock has been set back since.
                or self._time > measurement.time + timedelta(seconds=age)
            )
        return is_newer and not (age and self._is_inactive(age))

    def _is_inactive(self, ago: float) -> bool:
        """Return whether the field is unavailable if it measured `ago` seconds ago."""
        return 0 < self._station.config.timeout <= ago

    @callback
    def async_set(self, value: float, time: datetime) -> None:
        """Set the current value."""
        # The state has the same time as the row in the archive.
        self._async_set(value, time, timestamp=time.timestamp())

    @callback
    def _async_set_measured(self, measurement: Measurement) -> bool:
        """Set the current value; return whether it got the time of its measurement.

        That is impossible if the state was written since; the measurement then has a
        row of its own in the history.
        """
        reading, value, time, context, self._order = measurement
        age = reading.age
        if not age:
            self._async_set(value, time, context=context)
            return True
        state = self.hass.states.get(self.entity_id)
        if (
            self._writer.is_current(self.hass)
            and state is not None
            and time > state.last_updated
        ):
            self._async_set(value, time, age, context, time.timestamp())
            return True
        self._async_set(value, time, age)
        return False

    @callback
    def _async_set(
        self,
        value: float,
        time: datetime,
        age: float = 0.0,
        context: Context | None = None,
        timestamp: float | None = None,
    ) -> None:
        self._value = value
        self._time = time
        self._inactivity.async_activity(age)
        if not self.available:
            self._attr_available = True
        if self._writer.is_current(self.hass):
            self._writer.async_write(self.hass, value, timestamp, context)
        else:
            self._attr_force_update = True
            self._context = context
            self.async_write_ha_state()
            self._context = None
            self._attr_force_update = False
        self._station.journal.async_add(self.entity_id)

    @callback
    @override
    def _async_write_ha_state(self) -> None:
        """Write the state; the next readings reuse its attributes and unit."""
        super()._async_write_ha_state()
        self._writer.async_written(self.hass)

    @callback
    def _async_inactive(self) -> None:
        self._attr_available = False
        self.async_write_ha_state()
