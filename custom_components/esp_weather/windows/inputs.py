"""The sensors of one side of a window, and the air that they measure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import ATTR_RESTORED, Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..data import EspWeatherConfigEntry
from ..recording.means import celsius
from .advice import Air

# A state that has not been reported for this long is stale. The stations' own
# inactivity timeout is shorter, but Home Assistant's other sensors have none.
_STALE: Final = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Side:
    """The entity IDs of the sensors of one side."""

    temperature: str | None = None
    humidity: str | None = None

    @property
    def entity_ids(self) -> list[str]:
        """Return the entity IDs that are set."""
        return [each for each in (self.temperature, self.humidity) if each]

    def read(self, hass: HomeAssistant) -> Air | None:
        """Return the air of this side, None unless its temperature is known."""
        if (state := _current(hass, self.temperature)) is None:
            return None
        if (temperature := celsius(state.state, state.attributes)) is None:
            return None
        humidity: float | None = None
        if (state := _current(hass, self.humidity)) is not None:
            try:
                humidity = float(state.state)
            except ValueError:
                humidity = None
            if humidity is not None and not 0 <= humidity <= 100:
                humidity = None
        return Air(temperature, humidity)


def _current(hass: HomeAssistant, entity_id: str | None) -> State | None:
    """Return the state of an entity, None if there is none or it is stale."""
    if entity_id is None or (state := hass.states.get(entity_id)) is None:
        return None
    if state.attributes.get(ATTR_RESTORED):
        return None
    return state if dt_util.utcnow() - state.last_reported < _STALE else None


def station_side(hass: HomeAssistant, entry: EspWeatherConfigEntry) -> Side:
    """Return the first temperature and the first humidity sensor of a station."""
    registry = er.async_get(hass)
    # A field's unique ID ends with its number, others with a word.
    fields = sorted(
        (int(number), each)
        for each in er.async_entries_for_config_entry(registry, entry.entry_id)
        if each.domain == Platform.SENSOR
        and not each.disabled
        and (number := each.unique_id.rpartition("_")[2]).isdecimal()
    )
    return _side([each for _, each in fields])


def entity_side(hass: HomeAssistant, entity_id: str) -> Side:
    """Return a temperature sensor, with the humidity sensor of its device."""
    registry = er.async_get(hass)
    entry = registry.async_get(entity_id)
    if entry is None or entry.device_id is None:
        return Side(entity_id)
    if entry.platform == DOMAIN:
        # The device of a station may have sensors of other kinds of humidity.
        config_entry = hass.config_entries.async_get_entry(entry.config_entry_id or "")
        humidity = station_side(hass, config_entry).humidity if config_entry else None
    else:
        humidity = _side(
            er.async_entries_for_device(registry, entry.device_id)
        ).humidity
    return Side(entity_id, humidity)


def _side(entries: list[er.RegistryEntry]) -> Side:
    def first(device_class: SensorDeviceClass) -> str | None:
        return next(
            (
                each.entity_id
                for each in entries
                if (each.device_class or each.original_device_class) == device_class
            ),
            None,
        )

    return Side(first(SensorDeviceClass.TEMPERATURE), first(SensorDeviceClass.HUMIDITY))
