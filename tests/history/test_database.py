"""Hostile and damaged databases."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
import sqlite3
from time import monotonic
import tracemalloc

import pytest

from custom_components.esp_weather.history.errors import HistoryError, StoppedError
from custom_components.esp_weather.history.reader import HistoryReader, Source
from tests.helpers import KEY, OUTDOOR
from tests.old_server import OldServer

TABLE = """
CREATE TABLE data (
    Id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    API_key TEXT, date_time TEXT, mac TEXT, field INTEGER, data REAL
)
"""
ENDLESS = """
WITH RECURSIVE rows(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows)
SELECT n AS date_time, n AS mac, n AS field, n AS data FROM rows
"""
ROW = ("2019-05-01T12:00:00+00:00", OUTDOOR, 1, 20.5)
MEGABYTES = 1_000_000


def _database(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)
    return path


def _insert(path: Path, number: int | None, *row: object) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO data VALUES (?, '', ?, ?, ?, ?)", [number, *row])


def _read(path: Path) -> HistoryReader:
    """Read a file in little time and memory; close the reader."""
    reader = HistoryReader({}, datetime(2026, 11, 24, tzinfo=UTC).timestamp())
    tracemalloc.start()
    began = monotonic()
    try:
        reader.read(path, lambda done: None)
    finally:
        assert monotonic() - began < 10
        assert tracemalloc.get_traced_memory()[1] < 5 * MEGABYTES
        tracemalloc.stop()
        reader.close()
    return reader


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        ([f"CREATE VIEW data AS {ENDLESS}"], "history_no_plain_table"),
        (
            ["CREATE VIEW data AS SELECT zeroblob(250000000) AS data"],
            "history_no_plain_table",
        ),
        (
            ["CREATE VIRTUAL TABLE data USING fts5(date_time, mac, field)"],
            "history_no_plain_table",
        ),
        (
            [
                (
                    "CREATE TABLE data (date_time, mac, field, data, large AS"
                    " (zeroblob(900000000)), length AS (length(large)))"
                ),
                "INSERT INTO data VALUES (1, 2, 3, 4)",
            ],
            None,
        ),
        (
            [
                (
                    "CREATE TABLE data (date_time, mac, field, data AS"
                    " (zeroblob(900000000)))"
                ),
                "INSERT INTO data VALUES (1, 2, 3)",
            ],
            "history_no_plain_table",
        ),
        (
            [
                (
                    "CREATE TABLE data (date_time PRIMARY KEY, mac, field, data)"
                    " WITHOUT ROWID"
                )
            ],
            "history_no_plain_table",
        ),
        (["CREATE TABLE data (date_time, mac)"], "history_no_columns"),
        (["CREATE TABLE states (state)", "CREATE TABLE b (c)"], "history_no_table"),
        ([], "history_unreadable"),
    ],
)
def test_hostile_schema(
    tmp_path: Path, statements: list[str], reason: str | None
) -> None:
    """Only a plain table is read; anything else is refused with the reason."""
    path = _database(tmp_path / "data.db", *statements)
    if not statements:
        path.write_bytes(b"SQLite format 3\0" + 4080 * b"\xff")
    if reason is None:
        assert _read(path).lines == 1
        return
    with pytest.raises(HistoryError) as error:
        _read(path)
    assert error.value.reason == reason
    if reason == "history_no_table":
        assert error.value.placeholders == {"tables": "b, states"}


def test_large_value(tmp_path: Path) -> None:
    """A row with a text of 250 MB is left out, and the others are read."""
    path = _database(tmp_path / "data.db", TABLE)
    _insert(path, None, *ROW)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO data VALUES (NULL, '', printf('%.*c', 250000000, 'x'), 1, 1, 1)"
        )
    _insert(path, None, *ROW)

    reader = _read(path)

    assert reader.sources[Source(OUTDOOR, "1")].readings == 2
    assert [(fault.line, fault.error.reason) for fault in reader.first_faults] == [
        (2, "line_too_long")
    ]


@pytest.mark.parametrize("number", [0, -5, 2**63 - 1, -(2**63) + 1])
def test_any_number(tmp_path: Path, number: int) -> None:
    """The Ids need not count from 1."""
    path = _database(tmp_path / "data.db", TABLE)
    _insert(path, number, *ROW)
    assert _read(path).sources[Source(OUTDOOR, "1")].readings == 1


def test_triggers_and_indexes(tmp_path: Path) -> None:
    """Triggers, indexes and other tables are ignored."""
    path = _database(tmp_path / "data.db", TABLE)
    _insert(path, None, *ROW)
    _database(
        path,
        "CREATE TRIGGER t AFTER INSERT ON data BEGIN DELETE FROM data; END",
        f"CREATE VIEW endless AS {ENDLESS}",
        "CREATE INDEX i ON data (date_time, mac, field, data)",
    )
    assert _read(path).sources[Source(OUTDOOR, "1")].readings == 1


def test_not_utf_8(tmp_path: Path) -> None:
    """A text that is not UTF-8 is a fault of its row only."""
    path = _database(
        tmp_path / "data.db",
        TABLE,
        "INSERT INTO data VALUES (NULL, '', CAST(x'ff' AS TEXT), 'm', 1, 1)",
    )
    _insert(path, None, *ROW)
    _insert(path, None, b"2019-05-01T12:00:00Z", OUTDOOR, b"1", "20,5")
    reader = _read(path)
    found = reader.sources[Source(OUTDOOR, "1")]
    assert (found.readings, found.lowest) == (2, 20.5)
    assert [fault.line for fault in reader.first_faults] == [1]


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 4096 // 2 * 4096)


def _scribble(path: Path) -> None:
    """Overwrite the last rows."""
    with path.open("r+b") as file:
        file.seek(-40 * 4096, 2)
        file.write(30 * 4096 * b"\xa5")


@pytest.mark.parametrize(("damage", "missing"), [(_cut, 0.5), (_scribble, 0.0)])
def test_damaged(
    tmp_path: Path, damage: Callable[[Path], None], missing: float
) -> None:
    """All readable rows are read, and the missing share is known."""
    start = datetime(2019, 5, 1, tzinfo=UTC)
    server = OldServer(tmp_path / "data.db", KEY, ())
    server.fill(
        (start + timedelta(minutes=number), OUTDOOR, 1, 1.0) for number in range(10_000)
    )
    damage(server.database)

    reader = _read(server.database)

    assert reader.database is not None
    assert reader.database.damage
    assert 3_000 < reader.database.last_read < 9_900
    assert reader.database.last_read == reader.sources[Source(OUTDOOR, "1")].readings
    assert reader.database.missing_part == pytest.approx(missing, abs=0.01)


def test_write_ahead_log(tmp_path: Path) -> None:
    """A write-ahead log beside the file is read; a missing one is detected."""
    server = tmp_path / "server" / "data.db"
    server.parent.mkdir()
    copy = tmp_path / "data.db"
    with closing(sqlite3.connect(server)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.execute("CREATE TABLE other (x)")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute(TABLE)
        database.execute("INSERT INTO data VALUES (NULL, '', ?, ?, ?, ?)", ROW)
        database.commit()
        copy.write_bytes(server.read_bytes())
        with pytest.raises(HistoryError) as error:
            _read(copy)
        assert error.value.reason == "history_wal_missing"
        assert error.value.placeholders == {"tables": "other"}

        copy.with_name("data.db-wal").write_bytes(
            server.with_name("data.db-wal").read_bytes()
        )
    reader = _read(copy)
    assert reader.lines == 1
    assert reader.database is not None
    assert not reader.database.is_wal_missing


def test_stop_within_a_row(tmp_path: Path) -> None:
    """Reading stops even while SQLite reads a single huge row."""
    path = _database(tmp_path / "data.db", TABLE)
    server = OldServer(path, KEY, ())
    server.fill((datetime.now(UTC), OUTDOOR, 1, 1.0) for _ in range(20_000))
    reader = HistoryReader({}, datetime(2026, 11, 24, tzinfo=UTC).timestamp())
    reader.stop()
    with pytest.raises(StoppedError):
        reader.read(path, lambda done: None)
    assert reader.lines <= 1_000
    reader.close()


def test_stop_within_a_statement(tmp_path: Path) -> None:
    """Reading stops even while SQLite works through an expensive schema."""
    path = _database(
        tmp_path / "data.db",
        TABLE,
        "PRAGMA writable_schema = ON",
        """
        WITH RECURSIVE rows(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows LIMIT 20000)
        INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
        SELECT 'trigger', 't' || n, 'data', 0, NULL FROM rows
        """,
    )
    reader = HistoryReader({}, datetime(2026, 11, 24, tzinfo=UTC).timestamp())
    reader.stop()
    with pytest.raises(StoppedError):
        reader.read(path, lambda done: None)
    assert reader.lines == 0
    reader.close()
