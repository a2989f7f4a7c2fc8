"""The wire protocol of the stations: text in, a reading or an error out.

Knows nothing of Home Assistant, so that a fuzzer can drive it alone.
"""

from math import isfinite
from typing import Final, NamedTuple

FIELDS: Final = range(1, 10)
MAX_DATA_LENGTH: Final = 32

_FIELD_NUMBERS: Final = {str(number): number for number in FIELDS}
# What float() takes beyond this (nan, inf, underscores, white space, digits of
# other scripts) is no decimal number to the stations.
_DECIMAL_CHARACTERS: Final = frozenset("0123456789+-.eE")
_MAC_LENGTH: Final = 12


class ReportError(Exception):
    """A report that cannot be taken.

    `key` names the reason in the translations (section exceptions) and
    `placeholders` fill in its text.
    """

    def __init__(self, key: str, **placeholders: str) -> None:
        """Keep the reason."""
        super().__init__(key)
        self.key = key
        self.placeholders = placeholders


class FieldError(ReportError):
    """A report for a field that no station can have."""


class Reading(NamedTuple):
    """One value of one field, as the station sent it."""

    field: int
    value: float


def parse_legacy_reading(field: str, data: str) -> Reading:
    """Return the reading of a legacy report (README.md, "What a station sends").

    `field` is 1 to 9, `data` a finite decimal number of at most 32 characters.
    Raises FieldError or ReportError.
    """
    if (number := _FIELD_NUMBERS.get(field)) is None:
        raise FieldError(
            "invalid_field", minimum=str(FIELDS[0]), maximum=str(FIELDS[-1])
        )
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
