"""ESP Weather: weather stations on ESP8266 and ESP32 boards that report over HTTP."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import (
    config_validation as cv,
    device_registry as dr,
    issue_registry as ir,
)
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.event import async_track_device_registry_updated_event
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.helpers.typing import ConfigType

from .config import MINOR_VERSION, VERSION, async_complete_fields
from .const import DOMAIN
from .dashboard import async_register_dashboard
from .data import DATA, EspWeatherConfigEntry, EspWeatherData
from .history import recorder
from .ota import async_load_firmware
from .pairing import Pairings
from .recording.archive import Archive
from .recording.journal import Journal
from .reporting import ban
from .reporting.form_view import FormReportView
from .reporting.legacy_view import LegacyReportView
from .reporting.redaction import keep_keys_out_of_logs
from .reporting.signed_view import SignedReportView
from .services import async_setup_services
from .station import Station

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = (
    Platform.BINARY_SENSOR,
    Platform.NUMBER,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.UPDATE,
)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the views for reports, the actions and the dashboard."""
    journal = Journal(hass)
    await journal.async_load()
    hass.data[DATA] = EspWeatherData(
        Archive(hass), journal, Pairings(hass), await async_load_firmware(hass)
    )
    keep_keys_out_of_logs(hass)
    hass.http.register_view(LegacyReportView())
    hass.http.register_view(FormReportView())
    hass.http.register_view(SignedReportView())
    async_setup_services(hass)
    await async_register_dashboard(hass)
    for issue, is_there in (
        ("no_recorder", DATA_INSTANCE not in hass.data),
        ("bans_not_counted", not ban.IS_COUNTED),
        ("history_unsupported", recorder.MISSING is not None),
    ):
        if is_there:
            ir.async_create_issue(
                hass,
                DOMAIN,
                issue,
                is_fixable=False,
                severity=ir.IssueSeverity.WARNING,
                translation_key=issue,
            )
    return True


async def async_migrate_entry(
    hass: HomeAssistant, entry: EspWeatherConfigEntry
) -> bool:
    """Bring an entry of an earlier version up to date.

    One of a newer major version is not loaded, which older versions of Home Assistant
    leave to the integration. One of a newer minor version is taken as it is.
    """
    is_known = entry.version <= VERSION
    if is_known and entry.minor_version < MINOR_VERSION:
        # The field data that 1.2 added is completed at each setup.
        hass.config_entries.async_update_entry(entry, minor_version=MINOR_VERSION)
    return is_known


async def async_setup_entry(hass: HomeAssistant, entry: EspWeatherConfigEntry) -> bool:
    """Set up the station of a config entry."""
    data = hass.data[DATA]
    async_complete_fields(hass, entry)
    station = entry.runtime_data = Station(hass, entry, data.journal, data.archive)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    data.stations[station.mac] = station
    station.async_start()
    _async_reload_without_device(hass, entry)
    return True


@callback
def _async_reload_without_device(
    hass: HomeAssistant, entry: EspWeatherConfigEntry
) -> None:
    """Reload an entry when something else removes its device and entities."""

    @callback
    def async_device_updated(
        event: Event[dr.EventDeviceRegistryUpdatedData],
    ) -> None:
        if event.data["action"] == "remove":
            # After its entities, which are notified too, have been removed
            hass.loop.call_soon(async_reload)

    @callback
    def async_reload() -> None:
        if entry.state is ConfigEntryState.LOADED:
            hass.config_entries.async_schedule_reload(entry.entry_id)

    for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id):
        entry.async_on_unload(
            async_track_device_registry_updated_event(
                hass, device.id, async_device_updated
            )
        )


async def async_unload_entry(hass: HomeAssistant, entry: EspWeatherConfigEntry) -> bool:
    """Unload the station of a config entry."""
    station = entry.runtime_data
    hass.data[DATA].stations.pop(station.mac, None)
    await station.async_stop()
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: EspWeatherConfigEntry, device: DeviceEntry
) -> bool:
    """Remove the station together with its device: neither exists without the other."""
    await hass.config_entries.async_remove(entry.entry_id)
    return True
