"""The signed report: readings, declarations of fields and a status, as JSON."""

from collections.abc import Mapping
import re
from typing import Any, Final, NamedTuple

import orjson

from .readings import (
    FIELDS,
    Declaration,
    Reading,
    Reason,
    ReportError,
    invalid_field,
    normalize_mac,
)

MAX_READINGS: Final = 500
MAX_AGE: Final = 7 * 24 * 3600  # seconds
# No reading has a number above the largest integer that every JSON library handles
# without loss.
MAX_FIRST: Final = 2**53 - MAX_READINGS

# bool is a subclass of int.
_NUMBERS: Final = frozenset({float, int})
_FIELD_NUMBERS: Final = {str(number): number for number in FIELDS}
_STREAM: Final = re.compile("[0-9a-f]{8}")


class Status(NamedTuple):
    """The self-reported status of a station; None is what it does not report.

    `rssi` is the strength of its Wi-Fi signal in dBm, `uptime` the seconds since
    it started, `battery` the voltage of its battery in V, `interval` the seconds
    between its reports, `update_error` why its last update came to nothing.
    """

    rssi: float | None = None
    uptime: float | None = None
    battery: float | None = None
    firmware: str | None = None
    interval: float | None = None
    board: str | None = None
    update_error: str | None = None


_NO_STATUS: Final = Status()


class Report(NamedTuple):
    """A signed report.

    `stream` is the name of the series that the numbers of the readings belong to,
    None if the station does not number them. `fields` holds declarations by the
    number of the field.
    """

    readings: tuple[Reading, ...] = ()
    status: Status = _NO_STATUS
    stream: str | None = None
    fields: Mapping[int, Declaration] = {}


# The limits of a number, or the maximum length of a text. An uptime of a century
# is not one.
type _Limits = tuple[float, float] | int

_DECLARATION: Final[Mapping[str, _Limits]] = {"kind": 32, "unit": 16, "name": 64}
_STATUS: Final[Mapping[str, _Limits]] = {
    "rssi": (-200, 100),
    "uptime": (0, 100 * 365 * 24 * 3600),
    "battery": (0, 100),
    "firmware": 32,
    "interval": (1, MAX_AGE),
    "board": 64,
    "update_error": 32,
}


def parse_report(body: bytes, mac: str) -> Report:
    """Return the signed report in the body of a request (docs/protocol.md).

    `mac` is the one that has signed it, as normalize_mac returns it: the report
    must name the same.

    Unknown members are ignored: the station may be newer.
    Raises ReportError.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ReportError(Reason.INVALID_JSON) from None
    if not isinstance(content, dict):
        raise ReportError(Reason.INVALID_REPORT)
    name, readings = content.get("mac"), content.get("readings")
    if not isinstance(name, str) or not isinstance(readings, list):
        raise ReportError(Reason.INVALID_REPORT)
    try:
        same = normalize_mac(name) == mac
    except ValueError:
        same = False
    if not same:
        raise ReportError(Reason.WRONG_MAC)
    if len(readings) > MAX_READINGS:
        raise ReportError(Reason.TOO_MANY_READINGS, maximum=str(MAX_READINGS))
    stream, first = _parse_stream(content)
    status = content.get("status")
    fields = content.get("fields")
    return Report(
        _parse_readings(readings, first),
        _NO_STATUS
        if status is None
        else Status(**_parse_table(status, _STATUS, "status")),
        stream,
        {} if fields is None else _parse_fields(fields),
    )


def _parse_stream(content: Mapping[str, Any]) -> tuple[str | None, int]:
    """Return the stream and the number of the first reading."""
    stream, first = content.get("stream"), content.get("first")
    if stream is None and first is None:
        return None, 1
    if (
        not isinstance(stream, str)
        or not _STREAM.fullmatch(stream)
        or type(first) is not int
        or not 0 <= first <= MAX_FIRST
    ):
        raise ReportError(Reason.INVALID_STREAM, maximum=str(MAX_FIRST))
    return stream, first


def _parse_readings(readings: list[Any], first: int) -> tuple[Reading, ...]:
    parsed = []
    for place, reading in enumerate(readings):
        try:
            parsed.append(_parse_reading(reading, first + place))
        except ReportError as err:
            err.reading = place + 1
            raise
    return tuple(parsed)


def _parse_reading(reading: Any, number: int) -> Reading:
    try:
        field, value, age = reading["field"], reading["value"], reading.get("age", 0)
    except KeyError, TypeError:
        raise ReportError(Reason.INCOMPLETE_READING) from None
    if type(field) is not int or field not in FIELDS:
        raise invalid_field()
    if type(value) not in _NUMBERS:
        raise ReportError(Reason.VALUE_NOT_A_NUMBER)
    if type(age) not in _NUMBERS or not 0 <= age <= MAX_AGE:
        raise ReportError(Reason.INVALID_AGE, maximum=str(MAX_AGE))
    return Reading(field, float(value), float(age), number)


def _parse_fields(fields: Any) -> dict[int, Declaration]:
    if not isinstance(fields, dict):
        raise ReportError(Reason.INVALID_PART, name="fields")
    declarations = {}
    for field, said in fields.items():
        if (number := _FIELD_NUMBERS.get(field)) is None:
            raise invalid_field()
        table = _parse_table(said, _DECLARATION, f"fields.{field}")
        if "kind" not in table:
            raise ReportError(Reason.INVALID_PART, name=f"fields.{field}.kind")
        declarations[number] = Declaration(**table)
    return declarations


def _parse_table(
    content: Any, limits: Mapping[str, _Limits], path: str
) -> dict[str, Any]:
    """Return the values of `content` that are in the table and within its limits."""
    if not isinstance(content, dict):
        raise ReportError(Reason.INVALID_PART, name=path)
    values = {}
    for name, limit in limits.items():
        if (value := content.get(name)) is None:
            continue
        if isinstance(limit, int):
            valid = (
                isinstance(value, str) and len(value) <= limit and value.isprintable()
            )
        else:
            # JSON has neither nan nor infinity.
            valid = type(value) in _NUMBERS and limit[0] <= value <= limit[1]
        if not valid:
            raise ReportError(Reason.INVALID_PART, name=f"{path}.{name}")
        values[name] = value
    return values
