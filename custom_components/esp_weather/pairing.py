"""Keys that are shown in a config flow and wait for a station to use them."""

import asyncio
from hmac import compare_digest
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .protocol import normalize_mac

_PAIRINGS: Final[HassKey[dict[str, asyncio.Future[str]]]] = HassKey(
    "esp_weather_pairings"
)


@callback
def async_start_pairing(hass: HomeAssistant, key: str) -> asyncio.Future[str]:
    """Return a future that gets the MAC of the first station to report with `key`."""
    station = hass.loop.create_future()
    hass.data.setdefault(_PAIRINGS, {})[key] = station
    return station


@callback
def async_end_pairing(hass: HomeAssistant, key: str) -> None:
    """Make the key worthless; does nothing if it was not waiting."""
    hass.data.get(_PAIRINGS, {}).pop(key, None)


@callback
def async_waiting_keys(hass: HomeAssistant) -> list[str]:
    """Return the keys that wait for a station."""
    return [*hass.data.get(_PAIRINGS, {}).keys()]


@callback
def async_pair(hass: HomeAssistant, key: str, mac: str) -> bool:
    """Return whether a config flow waits for this key, and give it the MAC."""
    for waiting_key, station in hass.data.get(_PAIRINGS, {}).items():
        if compare_digest(waiting_key.encode(), key.encode(errors="replace")):
            try:
                mac = normalize_mac(mac)
            except ValueError:
                return False
            if not station.done():
                station.set_result(mac)
            return True
    return False
