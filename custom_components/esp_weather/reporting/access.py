"""Authentication: which station a report is from, and what follows where it is none."""

from http import HTTPStatus
from secrets import token_bytes
from typing import Final, Protocol

from aiohttp import hdrs, web

from homeassistant.config_entries import SOURCE_IGNORE
from homeassistant.core import CoreState, HomeAssistant

from ..config import StationConfig
from ..data import DATA, async_find_entry
from ..pairing import Pairing
from ..refusals import Issue
from ..station import Station
from .discovery import async_discover
from .responses import RefusedError, not_ready

# Compared with where there is no key, so that this takes the same time.
_NO_KEY: Final = token_bytes()


class Credential(Protocol):
    """What a request brings to prove which station it is from."""

    @property
    def mac(self) -> str | None:
        """Return the normalized MAC, or None if what was sent is none."""

    @property
    def is_signed(self) -> bool:
        """Return whether the key itself was not sent."""

    def matches(self, key: bytes) -> bool:
        """Return whether the request was made with this key, in constant time."""

    async def async_count_wrong(self, request: web.Request) -> None:
        """Count the credential as a failed login."""


async def async_authenticate(
    hass: HomeAssistant, request: web.Request, credential: Credential
) -> Station | Pairing:
    """Return the loaded station that a request is from, or the pairing it belongs to.

    Raises RefusedError: the same one whatever is wrong, unless a right credential may
    be accepted later.
    """
    if hass.state is not CoreState.running:
        raise not_ready()
    station = hass.data[DATA].stations.get(credential.mac or "")
    is_right = credential.matches(_NO_KEY if station is None else station.key)
    if station is not None and is_right and (credential.is_signed or station.legacy):
        if station.journal.is_behind:
            raise not_ready()
        return station
    if (pairing := hass.data[DATA].pairings.match(credential.matches)) is not None:
        return pairing
    if station is None:
        is_right = _require_unloaded(hass, credential)
    if not is_right:
        if station is not None:
            station.refusals.async_refused(Issue.WRONG_KEY)
        await credential.async_count_wrong(request)
    raise _refusal(credential)


def _require_unloaded(hass: HomeAssistant, credential: Credential) -> bool:
    """Return whether a request has the key of a station that is not loaded.

    Raises RefusedError if the station will take it once it is loaded.
    """
    entry = async_find_entry(hass, credential.mac)
    if entry is None:
        credential.matches(_NO_KEY)
        async_discover(hass, credential)
        return False
    if entry.source == SOURCE_IGNORE:
        return credential.matches(_NO_KEY)
    config = StationConfig.from_entry(entry)
    is_right = credential.matches(config.key.encode())
    if is_right and (credential.is_signed or config.legacy):
        raise not_ready()
    return is_right


def _refusal(credential: Credential) -> RefusedError:
    if credential.is_signed:
        return RefusedError(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            headers={hdrs.WWW_AUTHENTICATE: "Signature"},
        )
    return RefusedError(HTTPStatus.FORBIDDEN, "forbidden")
