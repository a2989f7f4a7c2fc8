"""The storage of the old Flask server, rewritten from its description.

For each request it checked key and MAC, inserted one row and committed.
"""

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
import sqlite3

_CREATE = """
CREATE TABLE IF NOT EXISTS data (
    Id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    API_key TEXT, date_time TEXT, mac TEXT, field INTEGER, data REAL
)
"""
_INSERT = "INSERT INTO data VALUES (NULL, ?, ?, ?, ?, ?)"

type Report = tuple[datetime, str, int, float]


class OldServer:
    """A data.db, with the key and the MACs that it accepts."""

    def __init__(self, database: Path, key: str, macs: Iterable[str]) -> None:
        """Create the database unless it exists."""
        self.database = database
        self._key = key
        self._macs = frozenset(macs)
        with closing(sqlite3.connect(database)) as connection:
            connection.execute(_CREATE)

    def update(self, key: str, mac: str, field: str, data: str, now: datetime) -> bool:
        """Handle one request as the server did; return whether it was stored."""
        if key != self._key or mac not in self._macs:
            return False
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute(
                _INSERT, (key, now.isoformat(), mac, int(field), round(float(data), 4))
            )
            connection.commit()
        return True

    def fill(self, reports: Iterable[Report]) -> None:
        """Store many readings at once, as if each had been requested."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.executemany(
                _INSERT,
                (
                    (self._key, time.isoformat(), mac, field, round(value, 4))
                    for time, mac, field, value in reports
                ),
            )
