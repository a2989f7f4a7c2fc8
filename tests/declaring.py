"""A station that declares its fields."""

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.esp_weather.protocol.readings import (
    Declaration,
    Reading,
    ReportError,
)
from custom_components.esp_weather.protocol.signed import Report, Status
from custom_components.esp_weather.station import NotReadyError, Station
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

BME280 = {
    1: Declaration("temperature"),
    2: Declaration("humidity", "%"),
    3: Declaration("pressure", "hPa"),
}
BME280_VALUES = {1: 21.5, 2: 48.2, 3: 1013.2}


async def declare(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    fields: dict[int, Declaration],
    values: dict[int, float],
) -> list[ReportError]:
    """Report with a declaration of the fields; repeat it if the entry is reloaded."""
    report = Report(
        tuple(Reading(field, value) for field, value in values.items()),
        Status(),
        fields=fields,
    )
    try:
        taken = await loaded(entry).async_take_report(report, dt_util.utcnow())
    except NotReadyError:
        await hass.async_block_till_done()
        taken = await loaded(entry).async_take_report(report, dt_util.utcnow())
    await hass.async_block_till_done()
    return taken.refused


def loaded(entry: MockConfigEntry) -> Station:
    """Return the station of an entry that is loaded."""
    assert entry.state is ConfigEntryState.LOADED
    station: Station = entry.runtime_data
    return station
