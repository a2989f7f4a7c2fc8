"""Keys that are shown in a config flow and wait for a station to use them."""

import asyncio
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..protocol.readings import normalize_mac

_TIME_LIMIT: Final = 600.0


@dataclass(frozen=True, slots=True)
class _Pairing:
    station: asyncio.Future[str]
    time_limit: asyncio.TimerHandle


_PAIRINGS: Final[HassKey[dict[str, _Pairing]]] = HassKey("esp_weather_pairings")


@callback
def async_start_pairing(hass: HomeAssistant, key: str) -> asyncio.Future[str]:
    """Return a future that gets the MAC of the first station to report with `key`.

    After 10 minutes the key is worthless, whether a station has reported or not.
    If none has, the future is cancelled.
    """
    station = hass.loop.create_future()
    hass.data.setdefault(_PAIRINGS, {})[key] = _Pairing(
        station, hass.loop.call_later(_TIME_LIMIT, async_end_pairing, hass, key)
    )
    return station


@callback
def async_end_pairing(hass: HomeAssistant, key: str) -> None:
    """Make the key worthless; does nothing if it was not waiting."""
    if pairing := hass.data.get(_PAIRINGS, {}).pop(key, None):
        pairing.time_limit.cancel()
        pairing.station.cancel()


@callback
def async_waiting_keys(hass: HomeAssistant) -> list[str]:
    """Return the keys that wait for a station."""
    return [*hass.data.get(_PAIRINGS, {}).keys()]


@callback
def async_pair(hass: HomeAssistant, key: str, mac: str) -> bool:
    """Return whether a config flow waits for this key, and give it the MAC."""
    for waiting_key, pairing in hass.data.get(_PAIRINGS, {}).items():
        if compare_digest(waiting_key.encode(), key.encode(errors="replace")):
            try:
                mac = normalize_mac(mac)
            except ValueError:
                return False
            if not pairing.station.done():
                pairing.station.set_result(mac)
            return True
    return False
