"""What all forms of report share: readings, MACs, and the errors in them."""

from enum import StrEnum
from functools import lru_cache
from math import isfinite
import re
from typing import Final, NamedTuple

FIELDS: Final = range(1, 10)
MAX_DATA_LENGTH: Final = 32

_MAC_LENGTH: Final = 12
# A longer text is none, and would take a time that grows with its length.
_MAX_MAC_TEXT: Final = 64
_MAC_SEPARATORS: Final = re.compile("[:.-]")
# What float() accepts beyond this (nan, inf, underscores, digits of other scripts) is
# not a decimal number in this protocol.
_DECIMAL_CHARACTERS: Final = frozenset("0123456789+-.eE")


class Reason(StrEnum):
    """Why a report, or one reading of it, is refused.

    Each has its text in the translations, section exceptions.
    """

    DATA_NOT_FINITE = "data_not_finite"
    DATA_OUT_OF_RANGE = "data_out_of_range"
    DATA_TOO_LONG = "data_too_long"
    INCOMPLETE_READING = "incomplete_reading"
    INVALID_AGE = "invalid_age"
    INVALID_CREATED_AT = "invalid_created_at"
    INVALID_DATA = "invalid_data"
    INVALID_DELTA = "invalid_delta"
    INVALID_FIELD = "invalid_field"
    INVALID_JSON = "invalid_json"
    INVALID_MAC = "invalid_mac"
    INVALID_PART = "invalid_part"
    INVALID_REPORT = "invalid_report"
    INVALID_STREAM = "invalid_stream"
    INVALID_TIME = "invalid_time"
    INVALID_TIMEZONE = "invalid_timezone"
    MAC_PLACEHOLDER = "mac_placeholder"
    MISSING_MAC = "missing_mac"
    NO_UPDATES = "no_updates"
    OLDER_THAN_KEPT = "older_than_kept"
    PAST_NOT_RECORDED = "past_not_recorded"
    SENSOR_DISCONNECTED = "sensor_disconnected"
    SENSOR_NOT_READY = "sensor_not_ready"
    TIME_IN_FUTURE = "time_in_future"
    TIME_NOT_SET = "time_not_set"
    TIME_TOO_OLD = "time_too_old"
    TIME_WITHOUT_ZONE = "time_without_zone"
    TOO_MANY_PARAMETERS = "too_many_parameters"
    TOO_MANY_READINGS = "too_many_readings"
    TOO_MANY_UPDATES = "too_many_updates"
    UNSET_MAC = "unset_mac"
    VALUE_NOT_A_NUMBER = "value_not_a_number"
    WRONG_MAC = "wrong_mac"


class ReportError(Exception):
    """A report, or one reading of it, that cannot be taken.

    `reason` names its text in the translations (section exceptions) and
    `placeholders` fill it in. `reading` is the number of the reading at fault,
    from 1, if the report has more than one.
    """

    reading: int | None = None

    def __init__(self, reason: StrEnum, **placeholders: str) -> None:
        """Initialize the error."""
        super().__init__(reason)
        self.reason = reason
        self.placeholders = placeholders


class MacError(ReportError, ValueError):
    """A text that is not the MAC of a station."""


class Reading(NamedTuple):
    """One value of one field, as the station measured it `age` seconds ago.

    `number` is its place in the stream of the station or, if the station does not
    number its readings, in the report, from 1.
    """

    field: int
    value: float
    age: float = 0.0
    number: int = 1


class Declaration(NamedTuple):
    """A station's declaration of what one of its fields measures.

    Only the form is checked: the kind may be one of a later version.
    """

    kind: str
    unit: str | None = None
    name: str | None = None


def invalid_field() -> ReportError:
    """Return the error for an invalid field number."""
    return ReportError(
        Reason.INVALID_FIELD, minimum=str(FIELDS[0]), maximum=str(FIELDS[-1])
    )


def parse_number(text: str) -> float:
    """Return a finite decimal number of at most 32 characters.

    Blanks around it do not count: Arduino's dtostrf() fills short numbers up with
    them. Raises ReportError.
    """
    text = text.strip()
    if len(text) > MAX_DATA_LENGTH:
        raise ReportError(Reason.DATA_TOO_LONG, maximum=str(MAX_DATA_LENGTH))
    if not _DECIMAL_CHARACTERS.issuperset(text):
        raise ReportError(Reason.INVALID_DATA)
    try:
        value = float(text)
    except ValueError:
        raise ReportError(Reason.INVALID_DATA) from None
    if not isfinite(value):
        raise ReportError(Reason.DATA_NOT_FINITE)
    return value


# A station always sends the same one; random ones cannot fill the memory.
@lru_cache(maxsize=2048)
def normalize_mac(mac: str) -> str:
    """Return a MAC as the integration stores it: lower case, `:` between pairs.

    Takes the usual separators or none. A group of a single digit stands for itself
    with a leading zero, which is how sketches print a byte. The MACs of old stations
    need not be hexadecimal (6c:rf:7f:2b:0e:g8), so any ASCII letter will do. Raises
    MacError.
    """
    if len(mac) > _MAX_MAC_TEXT:
        raise MacError(Reason.INVALID_MAC)
    groups = _MAC_SEPARATORS.split(mac.strip().lower())
    if len(groups) == _MAC_LENGTH // 2:
        groups = [group.zfill(2) if group else group for group in groups]
    characters = "".join(groups)
    if (
        len(characters) != _MAC_LENGTH
        or not characters.isascii()
        or not characters.isalnum()
    ):
        raise MacError(Reason.INVALID_MAC)
    # What a sketch sends before it has read the MAC of its board
    if characters in ("0" * _MAC_LENGTH, "f" * _MAC_LENGTH):
        raise MacError(Reason.UNSET_MAC)
    return ":".join(characters[start : start + 2] for start in range(0, _MAC_LENGTH, 2))
