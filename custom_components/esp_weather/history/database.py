"""Reads a data.db of the old server without trusting it.

A database file can hold more than rows: endless views, triggers, virtual tables,
computed columns, values of a gigabyte. Only the stored columns of one plain table are
read, with SQLite's own limits on length and work.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
import sqlite3
from typing import Any, Final

from .errors import HistoryError, HistoryReason, StoppedError

MAGIC: Final = b"SQLite format 3\0"

_TABLE: Final = "data"
_COLUMNS: Final = ("date_time", "mac", "field", "data")
_SELECT: Final = (
    "SELECT date_time, mac, field, data, rowid FROM data NOT INDEXED"
    " WHERE rowid > ? ORDER BY rowid LIMIT ?"
)
_ROWS_AT_ONCE: Final = 1_000
_SHOWN_TABLES: Final = 10
_BEFORE_ALL: Final = -(2**63)

_HEADER: Final = 100  # bytes
# Byte 18 of the file says that changes are written to a log file first.
_WRITE_VERSION_AT: Final = 18
_WAL: Final = 2

_MAX_LENGTH: Final = 1_000_000  # bytes of a value or row; rows of the server have 100
_STEPS_PER_LOOK: Final = 20_000
_MAX_LOOKS: Final = 5_000  # for the first row or the next batch: some seconds
_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: _MAX_LENGTH,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 20,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 2,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
# The operations that SQLite may perform, with the arguments that are checked
_ALLOWED: Final[dict[int, set[str | None]]] = {
    sqlite3.SQLITE_SELECT: {None},
    sqlite3.SQLITE_READ: {_TABLE, "sqlite_master"},
    sqlite3.SQLITE_PRAGMA: {"table_xinfo"},
    sqlite3.SQLITE_FUNCTION: {None},
}

# Time, MAC, field, value and Id
type Row = tuple[Any, Any, Any, Any, int]


class OldDatabase:
    """The table of the old server in a file."""

    def __init__(self, path: Path, is_stopped: Callable[[], bool]) -> None:
        """Initialize with the file and a callback that says whether to stop."""
        self._path = path
        self._is_stopped = is_stopped
        self._looks = 0
        # Why the rows after number `last_read` could not be read
        self.damage: str | None = None
        self.last_read = _BEFORE_ALL
        # The Ids of rows that are longer than any reading
        self.too_long: list[int] = []

    @property
    def is_wal_missing(self) -> bool:
        """Return whether the newest rows may be in a log file that was not copied."""
        with self._path.open("rb") as file:
            header = file.read(_WRITE_VERSION_AT + 1)
        return (
            len(header) > _WRITE_VERSION_AT
            and header[_WRITE_VERSION_AT] == _WAL
            and not self._wal.exists()
        )

    @property
    def missing_part(self) -> float:
        """Return the share of the file that is missing at its end, 0 to 1."""
        with self._path.open("rb") as file:
            header = file.read(_HEADER)
        page_size = int.from_bytes(header[16:18])
        expected = int.from_bytes(header[28:32]) * (
            65536 if page_size == 1 else page_size
        )
        size = self._path.stat().st_size
        return max(0.0, 1 - size / expected) if expected else 0.0

    @property
    def _wal(self) -> Path:
        return self._path.with_name(f"{self._path.name}-wal")

    def rows(self) -> Iterator[tuple[float, list[Row]]]:
        """Return the rows in batches, each with the share of the table that is done.

        Raises HistoryError, or StoppedError.
        """
        with self._connect() as database:
            last = self._check(database)
            done = 0.0
            cursor: sqlite3.Cursor | None = None
            # SQLite reads one row ahead, so that an error loses the previous row
            # too, unless that is read alone.
            at_once = _ROWS_AT_ONCE
            while True:
                self._looks = 0
                lot: list[Row] = []
                error = None
                try:
                    if cursor is None:
                        limit = at_once if at_once == 1 else -1
                        cursor = database.execute(_SELECT, [self.last_read, limit])
                    lot.extend(islice(cursor, at_once))
                except sqlite3.Error as err:
                    self._stop_if_told()
                    error = err
                    cursor = None
                if lot:
                    self.last_read = lot[-1][4]
                    if last > 0:
                        done = max(done, min(1.0, self.last_read / last))
                    yield done, lot
                if error is None:
                    if len(lot) < at_once:
                        return
                    if at_once == 1:
                        at_once = _ROWS_AT_ONCE
                        cursor = None
                elif at_once > 1:
                    at_once = 1
                elif isinstance(error, sqlite3.DataError):  # too long
                    self.last_read = database.execute(
                        "SELECT min(rowid) FROM data WHERE rowid > ?", [self.last_read]
                    ).fetchone()[0]
                    self.too_long.append(self.last_read)
                elif database.text_factory is str:  # may not be UTF-8
                    database.text_factory = _text
                else:
                    self.damage = str(error)
                    return

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        # A database with its log file needs locking; others are read
        # without, also from a read-only folder.
        how = "mode=ro" if self._wal.exists() else "immutable=1"
        uri = f"{self._path.absolute().as_uri()}?{how}"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            for limit, value in _LIMITS.items():
                database.setlimit(limit, value)
            for setting in (
                sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER,
                sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW,
                sqlite3.SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER,
                sqlite3.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
                sqlite3.SQLITE_DBCONFIG_TRUSTED_SCHEMA,
            ):
                database.setconfig(setting, False)
            # Otherwise SQLite does not open a truncated file.
            database.execute("PRAGMA writable_schema = ON")
            database.set_authorizer(_authorize)
            database.set_progress_handler(self._look, _STEPS_PER_LOOK)
            try:
                yield database
            except sqlite3.Error as err:
                self._stop_if_told()
                raise HistoryError(HistoryReason.UNREADABLE, error=str(err)) from err

    def _check(self, database: sqlite3.Connection) -> int:
        """Return the number of the last row of the table. Raises HistoryError."""
        tables = {
            _text(name): (_text(kind), page)
            for kind, name, page in database.execute(
                "SELECT type, name, rootpage FROM sqlite_schema"
                " WHERE type IN ('table', 'view') LIMIT 1000"
            )
        }
        names = {name.lower(): name for name in tables}
        if _TABLE not in names:
            shown = [name for name in tables if not name.startswith("sqlite_")]
            raise HistoryError(
                HistoryReason.WAL_MISSING
                if self.is_wal_missing
                else HistoryReason.NO_TABLE,
                tables=", ".join(sorted(shown)[:_SHOWN_TABLES]) or "-",
            )
        kind, page = tables[names[_TABLE]]
        # A virtual table has no page of its own.
        if kind != "table" or not page:
            raise HistoryError(HistoryReason.NO_PLAIN_TABLE)
        columns = {
            _text(name).lower(): hidden
            for _, name, _, _, _, _, hidden in database.execute(
                "PRAGMA table_xinfo(data)"
            )
        }
        if missing := [name for name in _COLUMNS if name not in columns]:
            raise HistoryError(HistoryReason.NO_COLUMNS, columns=", ".join(missing))
        if any(columns[name] for name in _COLUMNS):
            raise HistoryError(HistoryReason.NO_PLAIN_TABLE)
        # The Id is the rowid, and unlike counting the rows this takes no time.
        try:
            found = database.execute("SELECT max(rowid) FROM data").fetchone()[0]
        except sqlite3.DatabaseError as err:
            if "rowid" in str(err):
                raise HistoryError(HistoryReason.NO_PLAIN_TABLE) from err
            # The missing part is the end of the table.
            return 0
        return found if isinstance(found, int) else 0

    def _look(self) -> bool:
        """Return whether SQLite should abort."""
        self._looks += 1
        return self._looks > _MAX_LOOKS or self._is_stopped()

    def _stop_if_told(self) -> None:
        if self._is_stopped():
            raise StoppedError


def _authorize(action: int, argument: str | None, *_: str | None) -> int:
    if argument is not None:
        argument = argument.lower()
    is_allowed = argument in _ALLOWED.get(action, ())
    return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
