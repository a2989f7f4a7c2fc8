"""Whether the firmware of a station is older than this integration."""

from typing import override

from homeassistant.components.update import (
    DOMAIN as UPDATE_DOMAIN,
    UpdateDeviceClass,
    UpdateEntity,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN, FIRMWARE_VERSION
from .data import EspWeatherConfigEntry
from .entity import EspWeatherEntity
from .station import Station

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: EspWeatherConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the firmware as soon as the station says which one it has."""
    station = entry.runtime_data
    added = False

    @callback
    def async_add_firmware() -> None:
        nonlocal added
        if not added:
            added = True
            async_add_entities([FirmwareUpdate(station)])

    @callback
    def async_report() -> None:
        if station.status.firmware:
            async_add_firmware()

    if er.async_get(hass).async_get_entity_id(
        UPDATE_DOMAIN, DOMAIN, f"{station.mac}_firmware"
    ):
        async_add_firmware()
    entry.async_on_unload(station.async_listen(async_report))


class FirmwareUpdate(EspWeatherEntity, UpdateEntity):
    """The firmware of a station. Who holds the board installs another one."""

    _attr_device_class = UpdateDeviceClass.FIRMWARE
    _attr_latest_version = FIRMWARE_VERSION
    _attr_release_url = "https://github.com/esp-weather/esp_weather/releases"

    def __init__(self, station: Station) -> None:
        """Create the update of a station."""
        super().__init__(station, "firmware")

    @override
    async def async_added_to_hass(self) -> None:
        """Take the version from before the restart and follow the station."""
        assert isinstance(self.device_entry, dr.DeviceEntry)
        self._attr_installed_version = self.device_entry.sw_version
        self._async_update()
        self.async_on_remove(self._station.async_listen(self._async_report))

    @callback
    def _async_update(self) -> bool:
        """Take the version that the station reports; return whether it is new."""
        version = self._station.status.firmware
        if not version or version == self._attr_installed_version:
            return False
        assert self.device_entry is not None
        self._attr_installed_version = version
        dr.async_get(self.hass).async_update_device(
            self.device_entry.id, sw_version=version
        )
        return True

    @callback
    def _async_report(self) -> None:
        if self._async_update():
            self.async_write_ha_state()
