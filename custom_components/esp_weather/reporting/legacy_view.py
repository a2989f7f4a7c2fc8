"""The view of the legacy report on Home Assistant's web server."""

from dataclasses import dataclass
from functools import partial
from hmac import compare_digest
from http import HTTPStatus
from typing import Final, override

from aiohttp import hdrs, web
from aiohttp.abc import AbstractRouter
from multidict import CIMultiDict, istr

from homeassistant.core import HomeAssistant
from homeassistant.helpers.http import HomeAssistantView
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..data import DATA
from ..pairing import Pairing
from ..protocol.legacy import parse_legacy_reading
from ..protocol.readings import Reason, ReportError, normalize_mac
from ..station import NotReadyError
from .access import async_authenticate
from .ban import async_count_wrong_key
from .responses import (
    RefusedError,
    answer,
    async_answer_refusal,
    async_log_refusal,
    async_refusal,
    method_not_allowed,
    station_found,
    wants_html,
)

# Sent by browsers that prefetch a page
_PREFETCH_HEADERS: Final = tuple(
    map(istr, ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"))
)
_PREFETCH_PURPOSES: Final = ("prefetch", "prerender", "preview")
# What web.Response makes of a text, computed once. A text needs no content policy.
_OK_HEADERS: Final = CIMultiDict(
    {hdrs.CACHE_CONTROL: "no-store", hdrs.CONTENT_TYPE: "text/plain; charset=utf-8"}
)
_PROTOCOL: Final = "legacy"
# The placeholder of the MAC in our dialogs
_MAC_PLACEHOLDER: Final = "MAC"


@dataclass(slots=True)
class LegacyCredential:
    """MAC and key from the path of a legacy report."""

    mac_text: str
    key_text: str
    mac: str | None
    is_signed = False

    def matches(self, key: bytes) -> bool:
        """Return whether this key was sent; takes constant time."""
        return compare_digest(key, self.key_text.encode(errors="replace"))

    async def async_count_wrong(self, request: web.Request) -> None:
        """Count the key as a failed login."""
        await async_count_wrong_key(request, self.mac_text, self.key_text)


class LegacyReportView(HomeAssistantView):
    """The legacy report: one reading in the path of a GET.

    The table of its answers is in docs/protocol.md.
    """

    name = f"{DOMAIN}:legacy"
    requires_auth = False
    # Parts may be empty and the last may hold a slash, so that the answer names the fault.
    url = (
        "/update/API_key={key:[^/]*}/mac={mac:[^/]*}/field={field:[^/]*}/data={data:.*}"
    )

    @override
    def register(
        self, hass: HomeAssistant, app: web.Application, router: AbstractRouter
    ) -> None:
        """Register the route.

        Not as the base class does it: its handler logs the path, and so the key, at
        debug level, answers a stopping Home Assistant without Retry-After, and opens
        the route to other origins.
        """
        handler = partial(_handle_legacy_report, hass)
        app.router.add_route(hdrs.METH_GET, self.url, handler)
        app.router.add_route(hdrs.METH_ANY, self.url, _refuse_method)


async def _handle_legacy_report(
    hass: HomeAssistant, request: web.Request
) -> web.Response:
    parts = request.match_info
    mac_text = parts["mac"]
    try:
        mac = normalize_mac(mac_text)
    except ValueError:
        mac = None
    try:
        require_wanted(request)
        sender = await async_authenticate(
            hass, request, LegacyCredential(mac_text, parts["key"], mac)
        )
        try:
            reading = parse_legacy_reading(parts["field"], parts["data"])
            if isinstance(sender, Pairing):
                sender.async_found(require_mac(mac, mac_text), [reading])
                raise station_found()
            value = await sender.async_report(reading)
        except (ReportError, NotReadyError) as err:
            raise await async_refusal(hass, err, sender) from err
    except RefusedError as refusal:
        async_log_refusal(hass, _PROTOCOL, refusal, mac)
        return await async_answer_refusal(request, refusal)
    hass.data[DATA].reports.async_taken(sender.mac, _PROTOCOL)
    if not wants_html(request):
        return web.Response(body=b"OK", headers=_OK_HEADERS)
    # A field whose entity is disabled may be unknown.
    field = sender.fields.get(reading.field)
    unit = (field and field.unit) or ""
    return answer(
        request,
        f"{value} {unit}".rstrip(),
        details=(sender.name, f"{dt_util.now():%Y-%m-%d %H:%M:%S %Z}"),
    )


async def _refuse_method(request: web.Request) -> web.Response:
    return await async_answer_refusal(request, method_not_allowed(hdrs.METH_GET))


def require_mac(mac: str | None, text: str) -> str:
    """Return the normalized MAC that was sent. Raises ReportError if it is invalid."""
    if not text:
        raise ReportError(Reason.MISSING_MAC)
    if text == _MAC_PLACEHOLDER:
        raise ReportError(Reason.MAC_PLACEHOLDER)
    return normalize_mac(text) if mac is None else mac


def require_wanted(request: web.Request) -> None:
    """Raise RefusedError if a browser only prefetches the address."""
    headers = request.headers
    said = [
        line.lower()
        for name in _PREFETCH_HEADERS
        if name in headers
        # A proxy may have added its own.
        for line in headers.getall(name)
    ]
    if said and any(purpose in each for each in said for purpose in _PREFETCH_PURPOSES):
        # With this status, a browser requests the page again once it is opened.
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "prefetch")
