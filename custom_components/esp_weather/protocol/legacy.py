"""The legacy report: one reading in the path of a GET, unsigned."""

from typing import Final

from .readings import FIELDS, Reading, invalid_field, parse_number

_FIELD_NUMBERS: Final = {str(number): number for number in FIELDS}


def parse_legacy_reading(field: str, data: str) -> Reading:
    """Return the reading of a legacy report (docs/protocol.md).

    `field` is 1 to 9, `data` a finite decimal number of at most 32 characters, with
    any blanks around it. Raises ReportError.
    """
    if (number := _FIELD_NUMBERS.get(field)) is None:
        raise invalid_field()
    return Reading(number, parse_number(data))
