"""Answers to reports, and the refusals among them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.http import KEY_HASS

from ..data import DATA, async_find_entry
from ..messages import async_translate
from ..pairing import Pairing
from ..protocol.readings import Reason, ReportError
from ..refusals import Issue
from ..station import NotReadyError, Station
from .page import PAGE_POLICY, render_page

_RETRY_AFTER: Final[Mapping[str, str]] = {hdrs.RETRY_AFTER: "10"}
_HEADERS: Final[Mapping[str, str]] = {
    hdrs.CACHE_CONTROL: "no-store",
    "Content-Security-Policy": PAGE_POLICY,
}


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
        """Initialize the refusal."""
        super().__init__(key)
        self.status = status
        self.key = key
        self.placeholders = placeholders or {}
        self.headers = headers or {}


def method_not_allowed(method: str) -> RefusedError:
    """Return the refusal of a request with another method."""
    return RefusedError(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "method_not_allowed",
        {"method": method},
        {hdrs.ALLOW: method},
    )


def not_ready() -> RefusedError:
    """Return the refusal that asks a station to send the report again later."""
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", headers=_RETRY_AFTER
    )


def station_found() -> RefusedError:
    """Return the refusal of a station that is still being set up in a config flow."""
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, "station_found", headers=_RETRY_AFTER
    )


@callback
def async_log_refusal(
    hass: HomeAssistant, protocol: str, refusal: RefusedError, mac: str | None
) -> None:
    """Log the refusal of a report that names this normalized MAC, or none."""
    error = refusal.__cause__
    hass.data[DATA].reports.async_refused(
        None if async_find_entry(hass, mac) is None else mac,
        protocol,
        refusal.status,
        error.reason if isinstance(error, ReportError) else refusal.key,
    )


async def async_refusal(
    hass: HomeAssistant, error: ReportError | NotReadyError, sender: Station | Pairing
) -> RefusedError:
    """Return the refusal of a report that its station cannot take, or not now."""
    if isinstance(error, NotReadyError):
        return not_ready()
    if error.reason is Reason.INVALID_FIELD and isinstance(sender, Station):
        sender.refusals.async_refused(Issue.INVALID_FIELD)
    return await async_bad_request(hass, error)


async def async_bad_request(hass: HomeAssistant, error: ReportError) -> RefusedError:
    """Return the refusal of a report with an error in it."""
    if error.reading is None:
        return RefusedError(HTTPStatus.BAD_REQUEST, error.reason, error.placeholders)
    return RefusedError(
        HTTPStatus.BAD_REQUEST,
        "in_reading",
        {
            "number": str(error.reading),
            "reason": await async_translate(
                hass, f"exceptions.{error.reason}.message", error.placeholders
            ),
        },
    )


async def async_answer_refusal(
    request: web.Request, refusal: RefusedError
) -> web.Response:
    """Return the answer that says why a request is refused, and what to do next."""
    hass = request.app[KEY_HASS]
    text = await async_translate(
        hass, f"exceptions.{refusal.key}.message", refusal.placeholders
    )
    details: tuple[str, ...] = ()
    if wants_html(request) and (key := _next_step(refusal)):
        details = (await async_translate(hass, key),)
    return answer(request, text, refusal.status, refusal.headers, details)


def _next_step(refusal: RefusedError) -> str | None:
    """Return the key of the text that says what to do next."""
    if refusal.status == HTTPStatus.BAD_REQUEST:
        return "common.report_refused"
    if refusal.key == "forbidden":
        return "common.report_forbidden"
    return None


def wants_html(request: web.Request) -> bool:
    """Return whether a request is from a browser, which gets a page as the answer."""
    return "text/html" in request.headers.get(hdrs.ACCEPT, "")


def answer(
    request: web.Request,
    text: str,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] = {},
    details: tuple[str, ...] = (),
) -> web.Response:
    """Return one line of text or, for a browser, a page with the details."""
    headers = {**_HEADERS, **headers}
    if not wants_html(request):
        return web.Response(text=text, status=status, headers=headers)
    page = render_page(
        request.app[KEY_HASS].config.language,
        text,
        details,
        taken=status is HTTPStatus.OK,
    )
    return web.Response(
        text=page, content_type="text/html", status=status, headers=headers
    )
