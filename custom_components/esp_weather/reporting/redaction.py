"""Keeps the keys of stations out of the web server's own logs."""

from collections.abc import Callable, Iterable
from functools import lru_cache
import logging
import re
from traceback import format_exception
from typing import Final, override
from urllib.parse import unquote

from aiohttp.http_exceptions import HttpProcessingError, InvalidURLError

from homeassistant.core import HomeAssistant, callback

from ..config import key_of
from ..const import DOMAIN
from ..data import DATA

_REDACTED: Final = "**REDACTED**"
# Loggers that log the address of a request: aiohttp when it cannot parse it (a space
# in the data is enough) and if the user wants an access log, Home Assistant when
# it looks like an attack or carries a token.
_LOGGERS: Final = (
    "aiohttp.access",
    "aiohttp.server",
    "homeassistant.components.http.auth",
    "homeassistant.components.http.ban",
    "homeassistant.components.http.security_filter",
)
# A value found by its name, for a key that no station has, such as a mistyped one
_NAMED_VALUE: Final = re.compile(r"([^/?&=\s'\"]+)(=\s*)[^/?&\s'\"]+")
# What aiohttp quotes of a request that it cannot parse: a line, or what has arrived
_EXCERPT: Final = re.compile(r"b?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")
# A quote that is evidently not of a report and holds nothing that could be
# a key. Any other may begin in the middle of one, since TCP may have split the request.
_HARMLESS_EXCERPT: Final = re.compile(
    r"b?['\"](?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|TRACE|CONNECT)"
    r" /(?!.*(?:update|channels|[=%])).*",
    re.IGNORECASE,
)
# Shorter ones are not secret, and would be found in every message.
_MIN_KEY_LENGTH: Final = 4


class _KeyFilter(logging.Filter):
    """Redacts the keys of stations in a log record."""

    def __init__(self) -> None:
        """Create a filter that knows no keys yet."""
        super().__init__()
        self.keys: Callable[[], Iterable[str]] = tuple

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (redacted := self._redact(message)) != message:
            record.msg, record.args = redacted, ()
        if record.exc_info and (err := record.exc_info[1]):
            trace = "".join(format_exception(err)).rstrip()
            redacted = trace
            if isinstance(err, HttpProcessingError):
                redacted = trace.replace(str(err), _without_excerpts(err))
            if (redacted := self._redact(redacted)) != trace:
                record.exc_text, record.exc_info = redacted, None
        return True

    def _redact(self, text: str) -> str:
        text = _NAMED_VALUE.sub(_redact_named_key, text)
        keys = frozenset(key for key in self.keys() if len(key) >= _MIN_KEY_LENGTH)
        return _pattern(keys).sub(_REDACTED, text) if keys else text


_FILTER: Final = _KeyFilter()


@callback
def keep_keys_out_of_logs(hass: HomeAssistant) -> None:
    """Redact the keys in what aiohttp and Home Assistant log about requests.

    The keys of stations and of pairings are found by their value.
    """

    def keys() -> Iterable[str]:
        # Copied in one step each, since other threads log, too.
        for entry in hass.config_entries.async_entries(DOMAIN):
            if key := key_of(entry):
                yield key.decode()
        yield from hass.data[DATA].pairings.keys

    _FILTER.keys = keys
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)


@lru_cache(maxsize=1)
def _pattern(keys: frozenset[str]) -> re.Pattern[str]:
    """Return a pattern of the keys, percent-encoded in any way, longest first."""
    return re.compile(
        "|".join(
            "".join(
                f"(?:{re.escape(character)}|(?i:%(?:25)*{ord(character):02x}))"
                for character in key
            )
            for key in sorted(keys, key=len, reverse=True)
        )
    )


def _redact_named_key(match: re.Match[str]) -> str:
    name, equals = match.groups()
    if "key" in unquote(unquote(name)).lower():
        return f"{name}{equals}{_REDACTED}"
    return match.group()


def _without_excerpts(err: HttpProcessingError) -> str:
    """Return the text of an error without the parts of a report that it quotes."""
    if isinstance(err, InvalidURLError):
        return _REDACTED
    return _EXCERPT.sub(_drop_excerpt, str(err))


def _drop_excerpt(match: re.Match[str]) -> str:
    excerpt = match.group()
    return excerpt if _HARMLESS_EXCERPT.fullmatch(excerpt) else _REDACTED
