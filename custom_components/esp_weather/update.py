"""Update platform: the firmware of a station."""

from typing import Any, override

from homeassistant.components.update import (
    ATTR_IN_PROGRESS,
    UpdateDeviceClass,
    UpdateEntity,
    UpdateEntityFeature,
)
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .commands import UNFULFILLED
from .const import FIRMWARE_VERSION
from .data import DATA, EspWeatherConfigEntry
from .entity import EspWeatherEntity, async_add_once_reported
from .messages import async_translate
from .ota import Firmware
from .station import Station

PARALLEL_UPDATES = 0

# The reasons that a station reports for a failed update
_ERRORS = {
    "micropython_too_old": "update_micropython_too_old",
    "no_answer": "update_no_answer",
    "no_report": "update_no_report",
    "no_space": "update_no_space",
    "no_wifi": "update_no_wifi",
    "wrong_digest": "update_wrong_digest",
    UNFULFILLED: "update_unfulfilled",
}


async def async_setup_entry(
    hass: HomeAssistant,
    entry: EspWeatherConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the update entity once the station reports its firmware version."""
    station = entry.runtime_data
    async_add_once_reported(
        hass,
        entry,
        Platform.UPDATE,
        "firmware",
        lambda: bool(station.status.firmware),
        lambda: async_add_entities([FirmwareUpdate(station, hass.data[DATA].firmware)]),
    )


class FirmwareUpdate(EspWeatherEntity, UpdateEntity):
    """The firmware of a station, which fetches a newer one over the air.

    It is told to with the answer to its next report. Where this installation lacks
    the compiled firmware, boards are updated by cable.
    """

    _attr_device_class = UpdateDeviceClass.FIRMWARE
    _attr_latest_version = FIRMWARE_VERSION
    _attr_release_url = "https://github.com/esp-weather/esp_weather/releases"

    def __init__(self, station: Station, firmware: Firmware | None) -> None:
        """Create the update entity; without `firmware` it only shows versions."""
        super().__init__(station, "firmware")
        self._firmware = firmware
        self._shown: tuple[str | None, bool, str | None] | None = None
        if firmware is not None:
            self._attr_latest_version = firmware.version

    @override
    async def async_added_to_hass(self) -> None:
        """Resume a pending update from before a restart; subscribe to the station."""
        assert isinstance(self.device_entry, dr.DeviceEntry)
        self._attr_installed_version = self.device_entry.sw_version
        keys = (*_ERRORS.values(), "update_by_cable", "update_failed")
        self._texts = {
            key: await async_translate(self.hass, f"exceptions.{key}.message")
            for key in keys
        }
        if (
            self._firmware is not None
            and (last := await self.async_get_last_state()) is not None
            and last.attributes.get(ATTR_IN_PROGRESS)
            and self._station.commands.firmware is None
        ):
            self._station.commands.install(self._firmware)
        self._async_update()
        self.async_on_remove(self._station.async_listen(self._async_report))

    @override
    async def async_install(
        self, version: str | None, backup: bool, **kwargs: Any
    ) -> None:
        """Have the station install the firmware after its next report."""
        assert self._firmware is not None  # Without it, INSTALL is not supported.
        self._station.commands.install(self._firmware)
        self._async_report()

    @override
    async def async_release_notes(self) -> str | None:
        """Return the release notes."""
        return self._firmware and self._firmware.notes

    @property
    @override
    def supported_features(self) -> UpdateEntityFeature:
        """Return what users can do; after a failed update they read its reason.

        Home Assistant's dialog shows the summary only where there are no release notes.
        """
        if self._firmware is None:
            return UpdateEntityFeature(0)
        features = UpdateEntityFeature.INSTALL | UpdateEntityFeature.PROGRESS
        if self._attr_release_summary is None:
            features |= UpdateEntityFeature.RELEASE_NOTES
        return features

    @property
    def _summary(self) -> str | None:
        """Return why nothing can be installed, or why the last update failed."""
        if self._firmware is None:
            return self._texts["update_by_cable"]
        if (error := self._station.commands.firmware_error) is None:
            return None
        return self._texts[_ERRORS.get(error, "update_failed")]

    @property
    @override
    def in_progress(self) -> bool:
        """Return whether an update is pending."""
        return self._station.commands.firmware is not None

    @callback
    def _async_update(self) -> bool:
        """Update from the status of the station; return whether anything changed."""
        self._attr_release_summary = self._summary
        version = self._station.status.firmware
        if version and version != self._attr_installed_version:
            assert self.device_entry is not None
            self._attr_installed_version = version
            dr.async_get(self.hass).async_update_device(
                self.device_entry.id, sw_version=version
            )
        before = self._shown
        self._shown = (version, self.in_progress, self._attr_release_summary)
        return self._shown != before

    @callback
    def _async_report(self) -> None:
        if self._async_update():
            self.async_write_ha_state()
