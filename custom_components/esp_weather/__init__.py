"""ESP Weather: weather stations on ESP8266 and ESP32 boards that report over HTTP."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, issue_registry as ir
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .dashboard import async_register_dashboard
from .recording.journal import DATA_JOURNAL, Journal
from .reporting.legacy_view import LegacyReportView
from .reporting.redaction import keep_keys_out_of_logs
from .reporting.signed_view import SignedReportView
from .services import async_setup_services
from .station import DATA_STATIONS, EspWeatherConfigEntry, Station

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = (Platform.BINARY_SENSOR, Platform.SENSOR, Platform.UPDATE)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the addresses for reports, the actions and the dashboard."""
    keep_keys_out_of_logs()
    hass.data[DATA_JOURNAL] = Journal(hass)
    hass.data[DATA_STATIONS] = {}
    hass.http.register_view(LegacyReportView())
    hass.http.register_view(SignedReportView())
    async_setup_services(hass)
    await async_register_dashboard(hass)
    if DATA_INSTANCE not in hass.data:
        ir.async_create_issue(
            hass,
            DOMAIN,
            "no_recorder",
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key="no_recorder",
        )
    return True


async def async_setup_entry(hass: HomeAssistant, entry: EspWeatherConfigEntry) -> bool:
    """Set up the station of a config entry."""
    station = entry.runtime_data = Station(hass, entry)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    hass.data[DATA_STATIONS][station.mac] = station
    return True


async def async_unload_entry(hass: HomeAssistant, entry: EspWeatherConfigEntry) -> bool:
    """Unload the station of a config entry."""
    station = entry.runtime_data
    del hass.data[DATA_STATIONS][station.mac]
    await station.async_stop()
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: EspWeatherConfigEntry, device: DeviceEntry
) -> bool:
    """Remove the station together with its device: neither is without the other."""
    await hass.config_entries.async_remove(entry.entry_id)
    return True
