"""Helpers that the tests against a real Home Assistant share."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
import sqlite3

_IDENTITY = 16  # bytes


def rows(database: Path, entity_id: str) -> list[tuple[str, datetime]]:
    """Return each recorded state of an entity with its time."""
    return [(state, time) for state, time, _ in _rows(database, entity_id)]


def rows_by_reading(
    database: Path, entity_id: str, mac: str, stream: str, end: int
) -> tuple[list[tuple[int, str, datetime]], list[str]]:
    """Return the number, state and time of each row that is a reading; and the others.

    Those are states that Home Assistant has written itself. How a row is found is in
    docs/security-and-reliability.md; the numbers of the stream are less than `end`.
    """
    numbers = {
        sha256(f"{mac}/{stream}/{number}".encode()).digest()[:_IDENTITY]: number
        for number in range(end)
    }
    readings = []
    others = []
    for state, time, identity in _rows(database, entity_id):
        if identity in numbers:
            readings.append((numbers[identity], state, time))
        else:
            others.append(state)
    return sorted(readings), others


def _rows(database: Path, entity_id: str) -> Iterator[tuple[str, datetime, bytes]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for state, time, identity in connection.execute(
            "SELECT state, last_updated_ts, context_id_bin FROM states"
            " JOIN states_meta USING (metadata_id)"
            " WHERE states_meta.entity_id = ? ORDER BY last_updated_ts, state_id",
            (entity_id,),
        ):
            yield state, datetime.fromtimestamp(time, UTC), identity
