"""The signed report's address: many readings, signed with a key that is not sent."""

from http import HTTPStatus
from secrets import token_hex
from typing import Final, override

from aiohttp import hdrs, web
from aiohttp.abc import AbstractRouter

from homeassistant.const import CONF_API_KEY, CONF_MAC
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView

from ..const import DOMAIN
from ..messages import async_message
from ..protocol.nonces import Nonces
from ..protocol.readings import FieldError, ReportError
from ..protocol.rfc9421 import SignatureError, SignedRequest
from ..protocol.signed import parse_report
from ..refusals import INVALID_FIELD, WRONG_KEY
from ..station import EspWeatherConfigEntry, async_find_entry, async_find_station
from .ban import count_wrong_signature
from .discovery import async_discover
from .legacy_view import (
    RefusedError,
    answer,
    async_answer_refusal,
    method_not_allowed,
    not_ready,
    require_recorder,
)
from .pairing import async_pair, async_waiting_keys

PATH: Final = f"/api/{DOMAIN}/report"

# Twice what the most readings take
_MAX_BODY: Final = 64 * 1024  # bytes
# Tried when no station has the MAC, so that the answer takes the same time.
_NO_KEY: Final = token_hex()
# RFC 9421, section 5: the signature that the next request shall have
_ACCEPT_SIGNATURE: Final = "Accept-Signature"
_SIGNATURE_WANTED: Final = 'sig=("@method" "@path" "content-digest");nonce="{}"'


class SignedReportView(HomeAssistantView):
    """The signed report: readings and status as JSON in the body of a POST.

    The table of its answers is in docs/protocol.md, "The signed report". Each answer
    brings the nonce for the next report.
    """

    name = f"{DOMAIN}:report"
    requires_auth = False
    url = PATH

    def __init__(self) -> None:
        """Begin with no nonce used."""
        self._nonces = Nonces()
        # Stations that came with a used nonce: the answer to what they sent with
        # it may not have reached them, and so they may send the same again.
        self._repeating: set[str] = set()

    @override
    def register(
        self, hass: HomeAssistant, app: web.Application, router: AbstractRouter
    ) -> None:
        """Register the route for every method, as the legacy report does."""
        app.router.add_route(hdrs.METH_ANY, self.url, self._handle)

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            await self._take_report(request.app[KEY_HASS], request)
            response = answer(request, "OK")
        except RefusedError as refusal:
            response = await async_answer_refusal(request, refusal)
        response.headers[_ACCEPT_SIGNATURE] = _SIGNATURE_WANTED.format(
            self._nonces.issue()
        )
        return response

    async def _take_report(self, hass: HomeAssistant, request: web.Request) -> None:
        if request.method != hdrs.METH_POST:
            raise method_not_allowed(hdrs.METH_POST)
        if hass.state is not CoreState.running:
            raise not_ready()
        signed = SignedRequest(
            request.method,
            f"{request.scheme}://{request.host}{request.rel_url.raw_path_qs}",
            request.headers,
            await _read(request),
        )
        mac = await self._authenticated_mac(request, signed)
        if (station := async_find_station(hass, mac)) is None:
            raise not_ready()
        require_recorder(station)
        try:
            report = parse_report(signed.body, station.mac)
            await station.async_take_report(
                report, repeated=station.mac in self._repeating
            )
        except ReportError as err:
            if isinstance(err, FieldError):
                station.problem.async_refused(INVALID_FIELD)
            raise await _bad_request(hass, err) from err
        self._repeating.discard(station.mac)

    async def _authenticated_mac(
        self, request: web.Request, signed: SignedRequest
    ) -> str:
        """Return the MAC of the station that has signed a request.

        Raises RefusedError, the same one whatever is wrong.
        """
        hass = request.app[KEY_HASS]
        entries: list[EspWeatherConfigEntry] = []

        def key_of(keyid: str) -> str:
            entry = async_find_entry(hass, keyid)
            if entry is None or CONF_API_KEY not in entry.data:
                return _NO_KEY
            entries.append(entry)
            key: str = entry.data[CONF_API_KEY]
            return key

        try:
            signer = signed.signer(key_of)
        except SignatureError:
            if _pair(hass, signed):
                # The station is kept waiting until the config flow has made its entry.
                raise not_ready() from None
            if not entries:
                async_discover(hass, signed.keyid_if)
            for entry in entries:
                if station := async_find_station(hass, entry.data[CONF_MAC]):
                    station.problem.async_refused(WRONG_KEY)
            await count_wrong_signature(request)
            raise _unauthorized() from None
        (entry,) = entries
        mac: str = entry.data[CONF_MAC]
        if not self._nonces.use(mac, signer.nonce):
            self._repeating.add(mac)
            raise _unauthorized()
        return mac


async def _read(request: web.Request) -> bytes:
    """Return the body of a request. Raises RefusedError if it is too long."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > _MAX_BODY:
            raise RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                {"maximum": str(_MAX_BODY)},
            )
    return bytes(body)


def _pair(hass: HomeAssistant, signed: SignedRequest) -> bool:
    """Return whether a config flow waits for the key that signed a request."""
    return any(
        async_pair(hass, key, mac)
        for key in async_waiting_keys(hass)
        if (mac := signed.keyid_if(key)) is not None
    )


def _unauthorized() -> RefusedError:
    return RefusedError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        headers={hdrs.WWW_AUTHENTICATE: "Signature"},
    )


async def _bad_request(hass: HomeAssistant, err: ReportError) -> RefusedError:
    if err.reading is None:
        return RefusedError(HTTPStatus.BAD_REQUEST, err.key, err.placeholders)
    reason = await async_message(
        hass, f"exceptions.{err.key}.message", err.placeholders
    )
    return RefusedError(
        HTTPStatus.BAD_REQUEST,
        "in_reading",
        {"number": str(err.reading), "reason": reason},
    )
