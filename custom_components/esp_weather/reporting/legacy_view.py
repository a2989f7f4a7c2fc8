"""The legacy report's address on Home Assistant's own web server, and its answers."""

from collections.abc import Mapping
from functools import partial
from hmac import compare_digest
from html import escape
from http import HTTPStatus
from typing import Final, override

from aiohttp import hdrs, web
from aiohttp.abc import AbstractRouter
from multidict import CIMultiDict, istr

from homeassistant.const import CONF_API_KEY
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView
from homeassistant.util import dt as dt_util

from ..const import CONF_LEGACY, DEFAULT_LEGACY, DOMAIN
from ..messages import async_message
from ..protocol.legacy import parse_legacy_reading
from ..protocol.readings import FieldError, ReportError
from ..refusals import INVALID_FIELD, WRONG_KEY
from ..station import Station, async_find_entry, async_find_station
from .ban import count_wrong_key
from .discovery import async_discover
from .pairing import async_pair

_RETRY_AFTER: Final[Mapping[str, str]] = {hdrs.RETRY_AFTER: "10"}
_HEADERS: Final[Mapping[str, str]] = {
    hdrs.CACHE_CONTROL: "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
}
# Sent by browsers that load a page before anybody has asked for it
_PREFETCH_HEADERS: Final = tuple(
    map(istr, ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"))
)
_PREFETCH_PURPOSES: Final = ("prefetch", "prerender", "preview")
# What web.Response makes of a text, but made once. A text needs no policy for content.
_OK_HEADERS: Final = CIMultiDict(
    {hdrs.CACHE_CONTROL: "no-store", hdrs.CONTENT_TYPE: "text/plain; charset=utf-8"}
)
# Compared with when the MAC is unknown, so that the answer takes the same time.
_NO_KEY: Final = b"no station has this key"


class RefusedError(Exception):
    """A request that is answered with a refusal.

    `key` names its text in the translations, section exceptions.
    """

    def __init__(
        self,
        status: HTTPStatus,
        key: str,
        placeholders: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the answer."""
        super().__init__(key)
        self.status = status
        self.key = key
        self.placeholders = placeholders or {}
        self.headers = headers or {}


class LegacyReportView(HomeAssistantView):
    """The legacy report: one reading in the path of a GET.

    The table of its answers is in docs/protocol.md.
    """

    name = f"{DOMAIN}:legacy"
    requires_auth = False
    # Parts may be empty and the last may hold a slash: the answer names the fault.
    url = (
        "/update/API_key={key:[^/]*}/mac={mac:[^/]*}/field={field:[^/]*}/data={data:.*}"
    )

    @override
    def register(
        self, hass: HomeAssistant, app: web.Application, router: AbstractRouter
    ) -> None:
        """Register the route.

        Not as the base class does it: its handler logs the path, and so the
        key, at debug level, answers a stopping Home Assistant without
        Retry-After, and opens the route to other origins.
        """
        handler = partial(_handle_legacy_report, hass)
        app.router.add_route(hdrs.METH_GET, self.url, handler)
        app.router.add_route(hdrs.METH_ANY, self.url, _refuse_method)


async def _handle_legacy_report(
    hass: HomeAssistant, request: web.Request
) -> web.Response:
    parts = request.match_info
    try:
        _require_wanted(request)
        if hass.state is not CoreState.running:
            raise not_ready()
        station = async_find_station(hass, parts["mac"])
        right = _is_same_key(_NO_KEY if station is None else station.key, parts["key"])
        if station is None or not right or not station.is_legacy:
            raise await _refusal(hass, request)
        require_recorder(station)
        try:
            reading = parse_legacy_reading(parts["field"], parts["data"])
            value = await station.async_report(reading)
        except ReportError as err:
            if isinstance(err, FieldError):
                station.problem.async_refused(INVALID_FIELD)
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, err.key, err.placeholders
            ) from err
    except RefusedError as refusal:
        return await async_answer_refusal(request, refusal)
    if not _wants_html(request):
        return web.Response(body=b"OK", headers=_OK_HEADERS)
    unit = station.fields[reading.field].unit or ""
    return answer(
        request,
        f"{value} {unit}".rstrip(),
        details=(station.name, f"{dt_util.now():%Y-%m-%d %H:%M:%S %Z}"),
    )


async def _refuse_method(request: web.Request) -> web.Response:
    return await async_answer_refusal(request, method_not_allowed(hdrs.METH_GET))


async def _refusal(hass: HomeAssistant, request: web.Request) -> RefusedError:
    """Return why a request has not the MAC and key of a station that is loaded.

    The same whatever is wrong, unless a right one may come through later.
    """
    mac, key = request.match_info["mac"], request.match_info["key"]
    entry = async_find_entry(hass, mac)
    known = None if entry is None else entry.data.get(CONF_API_KEY)
    right = _is_same_key(known.encode() if known else _NO_KEY, key)
    if entry is not None and right and entry.options.get(CONF_LEGACY, DEFAULT_LEGACY):
        return not_ready()
    if async_pair(hass, key, mac):
        # The station is kept waiting until the config flow has made its entry.
        return not_ready()
    if entry is None:
        async_discover(
            hass, lambda known: mac if _is_same_key(known.encode(), key) else None
        )
    if not right:
        if (station := async_find_station(hass, mac)) is not None:
            station.problem.async_refused(WRONG_KEY)
        await count_wrong_key(request, mac, key)
    return RefusedError(HTTPStatus.FORBIDDEN, "forbidden")


def _is_same_key(known: bytes, sent: str) -> bool:
    return compare_digest(known, sent.encode(errors="replace"))


def require_recorder(station: Station) -> None:
    """Raise RefusedError if the recorder might drop what a station reports."""
    if station.journal.is_behind:
        raise not_ready()


def method_not_allowed(method: str) -> RefusedError:
    """Return the refusal of a request that has another method."""
    return RefusedError(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "method_not_allowed",
        {"method": method},
        {hdrs.ALLOW: method},
    )


def not_ready() -> RefusedError:
    """Return the refusal that asks a station to send the same again later."""
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", headers=_RETRY_AFTER
    )


async def async_answer_refusal(
    request: web.Request, refusal: RefusedError
) -> web.Response:
    """Return the answer that says why a request is refused."""
    text = await async_message(
        request.app[KEY_HASS],
        f"exceptions.{refusal.key}.message",
        refusal.placeholders,
    )
    return answer(request, text, refusal.status, refusal.headers)


def _require_wanted(request: web.Request) -> None:
    """Raise RefusedError if a browser only guesses that somebody will ask for it."""
    headers = request.headers
    said = [headers[name].lower() for name in _PREFETCH_HEADERS if name in headers]
    if said and any(purpose in each for each in said for purpose in _PREFETCH_PURPOSES):
        # The status upon which a browser asks again when the page is wanted.
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "prefetch")


def _wants_html(request: web.Request) -> bool:
    return "text/html" in request.headers.get(hdrs.ACCEPT, "")


def answer(
    request: web.Request,
    text: str,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] = {},
    details: tuple[str, ...] = (),
) -> web.Response:
    """Return one line of text, as a page with the details if a browser asks."""
    headers = {**_HEADERS, **headers}
    if not _wants_html(request):
        return web.Response(text=text, status=status, headers=headers)
    paragraphs = "".join(f"<p>{escape(detail)}</p>" for detail in details)
    return web.Response(
        text="<!doctype html>"
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(text)}</title><h1>{escape(text)}</h1>{paragraphs}",
        content_type="text/html",
        status=status,
        headers=headers,
    )
