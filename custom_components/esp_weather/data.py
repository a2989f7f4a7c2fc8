"""The runtime data of the integration, under one key of hass.data."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final, Protocol

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .ota import Firmware
from .pairing import Pairings
from .protocol.nonces import Nonces
from .recording.archive import Archive
from .recording.journal import Journal
from .report_log import ReportLog
from .station import Station

type EspWeatherConfigEntry = ConfigEntry[Station]


class WrongCredential(Protocol):
    """The part of a credential that is needed once it was found to be wrong."""

    @property
    def mac(self) -> str | None:
        """Return the normalized MAC, or None if it is invalid."""

    def matches(self, key: bytes) -> bool:
        """Return whether the request was made with this key, in constant time."""


@dataclass(slots=True)
class EspWeatherData:
    """What all stations share. `stations` are those that are loaded, by MAC."""

    archive: Archive
    journal: Journal
    pairings: Pairings
    firmware: Firmware | None = None
    nonces: Nonces = field(default_factory=Nonces)
    reports: ReportLog = field(default_factory=ReportLog)
    stations: dict[str, Station] = field(default_factory=dict)
    # Number of incomplete bodies of each sender
    incomplete_bodies: Counter[str] = field(default_factory=Counter)
    # Wrong credentials that have not been handled yet
    wrong_credentials: list[WrongCredential] = field(default_factory=list)
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
