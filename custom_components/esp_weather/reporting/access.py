"""Authentication: which station a report is from, and how a failure is handled."""

from http import HTTPStatus
from secrets import token_bytes
from typing import Final, Protocol

from aiohttp import hdrs, web

from homeassistant.core import CoreState, HomeAssistant

from ..config import accepts_unsigned, key_of
from ..data import DATA, WrongCredential, async_find_entry
from ..pairing import Pairing
from ..station import Station
from .discovery import async_note_wrong_key
from .responses import RefusedError, not_ready

# Stands in for a missing key, so that the comparison takes the same time.
_NO_KEY: Final = token_bytes()


class Credential(WrongCredential, Protocol):
    """The credential of a request: it proves which station the request is from."""

    @property
    def is_signed(self) -> bool:
        """Return whether the key itself was not sent."""

    async def async_count_wrong(self, request: web.Request) -> None:
        """Count the credential as a failed login."""


async def async_authenticate(
    hass: HomeAssistant, request: web.Request, credential: Credential
) -> Station | Pairing:
    """Return the loaded station or the pairing that a request belongs to.

    Raises RefusedError: the same one whatever is wrong, unless a valid credential may
    be accepted later. Neither its time nor that of the next request reveals the reason.
    """
    if hass.state is not CoreState.running:
        raise not_ready()
    station = hass.data[DATA].stations.get(credential.mac or "")
    if station is not None:
        is_right = credential.matches(station.key)
        if is_right and (credential.is_signed or station.legacy):
            if station.journal.is_behind:
                raise not_ready()
            return station
    entry = async_find_entry(hass, credential.mac)
    if station is None:
        key = b"" if entry is None else key_of(entry)
        is_right = credential.matches(key or _NO_KEY)
        if (
            is_right
            and entry is not None
            and (credential.is_signed or accepts_unsigned(entry))
        ):
            raise not_ready()
    if (pairing := hass.data[DATA].pairings.match(credential.matches)) is not None:
        return pairing
    if not is_right:
        async_note_wrong_key(hass, credential)
        await credential.async_count_wrong(request)
    raise _refusal(credential)


def _refusal(credential: Credential) -> RefusedError:
    if credential.is_signed:
        return unauthorized()
    return RefusedError(HTTPStatus.FORBIDDEN, "forbidden")


def unauthorized() -> RefusedError:
    """Return the refusal of a report without a valid signature."""
    return RefusedError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        headers={hdrs.WWW_AUTHENTICATE: "Signature"},
    )
