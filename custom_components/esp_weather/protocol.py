"""The wire protocol of the stations: text in, readings or an error out.

Knows nothing of Home Assistant, so that a fuzzer can drive it alone.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from math import inf, isfinite
from typing import Any, Final, NamedTuple

import orjson

FIELDS: Final = range(1, 10)
MAX_DATA_LENGTH: Final = 32
MAX_READINGS: Final = 500
MAX_AGE: Final = 7 * 24 * 3600  # seconds

_FIELD_NUMBERS: Final = {str(number): number for number in FIELDS}
# What float() takes beyond this (nan, inf, underscores, white space, digits of
# other scripts) is no decimal number to the stations.
_DECIMAL_CHARACTERS: Final = frozenset("0123456789+-.eE")
_MAC_LENGTH: Final = 12
# What a number in the status can be; an uptime of a century is none.
_STATUS_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "rssi": (-200, 100),
    "uptime": (0, 100 * 365 * 24 * 3600),
    "battery": (0, 100),
}
_MAX_FIRMWARE_LENGTH: Final = 32


class ReportError(Exception):
    """A report that cannot be taken.

    `key` names the reason in the translations (section exceptions) and
    `placeholders` fill in its text. `reading` is the number of the reading at
    fault, from 1, if the report has more than one.
    """

    reading: int | None = None

    def __init__(self, key: str, **placeholders: str) -> None:
        """Keep the reason."""
        super().__init__(key)
        self.key = key
        self.placeholders = placeholders


class FieldError(ReportError):
    """A report for a field that no station can have."""


class Reading(NamedTuple):
    """One value of one field, as the station measured it `age` seconds ago."""

    field: int
    value: float
    age: float = 0.0


class Status(NamedTuple):
    """What a station says of itself; None is what it does not say.

    `rssi` is the strength of its Wi-Fi signal in dBm, `uptime` the seconds since
    it was switched on, `battery` the voltage of its battery in V.
    """

    rssi: float | None = None
    uptime: float | None = None
    battery: float | None = None
    firmware: str | None = None


class Report(NamedTuple):
    """A signed report: any number of readings, and the status of the station."""

    readings: tuple[Reading, ...]
    status: Status


def parse_legacy_reading(field: str, data: str) -> Reading:
    """Return the reading of a legacy report (README.md, "What a station sends").

    `field` is 1 to 9, `data` a finite decimal number of at most 32 characters.
    Raises FieldError or ReportError.
    """
    if (number := _FIELD_NUMBERS.get(field)) is None:
        raise _field_error()
    if len(data) > MAX_DATA_LENGTH:
        raise ReportError("data_too_long", maximum=str(MAX_DATA_LENGTH))
    if not _DECIMAL_CHARACTERS.issuperset(data):
        raise ReportError("invalid_data")
    try:
        value = float(data)
    except ValueError:
        raise ReportError("invalid_data") from None
    if not isfinite(value):
        raise ReportError("data_not_finite")
    return Reading(number, value)


@contextmanager
def in_reading(number: int) -> Generator[None]:
    """Note in a ReportError that reading `number` of a report is at fault."""
    try:
        yield
    except ReportError as err:
        err.reading = number
        raise


def parse_report(body: bytes, mac: str) -> Report:
    """Return the signed report in the body of a request (README.md, same section).

    `mac` is the one that has signed it, as normalize_mac returns it: the report
    must name the same.

    What it has beyond that is passed over: it may come from a newer station.
    Raises FieldError or ReportError.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ReportError("invalid_json") from None
    match content:
        case {"mac": str(name), "readings": list(readings)}:
            pass
        case _:
            raise ReportError("invalid_report")
    try:
        same = normalize_mac(name) == mac
    except ValueError:
        same = False
    if not same:
        raise ReportError("wrong_mac")
    if len(readings) > MAX_READINGS:
        raise ReportError("too_many_readings", maximum=str(MAX_READINGS))
    return Report(
        tuple(
            _parse_reading(number, reading)
            for number, reading in enumerate(readings, start=1)
        ),
        _parse_status(content.get("status")),
    )


def _parse_reading(number: int, reading: Any) -> Reading:
    with in_reading(number):
        match reading:
            case {"field": field, "value": value}:
                age = reading.get("age", 0)
            case _:
                raise ReportError("incomplete_reading")
        if type(field) is not int or field not in FIELDS:
            raise _field_error()
        if not _is_number_between(value, -inf, inf):
            raise ReportError("value_not_a_number")
        if not _is_number_between(age, 0, MAX_AGE):
            raise ReportError("invalid_age", maximum=str(MAX_AGE))
        return Reading(field, float(value), float(age))


def _parse_status(status: Any) -> Status:
    if status is None:
        return Status()
    if not isinstance(status, dict):
        raise ReportError("invalid_status", name="status")
    for name, limits in _STATUS_LIMITS.items():
        value = status.get(name)
        if value is not None and not _is_number_between(value, *limits):
            raise ReportError("invalid_status", name=name)
    firmware = status.get("firmware")
    if firmware is not None and not (
        isinstance(firmware, str)
        and len(firmware) <= _MAX_FIRMWARE_LENGTH
        and firmware.isprintable()
    ):
        raise ReportError("invalid_status", name="firmware")
    return Status(
        status.get("rssi"), status.get("uptime"), status.get("battery"), firmware
    )


def _is_number_between(value: Any, minimum: float, maximum: float) -> bool:
    # True and False are int's, too. JSON has neither nan nor infinity.
    return type(value) in (int, float) and minimum <= value <= maximum


def _field_error() -> FieldError:
    return FieldError("invalid_field", minimum=str(FIELDS[0]), maximum=str(FIELDS[-1]))


# A station sends the same one for ever. Who sends others cannot fill the memory.
@lru_cache(maxsize=2048)
def normalize_mac(mac: str) -> str:
    """Return a MAC as the integration stores it: lower case, `:` between pairs.

    Takes the usual separators or none. The MACs of old stations need not be
    hexadecimal (6c:rf:7f:2b:0e:g8), so any ASCII letter will do. Raises
    ValueError if it is not twelve letters and digits.
    """
    characters = mac.strip().lower()
    for separator in ":-.":
        characters = characters.replace(separator, "")
    if (
        len(characters) != _MAC_LENGTH
        or not characters.isascii()
        or not characters.isalnum()
    ):
        raise ValueError(f"Not a MAC: {mac}")
    return ":".join(characters[start : start + 2] for start in range(0, _MAC_LENGTH, 2))
