"""The body of a report, of which nobody can make Home Assistant hold much for long."""

import asyncio
from http import HTTPStatus
from typing import Final

from aiohttp import web

from .responses import RefusedError

_MAX_LENGTH: Final = 64 * 1024  # bytes
_TIME_LIMIT: Final = 10.0  # seconds


async def async_read_body(request: web.Request) -> bytes:
    """Return the body of a request: at most 64 KiB that have come within 10 seconds.

    Raises RefusedError.
    """
    if not request.can_read_body:
        return b""
    body = bytearray()
    try:
        async with asyncio.timeout(_TIME_LIMIT):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > _MAX_LENGTH:
                    raise RefusedError(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                        "too_large",
                        {"maximum": str(_MAX_LENGTH)},
                    )
    except TimeoutError:
        raise RefusedError(
            HTTPStatus.REQUEST_TIMEOUT, "too_slow", {"maximum": f"{_TIME_LIMIT:g}"}
        ) from None
    return bytes(body)
