"""Keeping the keys of stations out of what the web server itself logs."""

import logging
import re
from traceback import format_exception
from typing import Final, override

# Those who log the address of a request: aiohttp when it cannot read it (a space
# in the data is enough) and if the user wants an access log, Home Assistant when
# it looks like an attack or carries a token.
_LOGGERS: Final = (
    "aiohttp.access",
    "aiohttp.server",
    "homeassistant.components.http.auth",
    "homeassistant.components.http.security_filter",
)
_KEY: Final = re.compile(r"(API(?:_|%5F)key=)[^/\s]+", re.IGNORECASE)


class _KeyFilter(logging.Filter):
    """Redacts the key of each legacy report in a log record."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (redacted := _redact(message)) != message:
            record.msg, record.args = redacted, ()
        if record.exc_info:
            trace = "".join(format_exception(record.exc_info[1])).rstrip()
            if (redacted := _redact(trace)) != trace:
                record.exc_text, record.exc_info = redacted, None
        return True


_FILTER: Final = _KeyFilter()


def keep_keys_out_of_logs() -> None:
    """Redact the keys in what aiohttp and Home Assistant log of requests."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)


def _redact(text: str) -> str:
    return _KEY.sub(r"\1**REDACTED**", text)
