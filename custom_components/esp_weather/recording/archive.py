"""Writes every reading of a station into a file that is never purged, on request.

The file is a data.db as the old server kept it: one row for each reading, as the station
has sent it. So programs that read the old server's file can read this one, and so
can the import.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
import logging
from pathlib import Path
import sqlite3
from typing import Final, NamedTuple

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from ..const import DOMAIN
from ..protocol.readings import Reading

_LOGGER = logging.getLogger(__name__)

# Readings are committed together: a commit for each would wear a memory card out.
_COMMIT_INTERVAL: Final = 5.0  # seconds
_RETRY_INTERVAL: Final = 60.0
_MOST_WAITING: Final = 50_000
ARCHIVE_DECIMALS: Final = 4
_ISSUE: Final = "archive_failed"
# The number of SQLite's operations between two checks whether to continue
_STEPS_PER_LOOK: Final = 20_000

CREATE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS data (
    Id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    API_key TEXT, date_time TEXT, mac TEXT, field INTEGER, data REAL
)
"""
_INSERT: Final = """
INSERT INTO data (API_key, date_time, mac, field, data) VALUES ('', ?, ?, ?, ?)
"""
_STAGE: Final = (
    "CREATE TABLE staged (date_time TEXT, mac TEXT, field INTEGER, data REAL)"
)
# Equal readings are matched by their count: the second one is known if there are two.
_MERGE: Final = """
INSERT INTO archive.data (API_key, date_time, mac, field, data)
SELECT '', date_time, mac, field, data FROM (
    SELECT date_time, mac, field, data,
        row_number() OVER (PARTITION BY date_time, mac, field, data)
    FROM staged
    EXCEPT
    SELECT date_time, mac, field, data,
        row_number() OVER (PARTITION BY date_time, mac, field, data)
    FROM archive.data
) ORDER BY date_time
"""


class _Row(NamedTuple):
    """A reading to be written."""

    time: datetime
    mac: str
    field: int
    value: float


class StagedReadings:
    """Readings of a file on their way into the archive, in a temporary database."""

    def __init__(self) -> None:
        """Create the database, which SQLite deletes when it is closed."""
        # Used in several threads, but in one at a time
        self._database = sqlite3.connect("", check_same_thread=False)
        self._database.execute(_STAGE)
        self._stopped = False
        self._database.set_progress_handler(lambda: self._stopped, _STEPS_PER_LOOK)

    def add(
        self, mac: str, field: int, times: Sequence[float], values: Sequence[float]
    ) -> None:
        """Add readings of a field, measured at these times in seconds since 1970."""
        self._database.executemany(
            "INSERT INTO staged VALUES (?, ?, ?, ?)",
            (
                (datetime.fromtimestamp(time, UTC).isoformat(), mac, field, value)
                for time, value in zip(times, values, strict=True)
            ),
        )

    def merge(self, path: Path) -> int:
        """Add those that are not in the archive, in order of time; return how many.

        Raises OSError or sqlite3.Error, also after stop(); then nothing is added.
        """
        path.parent.mkdir(exist_ok=True)
        self._database.commit()
        self._database.execute("ATTACH ? AS archive", [str(path)])
        self._database.execute("PRAGMA archive.journal_mode = WAL")
        with self._database:
            self._database.execute(CREATE_TABLE.replace("data (", "archive.data (", 1))
            return self._database.execute(_MERGE).rowcount

    def stop(self) -> None:
        """Make add() or merge() fail."""
        self._stopped = True

    def close(self) -> None:
        """Delete the staged readings."""
        self._database.close()


class Archive:
    """Writes the readings of all stations that are archived, one write at a time."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Initialize the archive; the file is created with its first reading."""
        self.path = Path(hass.config.path(DOMAIN, "data.db"))
        self._hass = hass
        self._rows: list[_Row] = []
        self._database: sqlite3.Connection | None = None
        self._writing = asyncio.Lock()
        self._waiting: asyncio.Task[None] | None = None
        self._failed = False
        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_FINAL_WRITE, self._async_stop)

    @callback
    def async_add(self, mac: str, reading: Reading, time: datetime) -> None:
        """Queue a reading that was measured at this time."""
        value = round(reading.value, ARCHIVE_DECIMALS)
        self._rows.append(_Row(time, mac, reading.field, value))
        if len(self._rows) > _MOST_WAITING:
            del self._rows[0]
        if self._waiting is None:
            self._waiting = self._hass.async_create_background_task(
                self._async_wait(), f"{DOMAIN} archive"
            )

    async def async_lock(self) -> None:
        """Write all readings into the file, then pause until async_unlock()."""
        await self._async_write()
        await self._writing.acquire()
        await self._hass.async_add_executor_job(self._close)

    @callback
    def async_unlock(self) -> None:
        """Resume writing."""
        self._writing.release()

    async def async_merge(self, staged: StagedReadings) -> int:
        """Add the readings of a file that are not there yet; return how many.

        Raises OSError or sqlite3.Error.
        """
        await self._async_write()
        async with self._writing:
            return await self._hass.async_add_executor_job(staged.merge, self.path)

    async def _async_wait(self) -> None:
        """Write until nothing is left."""
        while self._rows:
            await asyncio.sleep(_RETRY_INTERVAL if self._failed else _COMMIT_INTERVAL)
            await self._async_write()
        self._waiting = None

    async def _async_stop(self, event: Event) -> None:
        """Write what is left."""
        await self._async_write()
        await self._hass.async_add_executor_job(self._close)

    async def _async_write(self) -> None:
        async with self._writing:
            rows, self._rows = self._rows, []
            if not rows:
                return
            try:
                await self._hass.async_add_executor_job(self._write, rows)
            except (OSError, sqlite3.Error) as err:
                self._rows = [*rows, *self._rows][-_MOST_WAITING:]
                if not self._failed:
                    _LOGGER.warning("%s cannot be written: %s", self.path, err)
                self._async_set_failed(failed=True)
            else:
                self._async_set_failed(failed=False)

    @callback
    def _async_set_failed(self, *, failed: bool) -> None:
        if failed and not self._failed:
            ir.async_create_issue(
                self._hass,
                DOMAIN,
                _ISSUE,
                is_fixable=False,
                severity=ir.IssueSeverity.ERROR,
                translation_key=_ISSUE,
                translation_placeholders={"path": str(self.path)},
            )
        elif self._failed and not failed:
            ir.async_delete_issue(self._hass, DOMAIN, _ISSUE)
        self._failed = failed

    def _write(self, rows: list[_Row]) -> None:
        if self._database is None:
            self.path.parent.mkdir(exist_ok=True)
            # Used in several threads, but in one at a time
            self._database = sqlite3.connect(self.path, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(CREATE_TABLE)
        try:
            with self._database:
                self._database.executemany(
                    _INSERT,
                    ((_iso(row.time), row.mac, row.field, row.value) for row in rows),
                )
        except sqlite3.Error:
            # The file may have been replaced meanwhile.
            self._close()
            raise

    def _close(self) -> None:
        """Close the file; SQLite then merges its log into it."""
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None


def _iso(time: datetime) -> str:
    """Return a time as the old server wrote it."""
    return time.astimezone(UTC).isoformat()
