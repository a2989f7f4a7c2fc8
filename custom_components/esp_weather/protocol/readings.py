"""What every form of report consists of: readings, MACs, and the errors in them."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final, NamedTuple

FIELDS: Final = range(1, 10)

_MAC_LENGTH: Final = 12


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


def invalid_field() -> FieldError:
    """Return the error of a field number that no station can have."""
    return FieldError("invalid_field", minimum=str(FIELDS[0]), maximum=str(FIELDS[-1]))


@contextmanager
def in_reading(number: int) -> Generator[None]:
    """Note in a ReportError that reading `number` of a report is at fault."""
    try:
        yield
    except ReportError as err:
        err.reading = number
        raise


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
