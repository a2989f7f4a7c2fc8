"""The readings that an old server has kept, read from its file and summed up by hour.

Takes the database of the Flask server (data.db), its table as CSV, and what
ThingSpeak exports. Knows nothing of Home Assistant.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from io import TextIOWrapper
from operator import itemgetter
from pathlib import Path
import sqlite3
from typing import Final, TextIO

from ..protocol.legacy import parse_legacy_reading
from ..protocol.readings import Reason, ReportError, normalize_mac

SECONDS_PER_HOUR: Final = 3600

_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_SERVER_COLUMNS: Final = ("date_time", "mac", "field", "data")
_THINGSPEAK_TIME: Final = "created_at"
_THINGSPEAK_FIELD: Final = "field"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)
# A clock that was not set yet begins in 1970, that of MicroPython in 2000.
_FIRST_HOUR: Final = (datetime(2001, 1, 1, tzinfo=UTC) - _EPOCH) // _HOUR

# What may be kept of a file that is nothing but faults, or one long line
_MAX_LINE_LENGTH: Final = 4096
_SHOWN_BAD_LINES: Final = 20
_SHOWN_UNKNOWN: Final = 100

_LINES_PER_PROGRESS: Final = 10_000

_CREATE_HOURS: Final = """
CREATE TABLE hours (
    series INTEGER, hour INTEGER, readings INTEGER, total REAL, minimum REAL, maximum REAL,
    PRIMARY KEY (series, hour)
) WITHOUT ROWID
"""
_ADD_READING: Final = """
INSERT INTO hours VALUES (?1, ?2, 1, ?3, ?3, ?3) ON CONFLICT DO UPDATE SET
    readings = readings + 1, total = total + excluded.total,
    minimum = min(minimum, excluded.minimum), maximum = max(maximum, excluded.maximum)
"""
_SERIES: Final = """
SELECT series, sum(readings), count(*), min(hour), max(hour) FROM hours GROUP BY series
"""
# The mean is kept from leaving the others by the last bit.
_HOURS: Final = """
SELECT hour, max(minimum, min(maximum, total / readings)), minimum, maximum
FROM hours WHERE series = ? ORDER BY hour
"""

# The station's MAC as normalize_mac() returns it, and the number of its field
type Source = tuple[str, int]
# Time, MAC, field and value of a reading, as they stand in the file
type _Cells = tuple[str, str, str, str]
# The same after the number of the line
type _Line = tuple[int, str, str, str, str]


class HistoryReason(StrEnum):
    """Why a file cannot be read; each has its text in the translations."""

    UNKNOWN_FORMAT = "history_unknown_format"
    UNREADABLE = "history_unreadable"
    WITHOUT_STATION = "history_without_station"


class HistoryError(ReportError):
    """A file that cannot be read at all."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was left out. In a data.db, `number` is its Id."""

    number: int
    reason: ReportError


@dataclass(frozen=True, slots=True)
class Series:
    """What the file holds of one source; `first` and `last` are hours since 1970."""

    source: Source
    readings: int
    hours: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Hour:
    """The readings of one source in the hour that begins `start` seconds after 1970."""

    start: int
    mean: float
    minimum: float
    maximum: float


class OldHistory:
    """The readings of one file, summed up by hour.

    The hours lie in a temporary database on disk, so that memory is bounded
    whatever the length of the file, its span and the order of its lines.
    """

    def __init__(
        self, sources: Mapping[Source, Callable[[float], float]], end: float
    ) -> None:
        """Prepare for the readings of `sources` before `end`, in seconds since 1970.

        Each source has the function that turns what its station sent into what is
        measured; it raises ReportError for what cannot have been measured.
        """
        self.lines = 0
        self.bad_lines = 0
        self.first_bad_lines: list[BadLine] = []
        # Readings of the hour in which `end` lies, or later
        self.too_new = 0
        # Readings that are of none of the sources, and the first of their sources
        self.unknown = 0
        self.unknown_sources: Counter[Source] = Counter()
        self._sources = list(sources)
        self._calibrate = {
            source: (series, sources[source])
            for series, source in enumerate(self._sources)
        }
        self._end = int(end // SECONDS_PER_HOUR)
        self._last_bad_line = 0
        self._stopped = False
        # Written in one thread and read in another, never at the same time.
        self._hours = sqlite3.connect("", check_same_thread=False)
        self._hours.execute("PRAGMA journal_mode = OFF")
        self._hours.execute(_CREATE_HOURS)

    def stop(self) -> None:
        """Make read() stop before the end of the file."""
        self._stopped = True

    def close(self) -> None:
        """Delete what was read."""
        self._hours.close()

    def read(
        self, path: Path, mac: str | None, on_progress: Callable[[float], None]
    ) -> None:
        """Read a file, telling now and then which part of it is done (0 to 1).

        `mac` is the station of a file that names none. Raises HistoryError.
        """
        try:
            with path.open("rb") as file:
                is_database = file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
            lines = (
                self._database_lines(path, on_progress)
                if is_database
                else self._csv_lines(path, mac, on_progress)
            )
            self._hours.executemany(_ADD_READING, self._readings(lines))
        except (OSError, sqlite3.Error) as err:
            raise HistoryError(HistoryReason.UNREADABLE, error=str(err)) from err

    def series(self) -> list[Series]:
        """Return the sources that the file holds readings of."""
        return [
            Series(self._sources[series], *numbers)
            for series, *numbers in self._hours.execute(_SERIES)
        ]

    def hours(self, source: Source) -> Iterator[Hour]:
        """Return the hours of a source, the first one first."""
        for hour, *values in self._hours.execute(_HOURS, [self._sources.index(source)]):
            yield Hour(hour * SECONDS_PER_HOUR, *values)

    def _readings(self, lines: Iterator[_Line]) -> Iterator[tuple[int, int, float]]:
        """Return the series, hour and value of each reading that is to be kept."""
        for number, time, mac, field, data in lines:
            if self._stopped:
                return
            try:
                hour = _hour(time)
                reading = parse_legacy_reading(field, data)
                source = (normalize_mac(mac), reading.field)
                if hour >= self._end:
                    self.too_new += 1
                elif found := self._calibrate.get(source):
                    series, calibrate = found
                    yield series, hour, calibrate(reading.value)
                else:
                    self._count_unknown(source)
            except ReportError as err:
                self._count_bad(number, err)

    def _count_unknown(self, source: Source) -> None:
        self.unknown += 1
        if source in self.unknown_sources or len(self.unknown_sources) < _SHOWN_UNKNOWN:
            self.unknown_sources[source] += 1

    def _count_bad(self, number: int, reason: ReportError) -> None:
        # A line of ThingSpeak holds up to eight readings.
        if number == self._last_bad_line:
            return
        self._last_bad_line = number
        self.bad_lines += 1
        if len(self.first_bad_lines) < _SHOWN_BAD_LINES:
            self.first_bad_lines.append(BadLine(number, reason))

    def _database_lines(
        self, path: Path, on_progress: Callable[[float], None]
    ) -> Iterator[_Line]:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            database.text_factory = partial(str, encoding="utf-8", errors="replace")
            # The Id is the rowid, and unlike counting the rows this takes no time.
            last = database.execute("SELECT max(rowid) FROM data").fetchone()[0]
            for number, *values in database.execute(
                "SELECT rowid, date_time, mac, field, data FROM data"
            ):
                self.lines += 1
                if self.lines % _LINES_PER_PROGRESS == 0:
                    on_progress(number / last)
                time, mac, field, data = map(str, values)
                yield number, time, mac, field, data

    def _csv_lines(
        self, path: Path, mac: str | None, on_progress: Callable[[float], None]
    ) -> Iterator[_Line]:
        size = path.stat().st_size
        with (
            path.open("rb") as raw,
            TextIOWrapper(raw, encoding="utf-8-sig", errors="replace") as file,
        ):
            rows = _rows(file)
            _, header = next(rows, (0, []))
            cells_of = _cells_of([name.strip().lower() for name in header], mac)
            for number, row in rows:
                self.lines += 1
                if self.lines % _LINES_PER_PROGRESS == 0:
                    on_progress(raw.tell() / size)
                # What a line lacks is empty, and thus found to be wrong.
                row += [""] * (len(header) - len(row))
                for cells in cells_of(row):
                    yield number, *cells


def _cells_of(
    header: list[str], mac: str | None
) -> Callable[[list[str]], list[_Cells]]:
    """Return the function that finds the readings in a row of a CSV file.

    Raises HistoryError.
    """
    if {*_SERVER_COLUMNS} <= {*header}:
        cells = itemgetter(*map(header.index, _SERVER_COLUMNS))
        return lambda row: [cells(row)]
    if _THINGSPEAK_TIME not in header:
        raise HistoryError(HistoryReason.UNKNOWN_FORMAT)
    if mac is None:
        raise HistoryError(HistoryReason.WITHOUT_STATION)
    time = header.index(_THINGSPEAK_TIME)
    fields = [
        (column, name.removeprefix(_THINGSPEAK_FIELD))
        for column, name in enumerate(header)
        if name.startswith(_THINGSPEAK_FIELD)
    ]
    # A cell is empty where the station did not report this field at that time.
    return lambda row: [
        (row[time], mac, field, row[column]) for column, field in fields if row[column]
    ]


def _rows(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Return the number and the cells of each line that is not empty.

    Each line stands for itself: a quotation mark that is missing spoils no other.
    What is longer than any line of ours is cut off.
    """
    number = 0
    while line := file.readline(_MAX_LINE_LENGTH):
        number += 1
        rest = line
        while not rest.endswith("\n") and (rest := file.readline(_MAX_LINE_LENGTH)):
            pass
        for row in csv.reader([line]):
            if row:
                yield number, row


def _hour(text: str) -> int:
    """Return the hours from 1970 to a time in ISO form or that of ThingSpeak.

    Raises ReportError.
    """
    text = text.strip()
    if text.endswith(" UTC"):
        text = f"{text.removesuffix(' UTC')}+00:00"
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ReportError(Reason.INVALID_TIME) from None
    if time.tzinfo is None:
        raise ReportError(Reason.TIME_WITHOUT_ZONE)
    hour = (time - _EPOCH) // _HOUR
    if hour < _FIRST_HOUR:
        raise ReportError(Reason.TIME_NOT_SET)
    return hour
