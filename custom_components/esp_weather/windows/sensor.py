"""Sensors of a room's windows, and the humidity sensors that are derived."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import UnitOfTemperature
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import EntityPlatform
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.helpers.restore_state import (
    ExtraStoredData,
    RestoredExtraData,
    RestoreEntity,
)

from ..data import EspWeatherConfigEntry
from ..entity import EspWeatherEntity
from ..field import KINDS
from ..station import Station
from .advice import Advice, Air
from .humidity import dew_point
from .inputs import Side, station_side
from .room import Room, async_remove_room, async_room


async def async_add_windows_sensors(
    hass: HomeAssistant,
    entry: EspWeatherConfigEntry,
    platform: EntityPlatform,
) -> None:
    """Add the sensors of a room's windows and the derived humidity sensors."""
    station = entry.runtime_data
    if (room := async_room(hass, entry)) is not None:
        # Awaited, so that the room starts with the state from before a restart
        await platform.async_add_entities(
            RoomSensor(station, room, each) for each in ROOM_SENSORS
        )
        room.async_start()
    else:
        async_remove_room(hass, entry)
    is_added = False

    @callback
    def async_add_moisture_sensors(_: object = None) -> None:
        """Add the sensors derived from temperature and humidity once both exist."""
        nonlocal is_added
        side = station_side(hass, entry)
        if is_added or not side.temperature or not side.humidity:
            return
        is_added = True
        # A quantity that the station measures is not derived.
        measured = {field.kind_name for field in station.fields.values()}
        sensors = [
            MoistureSensor(station, side, each)
            for each in MOISTURE_SENSORS
            if each.key not in measured
        ]
        entry.async_create_task(hass, platform.async_add_entities(sensors))

    entry.async_on_unload(
        hass.bus.async_listen(
            er.EVENT_ENTITY_REGISTRY_UPDATED, async_add_moisture_sensors
        )
    )
    async_add_moisture_sensors()


@dataclass(frozen=True, kw_only=True)
class RoomSensorDescription(SensorEntityDescription):
    """A sensor of a room's windows."""

    value: Callable[[Room], str | float | datetime | None]
    attributes: Callable[[Room], dict[str, Any] | None] = lambda room: None


def _windows_attributes(room: Room) -> dict[str, Any]:
    return {
        "inside": room.inside.temperature,
        "outside": room.outside.temperature,
    }


def _next_change_attributes(room: Room) -> dict[str, Any] | None:
    if (change := room.next_change) is None:
        return None
    return {"earliest": change.earliest, "latest": change.latest}


ROOM_SENSORS: Final = (
    RoomSensorDescription(
        key="windows",
        translation_key="windows",
        device_class=SensorDeviceClass.ENUM,
        options=[*Advice],
        value=lambda room: room.advice,
        attributes=_windows_attributes,
    ),
    RoomSensorDescription(
        key="outside_difference",
        translation_key="outside_difference",
        device_class=SensorDeviceClass.TEMPERATURE_DELTA,
        native_unit_of_measurement=UnitOfTemperature.CELSIUS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        # Rounded as shown, so that not every report changes the state
        value=lambda room: (
            None if room.difference is None else round(room.difference, 1) + 0.0
        ),
    ),
    RoomSensorDescription(
        key="next_change",
        translation_key="next_change",
        device_class=SensorDeviceClass.TIMESTAMP,
        value=lambda room: room.next_change and room.next_change.expected,
        attributes=_next_change_attributes,
    ),
)


class RoomSensor(EspWeatherEntity, RestoreEntity, SensorEntity):
    """A sensor of a room's windows."""

    entity_description: RoomSensorDescription

    def __init__(
        self, station: Station, room: Room, description: RoomSensorDescription
    ) -> None:
        """Create the sensor of a room."""
        super().__init__(station, description.key)
        self.entity_description = description
        self._room = room
        if description.device_class is SensorDeviceClass.TEMPERATURE_DELTA:
            # Home Assistant converts temperatures to the user's unit, but not
            # differences of temperatures.
            self._attr_suggested_unit_of_measurement = room.unit

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        """Return the restore data: the state of the room's hysteresis."""
        return RestoredExtraData({"memory": self._room.memory})

    @override
    async def async_added_to_hass(self) -> None:
        """Restore the room's hysteresis and subscribe to the room."""
        await super().async_added_to_hass()
        if extra := await self.async_get_last_extra_data():
            self._room.async_restore(extra.as_dict().get("memory"))
        self._async_update()
        self.async_on_remove(self._room.async_listen(self._async_changed))

    @callback
    def _async_update(self) -> bool:
        """Update from the room; return whether the value has changed."""
        value = self.entity_description.value(self._room)
        attributes = self.entity_description.attributes(self._room)
        if (value, attributes) == (
            self._attr_native_value,
            getattr(self, "_attr_extra_state_attributes", None),
        ):
            return False
        self._attr_native_value = value
        self._attr_extra_state_attributes = attributes or {}
        return True

    @callback
    def _async_changed(self) -> None:
        if self._async_update():
            self.async_write_ha_state()


@dataclass(frozen=True, kw_only=True)
class MoistureDescription(SensorEntityDescription):
    """A sensor derived from a station's temperature and humidity."""

    value: Callable[[Air], float | None]
    entity_registry_enabled_default: bool = False
    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT
    suggested_display_precision: int | None = 1


def _dew_point(air: Air) -> float | None:
    return None if air.humidity is None else dew_point(air.temperature, air.humidity)


MOISTURE_SENSORS: Final = (
    MoistureDescription(
        key="dew_point",
        translation_key="dew_point",
        device_class=SensorDeviceClass.TEMPERATURE,
        native_unit_of_measurement=UnitOfTemperature.CELSIUS,
        value=_dew_point,
    ),
    MoistureDescription(
        key="absolute_humidity",
        translation_key="absolute_humidity",
        device_class=SensorDeviceClass.ABSOLUTE_HUMIDITY,
        native_unit_of_measurement=KINDS["absolute_humidity"].units[0],
        value=lambda air: air.moisture,
    ),
)


class MoistureSensor(EspWeatherEntity, SensorEntity):
    """Dew point or absolute humidity of a station's air."""

    entity_description: MoistureDescription

    def __init__(
        self, station: Station, side: Side, description: MoistureDescription
    ) -> None:
        """Create the sensor of a station."""
        super().__init__(station, description.key)
        self.entity_description = description
        self._side = side

    @override
    async def async_added_to_hass(self) -> None:
        """Track the sensors of temperature and humidity."""
        self._async_update()
        self.async_on_remove(
            async_track_state_change_event(
                self.hass, self._side.entity_ids, self._async_changed
            )
        )

    @callback
    def _async_update(self) -> None:
        air = self._side.read(self.hass)
        value = None if air is None else self.entity_description.value(air)
        self._attr_available = value is not None
        self._attr_native_value = None if value is None else round(value, 2)

    @callback
    def _async_changed(self, _: object) -> None:
        self._async_update()
        self.async_write_ha_state()
