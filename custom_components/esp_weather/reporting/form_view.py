"""The views of the form report, which answer as ThingSpeak does."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import tzinfo
from functools import partial
from http import HTTPStatus
from typing import Any, Final, NamedTuple, override

from aiohttp import hdrs, web
from aiohttp.abc import AbstractRouter
from multidict import CIMultiDict, istr

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.http import HomeAssistantView
from homeassistant.util import dt as dt_util

from ..config import accepts_unsigned, key_of
from ..const import DOMAIN
from ..data import DATA, EspWeatherConfigEntry
from ..messages import async_translate
from ..pairing import Pairing
from ..protocol.form import (
    FORM_FIELDS,
    Form,
    Refused,
    Sender,
    Updates,
    find_sender,
    parse_form,
)
from ..protocol.readings import Reason, ReportError, normalize_mac
from ..protocol.signed import Report
from ..station import NotReadyError, Station
from .access import async_authenticate
from .body import IncompleteBodyError, async_hang_up, async_read_body
from .legacy_view import LegacyCredential, require_mac, require_wanted
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

_PROTOCOL: Final = "form"
# The spellings of ThingSpeak's documentation and of its libraries
_KEY_HEADERS: Final = tuple(map(istr, ("THINGSPEAKAPIKEY", "X-THINGSPEAKAPIKEY")))
# Set by browsers, except over plain HTTP
_SEC_FETCH_SITE: Final = istr("Sec-Fetch-Site")
_OWN_SITES: Final = ("none", "same-origin")
# What web.Response makes of a text, computed once
_TEXT_HEADERS: Final = CIMultiDict(
    {hdrs.CACHE_CONTROL: "no-store", hdrs.CONTENT_TYPE: "text/plain; charset=utf-8"}
)
_JSON_HEADERS: Final = {hdrs.CACHE_CONTROL: "no-store"}
# ThingSpeak's error codes, from its documentation
_ERRORS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("error_bad_request", "Bad Request"),
    401: ("error_auth_required", "Authorization Required"),
    405: ("error_method_invalid", "Method Not Allowed"),
    413: ("error_request_too_large", "Request Entity Too Large"),
}
_OTHER_ERROR: Final = ("error_service_unavailable", "Service Unavailable")


class _Taken(NamedTuple):
    """A report that was taken: its station, its content, and the readings left out."""

    station: Station
    form: Form
    refused: Sequence[Refused]


type _Handler = Callable[[HomeAssistant, web.Request], Awaitable[web.Response]]


async def _async_bounded(
    handler: _Handler, hass: HomeAssistant, request: web.Request
) -> web.Response:
    """Handle a request, and close the connection if its body is incomplete."""
    try:
        return await handler(hass, request)
    except IncompleteBodyError as err:
        async_log_refusal(hass, _PROTOCOL, err.refusal, None)
        response = await async_answer_refusal(request, err.refusal)
        await async_hang_up(request, response)
        return response


class FormReportView(HomeAssistantView):
    """The form report: what sketches and libraries made for ThingSpeak send.

    The table of its answers is in docs/protocol.md, "The form report".
    """

    name = f"{DOMAIN}:form"
    requires_auth = False
    url = "/update"

    def __init__(self) -> None:
        """Initialize the counter of updates."""
        # ThingSpeak answers with the number of the channel's entry to say that it was
        # taken. Clients only look for a success, so the number need not be stored.
        self._updates: Counter[str] = Counter()
        self._keys: dict[str, list[EspWeatherConfigEntry]] | None = None

    @override
    def register(
        self, hass: HomeAssistant, app: web.Application, router: AbstractRouter
    ) -> None:
        """Register the routes for every method, as the legacy report does."""
        for path, handler in (
            (self.url, self._handle_update),
            ("/update.json", self._handle_json_update),
            ("/channels/{channel}/bulk_update.json", self._handle_bulk_update),
            ("/channels/{channel}/bulk_update.csv", self._handle_bulk_update),
        ):
            app.router.add_route(
                hdrs.METH_ANY, path, partial(_async_bounded, handler, hass)
            )
        async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._forget_keys)

    async def _handle_update(
        self, hass: HomeAssistant, request: web.Request
    ) -> web.Response:
        try:
            _require_method(request, hdrs.METH_GET, hdrs.METH_POST)
            taken = await self._async_take(hass, request)
        except RefusedError as refusal:
            if refusal.status == HTTPStatus.FORBIDDEN and not wants_html(request):
                return web.Response(
                    body=b"0", status=HTTPStatus.UNAUTHORIZED, headers=_TEXT_HEADERS
                )
            return await async_answer_refusal(request, refusal)
        entry = str(self._count(taken))
        if not wants_html(request):
            return web.Response(body=entry.encode(), headers=_TEXT_HEADERS)
        return answer(
            request,
            entry,
            details=(taken.station.name, f"{dt_util.now():%Y-%m-%d %H:%M:%S %Z}"),
        )

    async def _handle_json_update(
        self, hass: HomeAssistant, request: web.Request
    ) -> web.Response:
        try:
            _require_method(request, hdrs.METH_GET, hdrs.METH_POST)
            taken = await self._async_take(hass, request)
        except RefusedError as refusal:
            return await _async_json_refusal(hass, refusal)
        content = taken.form.content
        return web.json_response(
            {
                "channel_id": 0,
                "created_at": f"{dt_util.utcnow():%Y-%m-%dT%H:%M:%SZ}",
                "entry_id": self._count(taken),
                **{name: content.get(name) for name in FORM_FIELDS},
                "latitude": None,
                "longitude": None,
                "elevation": None,
                "status": content.get("status"),
                **await _async_refused(hass, taken.refused),
            },
            headers=_JSON_HEADERS,
        )

    def _count(self, taken: _Taken) -> int:
        self._updates[taken.station.mac] += 1
        return self._updates[taken.station.mac]

    async def _handle_bulk_update(
        self, hass: HomeAssistant, request: web.Request
    ) -> web.Response:
        try:
            _require_method(request, hdrs.METH_POST)
            taken = await self._async_take(hass, request, is_bulk=True)
        except RefusedError as refusal:
            return await _async_json_refusal(hass, refusal)
        return web.json_response(
            {"success": True, **await _async_refused(hass, taken.refused)},
            status=HTTPStatus.ACCEPTED,
            headers=_JSON_HEADERS,
        )

    async def _async_take(
        self, hass: HomeAssistant, request: web.Request, *, is_bulk: bool = False
    ) -> _Taken:
        """Take a report. Raises RefusedError, also if every reading is left out."""
        mac = None
        try:
            require_wanted(request)
            _require_no_other_origin(request)
            query = request.rel_url.raw_query_string
            body = await async_read_body(request)
            credential = self._credential(hass, request, find_sender(query, body))
            mac = credential.mac
            sender = await async_authenticate(hass, request, credential)
            try:
                form = parse_form(query, body)
                updates = await _async_updates(form, is_bulk=is_bulk)
                if isinstance(sender, Pairing):
                    mac = require_mac(mac, credential.mac_text)
                    sender.async_found(mac, updates.readings)
                    raise station_found()
                refused = await _async_deliver(sender, updates)
            except (ReportError, NotReadyError) as err:
                raise await async_refusal(hass, err, sender) from err
            if refused and len(refused) == len(updates.readings) + len(updates.refused):
                first = refused[0]
                raise await _async_all_refused(hass, first) from first.reason
        except RefusedError as refusal:
            async_log_refusal(hass, _PROTOCOL, refusal, mac)
            raise
        reports = hass.data[DATA].reports
        reports.async_taken(sender.mac, _PROTOCOL)
        for each in refused:
            reports.async_left_out(
                sender.mac, _PROTOCOL, each.field, each.reason.reason
            )
        return _Taken(sender, form, refused)

    def _credential(
        self, hass: HomeAssistant, request: web.Request, sender: Sender
    ) -> LegacyCredential:
        """Return the credential of a report.

        Raises RefusedError if it brings more than one.
        """
        key = sender.key or next(
            (request.headers[name] for name in _KEY_HEADERS if name in request.headers),
            "",
        )
        if sender.mac is None:
            return LegacyCredential("", key, self._mac_of_key(hass, key))
        try:
            mac = normalize_mac(sender.mac)
        except ValueError:
            mac = None
        return LegacyCredential(sender.mac, key, mac)

    @callback
    def _mac_of_key(self, hass: HomeAssistant, key: str) -> str | None:
        """Return the MAC of the station that has a key.

        Raises RefusedError if several stations that accept unsigned reports share it.
        """
        if self._keys is None:
            self._keys = defaultdict(list)
            for entry in hass.config_entries.async_entries(
                DOMAIN, include_ignore=False
            ):
                self._keys[key_of(entry).decode()].append(entry)
        # The time of a lookup by hash reveals nothing about a key that is almost right.
        entries = self._keys.get(key, ())
        accepting = [entry for entry in entries if accepts_unsigned(entry)]
        if len(accepting) > 1:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "shared_key")
        return next((entry.unique_id for entry in (*accepting, *entries)), None)

    @callback
    def _forget_keys(self, *_: object) -> None:
        """Discard the index of keys after a config entry has changed."""
        self._keys = None


def _require_method(request: web.Request, *methods: str) -> None:
    if request.method not in methods:
        raise method_not_allowed(", ".join(methods))


def _require_no_other_origin(request: web.Request) -> None:
    """Raise RefusedError if a page of another site has made a browser send a form.

    A browser names the origin of the page with each POST; stations do not.
    """
    if request.method != hdrs.METH_POST:
        return
    headers, host = request.headers, request.host
    origins = headers.getall(hdrs.ORIGIN, ())
    sites = headers.getall(_SEC_FETCH_SITE, ())
    if any(origin.partition("://")[2] != host for origin in origins) or any(
        site not in _OWN_SITES for site in sites
    ):
        raise RefusedError(HTTPStatus.FORBIDDEN, "other_origin")


async def _async_updates(form: Form, *, is_bulk: bool) -> Updates:
    """Return the readings of a report. Raises ReportError."""
    zone: tzinfo = dt_util.UTC
    if form.timezone is not None:
        found = await dt_util.async_get_time_zone(form.timezone)
        if found is None:
            raise ReportError(Reason.INVALID_TIMEZONE)
        zone = found
    read = form.bulk_update if is_bulk else form.update
    return read(dt_util.utcnow(), zone)


async def _async_deliver(station: Station, updates: Updates) -> list[Refused]:
    """Hand a station its readings; return those that are left out.

    Raises NotReadyError.
    """
    refused = [*updates.refused]
    if any(reading.age for reading in updates.readings) or not (
        updates.readings or refused
    ):
        report = Report(
            readings=updates.readings,
            # A form report has no status: keep the last one.
            status=station.status._replace(uptime=None),
        )
        taken = await station.async_take_report(report, dt_util.utcnow())
        for error in taken.refused:
            index = (error.reading or 1) - 1
            field = updates.readings[index].field
            refused.append(Refused(updates.numbers[index], field, error))
        return refused
    for number, reading in zip(updates.numbers, updates.readings, strict=True):
        try:
            await station.async_report(reading)
        except ReportError as err:
            refused.append(Refused(number, reading.field, err))
    return refused


async def _async_all_refused(hass: HomeAssistant, first: Refused) -> RefusedError:
    """Return the refusal of a report whose readings are all left out."""
    return RefusedError(
        HTTPStatus.BAD_REQUEST,
        "in_field",
        {
            "field": str(first.field),
            "reason": await _async_reason(hass, first.reason),
        },
    )


async def _async_refused(
    hass: HomeAssistant, refused: Sequence[Refused]
) -> dict[str, Any]:
    """Return what is added to ThingSpeak's answer if readings were left out."""
    if not refused:
        return {}
    return {
        "refused": [
            {
                "update": number,
                "field": field,
                "reason": await _async_reason(hass, reason),
            }
            for number, field, reason in refused
        ]
    }


async def _async_reason(hass: HomeAssistant, error: ReportError) -> str:
    return await async_translate(
        hass, f"exceptions.{error.reason}.message", error.placeholders
    )


async def _async_json_refusal(
    hass: HomeAssistant, refusal: RefusedError
) -> web.Response:
    """Return the answer to a refused report, in ThingSpeak's JSON."""
    status = refusal.status
    if status == HTTPStatus.FORBIDDEN:
        status = HTTPStatus.UNAUTHORIZED
    code, message = _ERRORS.get(status, _OTHER_ERROR)
    details = await async_translate(
        hass, f"exceptions.{refusal.key}.message", refusal.placeholders
    )
    error = {"error_code": code, "message": message, "details": details}
    return web.json_response(
        {"status": str(int(status)), "error": error},
        status=status,
        headers=_JSON_HEADERS | dict(refusal.headers),
    )
