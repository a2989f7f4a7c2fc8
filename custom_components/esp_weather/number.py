"""Number platform: the settings of a station."""

from typing import Any, override

from homeassistant.components.number import NumberDeviceClass, NumberEntity, NumberMode
from homeassistant.const import EntityCategory, Platform, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import ExtraStoredData, RestoreEntity

from .data import EspWeatherConfigEntry
from .entity import EspWeatherEntity, async_add_once_reported
from .station import Station

PARALLEL_UPDATES = 0

_DAY = 24 * 60 * 60  # seconds


async def async_setup_entry(
    hass: HomeAssistant,
    entry: EspWeatherConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the interval once the station reports it."""
    station = entry.runtime_data
    async_add_once_reported(
        hass,
        entry,
        Platform.NUMBER,
        "interval",
        lambda: station.status.interval is not None,
        lambda: async_add_entities([IntervalNumber(station)]),
    )


class IntervalNumber(EspWeatherEntity, NumberEntity, RestoreEntity):
    """The seconds between two readings of a station.

    A new value is shown at once. The station receives it with the answer to its next
    report.
    """

    _attr_device_class = NumberDeviceClass.DURATION
    _attr_entity_category = EntityCategory.CONFIG
    _attr_mode = NumberMode.BOX
    _attr_native_max_value = _DAY
    _attr_native_min_value = 1
    _attr_native_step = 1
    _attr_native_unit_of_measurement = UnitOfTime.SECONDS
    _attr_translation_key = "interval"

    def __init__(self, station: Station) -> None:
        """Create the interval of a station."""
        super().__init__(station, "interval")

    @override
    async def async_added_to_hass(self) -> None:
        """Restore a pending interval from before a restart; subscribe to the station."""
        if (data := await self.async_get_last_extra_data()) is not None:
            stored = StoredInterval(**data.as_dict())
            if stored.wanted is not None:
                self._station.commands.set_interval(stored.wanted)
            self._attr_native_value = stored.interval
        self._async_update()
        self.async_on_remove(self._station.async_listen(self._async_report))

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        """Return the restore data."""
        return StoredInterval(
            self._station.commands.interval, self._station.status.interval
        )

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Have the station change its interval."""
        self._station.commands.set_interval(int(value))
        self._async_report()

    @callback
    def _async_update(self) -> None:
        """Show the pending interval, or else the reported one."""
        wanted = self._station.commands.interval
        value = wanted if wanted is not None else self._station.status.interval
        if value is not None:
            self._attr_native_value = value

    @callback
    def _async_report(self) -> None:
        before = self._attr_native_value
        self._async_update()
        if self._attr_native_value != before:
            self.async_write_ha_state()


class StoredInterval(ExtraStoredData):
    """Restore data: the interval that is pending, if any, and the reported one."""

    def __init__(
        self, wanted: int | None = None, interval: float | None = None, **_: Any
    ) -> None:
        """Initialize from the stored data."""
        self.wanted = wanted
        self.interval = interval

    @override
    def as_dict(self) -> dict[str, Any]:
        """Return the restore data, ready for JSON."""
        return {"wanted": self.wanted, "interval": self.interval}
