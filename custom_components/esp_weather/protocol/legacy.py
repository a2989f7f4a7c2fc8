"""The legacy report: one reading in the path of a GET, unsigned."""

from math import isfinite
from typing import Final

from .readings import FIELDS, Reading, Reason, ReportError, invalid_field

MAX_DATA_LENGTH: Final = 32

_FIELD_NUMBERS: Final = {str(number): number for number in FIELDS}
# What float() takes beyond this (nan, inf, underscores, white space, digits of
# other scripts) is no decimal number to the stations.
_DECIMAL_CHARACTERS: Final = frozenset("0123456789+-.eE")


def parse_legacy_reading(field: str, data: str) -> Reading:
    """Return the reading of a legacy report (docs/protocol.md).

    `field` is 1 to 9, `data` a finite decimal number of at most 32 characters.
    Raises ReportError.
    """
    if (number := _FIELD_NUMBERS.get(field)) is None:
        raise invalid_field()
    if len(data) > MAX_DATA_LENGTH:
        raise ReportError(Reason.DATA_TOO_LONG, maximum=str(MAX_DATA_LENGTH))
    if not _DECIMAL_CHARACTERS.issuperset(data):
        raise ReportError(Reason.INVALID_DATA)
    try:
        value = float(data)
    except ValueError:
        raise ReportError(Reason.INVALID_DATA) from None
    if not isfinite(value):
        raise ReportError(Reason.DATA_NOT_FINITE)
    return Reading(number, value)
