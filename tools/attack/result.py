"""The result of an attack, and the table of all results."""

from collections.abc import Iterable
from dataclasses import dataclass


class BrokenError(Exception):
    """A promise does not hold; the text says what was sent and what happened."""


@dataclass(frozen=True)
class Result:
    """The result of an attack."""

    name: str
    promise: str
    broken: bool
    figure: str


def require(holds: object, figure: str) -> None:
    """Raise BrokenError with a figure unless something holds."""
    if not holds:
        raise BrokenError(figure)


def table(results: Iterable[Result]) -> str:
    """Return the results as a table in Markdown."""
    rows = [
        f"| {each.name} | {each.promise} | {'**BROKEN**' if each.broken else 'holds'}"
        f" | {each.figure.replace('|', '\\|')} |"
        for each in results
    ]
    return "\n".join(
        ["| attack | promise | result | figure |", "|---|---|---|---|", *rows]
    )
