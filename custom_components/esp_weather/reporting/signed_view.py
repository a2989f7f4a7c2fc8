"""The view of the signed report on Home Assistant's web server."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final, override

from aiohttp import hdrs, web
from aiohttp.abc import AbstractRouter
from multidict import CIMultiDict, istr
import orjson

from homeassistant.core import HomeAssistant
from homeassistant.helpers.http import HomeAssistantView
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..data import DATA
from ..messages import async_translate
from ..pairing import Pairing
from ..protocol.readings import Reason, ReportError, normalize_mac
from ..protocol.rfc9421 import Signature, SignatureError, parse_signature, sign_answer
from ..protocol.signed import Report, parse_report
from ..station import NotReadyError, Station
from .access import async_authenticate, unauthorized
from .ban import async_count_wrong_signature
from .body import IncompleteBodyError, async_hang_up, async_read_body
from .responses import (
    RefusedError,
    async_bad_request,
    async_log_refusal,
    async_refusal,
    method_not_allowed,
    station_found,
)

_PROTOCOL: Final = "signed"
PATH: Final = f"/api/{DOMAIN}/report"

_JSON: Final = (hdrs.CONTENT_TYPE, "application/json")
_NO_STORE: Final = (hdrs.CACHE_CONTROL, "no-store")
# RFC 9421, section 5: the signature that the next request must have
_ACCEPT_SIGNATURE: Final = istr("Accept-Signature")


class SignedCredential:
    """The signature of a request, and the key that it was found to be made with.

    `is_nonce_spent` says that the station needs another nonce for its next report.
    """

    is_signed = True

    def __init__(self, signature: Signature) -> None:
        """Initialize the credential, not verified yet."""
        self.signature = signature
        self.key: bytes | None = None
        self.is_nonce_spent = False
        try:
            self.mac: str | None = normalize_mac(signature.keyid)
        except ValueError:
            self.mac = None

    def matches(self, key: bytes) -> bool:
        """Return whether the request is signed with this key."""
        if not self.signature.matches(key):
            return False
        self.key = key
        return True

    async def async_count_wrong(self, request: web.Request) -> None:
        """Count the signature as a failed login."""
        await async_count_wrong_signature(request)


class SignedReportView(HomeAssistantView):
    """The signed report: readings and status as JSON in the body of a POST.

    The table of its answers is in docs/protocol.md, "The signed report". Each answer
    brings the nonce for the next report, the same one if it was not checked, and is
    signed if the report was.
    """

    name = f"{DOMAIN}:report"
    requires_auth = False
    url = PATH

    @override
    def register(
        self, hass: HomeAssistant, app: web.Application, router: AbstractRouter
    ) -> None:
        """Register the route for every method, as the legacy report does."""
        app.router.add_route(hdrs.METH_ANY, self.url, partial(self._handle, hass))

    async def _handle(self, hass: HomeAssistant, request: web.Request) -> web.Response:
        arrived = dt_util.utcnow()
        try:
            if request.method != hdrs.METH_POST:
                raise method_not_allowed(hdrs.METH_POST)
            body = await async_read_body(request)
            credential = _credential(request, body)
        except RefusedError as refusal:
            async_log_refusal(hass, _PROTOCOL, refusal, None)
            return await _async_refuse(hass, refusal)
        except IncompleteBodyError as err:
            async_log_refusal(hass, _PROTOCOL, err.refusal, None)
            response = await _async_refuse(hass, err.refusal)
            await async_hang_up(request, response)
            return response
        try:
            content = await self._take_report(hass, request, credential, body, arrived)
        except RefusedError as refusal:
            async_log_refusal(hass, _PROTOCOL, refusal, credential.mac)
            if refusal.status is HTTPStatus.UNAUTHORIZED:
                credential.is_nonce_spent = True
            return await _async_refuse(hass, refusal, credential)
        return _answer(hass, content, credential)

    async def _take_report(
        self,
        hass: HomeAssistant,
        request: web.Request,
        credential: SignedCredential,
        body: bytes,
        arrived: datetime,
    ) -> dict[str, Any]:
        """Take a report and return the answer. Raises RefusedError."""
        sender = await async_authenticate(hass, request, credential)
        if (mac := credential.mac) is None:
            raise await async_bad_request(hass, ReportError(Reason.INVALID_MAC))
        if isinstance(sender, Station):
            if not hass.data[DATA].nonces.use(mac, credential.signature.nonce):
                raise unauthorized()
            credential.is_nonce_spent = True
        try:
            report = parse_report(body, mac)
            if isinstance(sender, Pairing):
                # A station that only looks for its server is asked to come again.
                if report.readings or report.fields:
                    sender.is_complete = True
                    sender.async_found(mac, report.readings, report.fields)
                raise station_found()
            taken = await sender.async_take_report(report, arrived)
        except (ReportError, NotReadyError) as err:
            raise await async_refusal(hass, err, sender) from err
        reports = hass.data[DATA].reports
        reports.async_taken(mac, _PROTOCOL)
        for error in taken.refused:
            assert error.reading is not None
            field = report.readings[error.reading - 1].field
            reports.async_left_out(mac, _PROTOCOL, field, error.reason)
        return {
            "taken": taken.taken,
            "stored": taken.stored,
            "refused": [await _refused(hass, report, error) for error in taken.refused],
            **sender.commands.answer(),
        }


def _credential(request: web.Request, body: bytes) -> SignedCredential:
    """Return the credential of a request. Raises RefusedError."""
    try:
        signature = parse_signature(hdrs.METH_POST, PATH, request.headers)
    except SignatureError:
        raise unauthorized() from None
    if not signature.covers(body):
        raise unauthorized()
    return SignedCredential(signature)


async def _refused(
    hass: HomeAssistant, report: Report, error: ReportError
) -> dict[str, Any]:
    """Return the part of the answer about a refused reading."""
    assert error.reading is not None
    return {
        "number": report.readings[error.reading - 1].number,
        "reason": error.reason,
        "message": await async_translate(
            hass, f"exceptions.{error.reason}.message", error.placeholders
        ),
    }


async def _async_refuse(
    hass: HomeAssistant,
    refusal: RefusedError,
    credential: SignedCredential | None = None,
) -> web.Response:
    message = await async_translate(
        hass, f"exceptions.{refusal.key}.message", refusal.placeholders
    )
    return _answer(
        hass,
        {"error": refusal.key, "message": message},
        credential,
        refusal.status,
        refusal.headers,
    )


def _answer(
    hass: HomeAssistant,
    content: Mapping[str, Any],
    credential: SignedCredential | None,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] = {},
) -> web.Response:
    """Return the answer in JSON, signed with the key of the request."""
    body = orjson.dumps(content)
    nonce = (
        hass.data[DATA].nonces.issue()
        if credential is None or credential.is_nonce_spent
        # A new one would hide a restart of Home Assistant from the station, which
        # learns of it from the 401 that answers the old one.
        else credential.signature.nonce
    )
    wanted = f'sig=("@method" "@path" "content-digest");nonce="{nonce}"'
    all_headers = [_JSON, _NO_STORE, (_ACCEPT_SIGNATURE, wanted), *headers.items()]
    if credential is not None and credential.key is not None:
        all_headers += sign_answer(credential.signature, credential.key, status, body)
    return web.Response(body=body, status=status, headers=CIMultiDict(all_headers))
