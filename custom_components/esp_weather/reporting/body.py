"""Reads the bodies of reports, limited in size, time and number."""

import asyncio
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

from homeassistant.helpers.http import KEY_HASS

from ..data import DATA
from .responses import RefusedError, not_ready

# Twice the size of a report with the maximum number of readings
_MAX_BODY: Final = 64 * 1024  # bytes
_TIME_LIMIT: Final = 10.0  # seconds, from the end of the headers to that of the body
# Incomplete bodies of one sender. Those of a station mostly arrive in one
# piece with the headers, and then do not count.
_MAX_INCOMPLETE: Final = 16
# The web server spends time on each, even if it is of one byte.
_MAX_CHUNKS: Final = 64


class IncompleteBodyError(Exception):
    """A request is answered before its body is complete."""

    def __init__(self, refusal: RefusedError) -> None:
        """Initialize with the answer."""
        super().__init__(refusal.key)
        self.refusal = refusal


async def async_read_body(request: web.Request) -> bytes:
    """Return the body of a request.

    Runs before authentication. Raises RefusedError if the body is too long, and
    IncompleteBodyError if it is encoded, if it has too many chunks, if it is too slow,
    or if too many other bodies of its sender are incomplete.
    """
    headers = request.headers
    if hdrs.CONTENT_ENCODING in headers and any(
        encoding.lower() != "identity"
        for encoding in headers.getall(hdrs.CONTENT_ENCODING)
    ):
        # The web server would decode it, but the digest is that of the encoded body.
        raise IncompleteBodyError(
            RefusedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "encoded_body",
                headers={hdrs.ACCEPT_ENCODING: "identity"},
            )
        )
    if request.content.is_eof():
        if hdrs.TRANSFER_ENCODING in headers:
            # To join very many chunks takes long, even if all of them are there.
            return await _read(request)
        body = request.content.read_nowait()
        _require_size(body)
        return body
    incomplete = request.app[KEY_HASS].data[DATA].incomplete_bodies
    sender = request.remote or ""
    if incomplete[sender] >= _MAX_INCOMPLETE:
        raise IncompleteBodyError(not_ready())
    incomplete[sender] += 1
    try:
        async with asyncio.timeout(_TIME_LIMIT):
            return await _read(request)
    except TimeoutError:
        raise IncompleteBodyError(
            RefusedError(HTTPStatus.REQUEST_TIMEOUT, "body_too_slow")
        ) from None
    finally:
        incomplete[sender] -= 1
        if not incomplete[sender]:
            del incomplete[sender]


async def _read(request: web.Request) -> bytes:
    body = bytearray()
    chunks = 0
    while not request.content.at_eof():
        part, is_end_of_chunk = await request.content.readchunk()
        body += part
        _require_size(body)
        chunks += is_end_of_chunk
        if chunks > _MAX_CHUNKS:
            raise IncompleteBodyError(
                RefusedError(
                    HTTPStatus.LENGTH_REQUIRED,
                    "too_many_chunks",
                    {"maximum": str(_MAX_CHUNKS)},
                )
            )
    return bytes(body)


def _require_size(body: bytes | bytearray) -> None:
    if len(body) > _MAX_BODY:
        raise RefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too_large",
            {"maximum": str(_MAX_BODY)},
        )


async def async_hang_up(request: web.Request, response: web.Response) -> None:
    """Send an answer and close the connection without waiting for the rest of the body."""
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    request.protocol.force_close()
