"""The signed report: readings and the status of a station as JSON."""

from collections.abc import Mapping
from math import inf
from typing import Any, Final, NamedTuple

import orjson

from .readings import (
    FIELDS,
    Declaration,
    Reading,
    Reason,
    ReportError,
    in_reading,
    invalid_field,
    normalize_mac,
)

MAX_READINGS: Final = 500
MAX_AGE: Final = 7 * 24 * 3600  # seconds

# What a number in the status can be; an uptime of a century is none.
_STATUS_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "rssi": (-200, 100),
    "uptime": (0, 100 * 365 * 24 * 3600),
    "battery": (0, 100),
}
_MAX_FIRMWARE_LENGTH: Final = 32


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
    fields: Mapping[int, Declaration] = {}


def parse_report(body: bytes, mac: str) -> Report:
    """Return the signed report in the body of a request (docs/protocol.md).

    `mac` is the one that has signed it, as normalize_mac returns it: the report
    must name the same.

    What it has beyond that is passed over: it may come from a newer station.
    Raises ReportError.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ReportError(Reason.INVALID_JSON) from None
    match content:
        case {"mac": str(name), "readings": list(readings)}:
            pass
        case _:
            raise ReportError(Reason.INVALID_REPORT)
    try:
        same = normalize_mac(name) == mac
    except ValueError:
        same = False
    if not same:
        raise ReportError(Reason.WRONG_MAC)
    if len(readings) > MAX_READINGS:
        raise ReportError(Reason.TOO_MANY_READINGS, maximum=str(MAX_READINGS))
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
                raise ReportError(Reason.INCOMPLETE_READING)
        if type(field) is not int or field not in FIELDS:
            raise invalid_field()
        if not _is_number_between(value, -inf, inf):
            raise ReportError(Reason.VALUE_NOT_A_NUMBER)
        if not _is_number_between(age, 0, MAX_AGE):
            raise ReportError(Reason.INVALID_AGE, maximum=str(MAX_AGE))
        return Reading(field, float(value), float(age))


def _parse_status(status: Any) -> Status:
    if status is None:
        return Status()
    if not isinstance(status, dict):
        raise ReportError(Reason.INVALID_STATUS, name="status")
    for name, limits in _STATUS_LIMITS.items():
        value = status.get(name)
        if value is not None and not _is_number_between(value, *limits):
            raise ReportError(Reason.INVALID_STATUS, name=name)
    firmware = status.get("firmware")
    if firmware is not None and not (
        isinstance(firmware, str)
        and len(firmware) <= _MAX_FIRMWARE_LENGTH
        and firmware.isprintable()
    ):
        raise ReportError(Reason.INVALID_STATUS, name="firmware")
    return Status(
        status.get("rssi"), status.get("uptime"), status.get("battery"), firmware
    )


def _is_number_between(value: Any, minimum: float, maximum: float) -> bool:
    # True and False are int's, too. JSON has neither nan nor infinity.
    return type(value) in (int, float) and minimum <= value <= maximum
