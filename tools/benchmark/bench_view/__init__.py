"""The limits that ESP Weather is compared with: Home Assistant (HA) doing less.

Views that do nothing or write one state, and config entries with plain entities.
"""

import gc
import tracemalloc

from aiohttp import web

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView
from homeassistant.helpers.typing import ConfigType
from homeassistant.util.hass_dict import HassKey

from .sensor import PlainSensor

DOMAIN = "bench_view"
CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = (Platform.BINARY_SENSOR, Platform.SENSOR)

type BenchConfigEntry = ConfigEntry[list[PlainSensor]]

# By the part of a report's address that names station and field
DATA_SENSORS: HassKey[dict[str, PlainSensor]] = HassKey(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the views."""
    hass.data[DATA_SENSORS] = {}
    hass.http.register_view(EmptyView())
    hass.http.register_view(StateView(hass))
    hass.http.app.router.add_get("/bench_memory", _tell_memory)
    hass.http.app.router.add_get("/bench_set/{report:.*}", _set_state)
    hass.http.app.router.add_get("/bench_nonces/{number}", _issue_nonces)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: BenchConfigEntry) -> bool:
    """Set up as many plain entities as a station with two fields has."""
    entry.runtime_data = [PlainSensor(entry, number) for number in (1, 2)]
    for number, sensor in enumerate(entry.runtime_data, start=1):
        hass.data[DATA_SENSORS][f"mac={entry.unique_id}/field={number}"] = sensor
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def _tell_memory(request: web.Request) -> web.Response:
    """Return the bytes that each source file has allocated, if tracemalloc is on."""
    gc.collect()
    files = tracemalloc.take_snapshot().statistics("filename")
    return web.json_response({file.traceback[0].filename: file.size for file in files})


async def _issue_nonces(request: web.Request) -> web.Response:
    """Answer nonces for signed reports to come."""
    issue = request.app[KEY_HASS].data["esp_weather"].nonces.issue
    return web.json_response(
        [issue() for _ in range(int(request.match_info["number"]))]
    )


async def _set_state(request: web.Request) -> web.Response:
    """Write a state without an entity: the lower bound of any report.

    Registered as a plain route, without a view.
    """
    request.app[KEY_HASS].states.async_set(
        f"{DOMAIN}.state",
        request.match_info["report"].rpartition("=")[2],
        force_update=True,
    )
    return web.Response(text="OK")


class EmptyView(HomeAssistantView):
    """Answers `OK`, at a short path and at one as long as that of a report."""

    name = f"{DOMAIN}:empty"
    requires_auth = False
    url = "/bench/{report:.*}"

    async def get(self, request: web.Request, report: str) -> web.Response:
        """Do nothing."""
        return web.Response(text="OK")

    async def post(self, request: web.Request, report: str) -> web.Response:
        """Read the body and do nothing."""
        await request.read()
        return web.Response(text="OK")


class StateView(HomeAssistantView):
    """Writes the state of a plain sensor, without authentication or checks."""

    name = f"{DOMAIN}:state"
    requires_auth = False
    url = "/bench_state/API_key={key}/{sensor:.*}/data={data}"

    def __init__(self, hass: HomeAssistant) -> None:
        """Prepare to write sensors."""
        self._hass = hass

    async def get(
        self, request: web.Request, key: str, sensor: str, data: str
    ) -> web.Response:
        """Set the data as the state."""
        self._hass.data[DATA_SENSORS][sensor].async_set(float(data))
        return web.Response(text="OK")
