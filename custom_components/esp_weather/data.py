"""What the integration holds while Home Assistant runs, under one key of hass.data."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .pairing import Pairings
from .protocol.nonces import Nonces
from .recording.journal import Journal
from .station import Station

type EspWeatherConfigEntry = ConfigEntry[Station]


@dataclass(slots=True)
class EspWeatherData:
    """What all stations share. `stations` are those that are loaded, by MAC."""

    journal: Journal
    pairings: Pairings
    nonces: Nonces = field(default_factory=Nonces)
    stations: dict[str, Station] = field(default_factory=dict)
    # The last wrong keys, hashed with their sender, and when a sender had a wrong
    # signature: as many as there may be in the stations of one network
    wrong_keys: deque[int] = field(default_factory=lambda: deque(maxlen=256))
    wrong_signatures: deque[tuple[str, float]] = field(
        default_factory=lambda: deque(maxlen=256)
    )


DATA: Final[HassKey[EspWeatherData]] = HassKey(DOMAIN)


@callback
def async_find_entry(
    hass: HomeAssistant, mac: str | None
) -> EspWeatherConfigEntry | None:
    """Return the config entry of the station with this normalized MAC, loaded or not."""
    if mac is None:
        return None
    return hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, mac)
