"""The view of the signed report on Home Assistant's web server."""

from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, override

from aiohttp import hdrs, web
from aiohttp.abc import AbstractRouter

from homeassistant.core import HomeAssistant
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView

from ..const import DOMAIN
from ..data import DATA
from ..pairing import Pairing
from ..protocol.readings import Reason, ReportError, normalize_mac
from ..protocol.rfc9421 import SignatureError, SignedRequest
from ..protocol.signed import parse_report
from ..refusals import Issue
from ..station import NotReadyError, Station
from .access import async_authenticate
from .ban import async_count_wrong_signature
from .responses import (
    RefusedError,
    answer,
    async_answer_refusal,
    async_bad_request,
    method_not_allowed,
    not_ready,
    station_found,
)

PATH: Final = f"/api/{DOMAIN}/report"

# Twice what the most readings take
_MAX_BODY: Final = 64 * 1024  # bytes
# RFC 9421, section 5: the signature that the next request shall have
_ACCEPT_SIGNATURE: Final = "Accept-Signature"
_SIGNATURE_WANTED: Final = 'sig=("@method" "@path" "content-digest");nonce="{}"'


@dataclass(slots=True)
class SignedCredential:
    """The signature of a request."""

    request: SignedRequest
    mac: str | None
    nonce: str = ""
    is_signed = True

    def matches(self, key: bytes) -> bool:
        """Return whether the request is signed with this key."""
        try:
            signer = self.request.signer(lambda _: key.decode())
        except SignatureError:
            return False
        self.nonce = signer.nonce
        return True

    async def async_count_wrong(self, request: web.Request) -> None:
        """Count the signature as a failed login."""
        await async_count_wrong_signature(request)


class SignedReportView(HomeAssistantView):
    """The signed report: readings and status as JSON in the body of a POST.

    The table of its answers is in docs/protocol.md, "The signed report". Each answer
    brings the nonce for the next report.
    """

    name = f"{DOMAIN}:report"
    requires_auth = False
    url = PATH

    def __init__(self) -> None:
        """Initialize without a station whose answer may have been lost."""
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
        hass = request.app[KEY_HASS]
        try:
            await self._take_report(hass, request)
            response = answer(request, "OK")
        except RefusedError as refusal:
            response = await async_answer_refusal(request, refusal)
        response.headers[_ACCEPT_SIGNATURE] = _SIGNATURE_WANTED.format(
            hass.data[DATA].nonces.issue()
        )
        return response

    async def _take_report(self, hass: HomeAssistant, request: web.Request) -> None:
        if request.method != hdrs.METH_POST:
            raise method_not_allowed(hdrs.METH_POST)
        signed = SignedRequest(
            request.method,
            f"{request.scheme}://{request.host}{request.rel_url.raw_path_qs}",
            request.headers,
            await _read(request),
        )
        credential = SignedCredential(signed, _mac_of(signed))
        sender = await async_authenticate(hass, request, credential)
        mac = credential.mac
        if mac is None:
            raise await async_bad_request(hass, ReportError(Reason.INVALID_MAC))
        if isinstance(sender, Station) and not hass.data[DATA].nonces.use(
            mac, credential.nonce
        ):
            self._repeating.add(mac)
            raise _unauthorized()
        try:
            report = parse_report(signed.body, mac)
            if isinstance(sender, Pairing):
                sender.is_complete = True
                sender.async_found(mac, report.readings, report.fields)
                raise station_found()
            refused = await sender.async_take_report(
                report, repeated=mac in self._repeating
            )
        except ReportError as err:
            if err.reason is Reason.INVALID_FIELD and isinstance(sender, Station):
                sender.refusals.async_refused(Issue.INVALID_FIELD)
            raise await async_bad_request(hass, err) from err
        except NotReadyError as err:
            raise not_ready() from err
        self._repeating.discard(mac)
        for error in refused:
            raise await async_bad_request(hass, error)


def _mac_of(signed: SignedRequest) -> str | None:
    """Return the normalized MAC that a request names as its signer."""
    keyid = ""

    def key_of(signer: str) -> str:
        nonlocal keyid
        keyid = signer
        return ""

    with suppress(SignatureError):
        signed.signer(key_of)
    try:
        return normalize_mac(keyid)
    except ValueError:
        return None


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


def _unauthorized() -> RefusedError:
    return RefusedError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        headers={hdrs.WWW_AUTHENTICATE: "Signature"},
    )
