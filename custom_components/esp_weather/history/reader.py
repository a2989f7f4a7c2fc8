"""Reads a file of readings: the old server's data.db, or a text file with columns.

Independent of Home Assistant. The caller decides what the readings belong to:
the file consists of sources, each of which is counted or aggregated into hours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field as dataclass_field
from datetime import datetime, tzinfo
from functools import lru_cache, partial
from math import inf, isfinite
from pathlib import Path
import sqlite3
from typing import Any, Final, NamedTuple

from ..protocol.readings import (
    FIELDS,
    Reason,
    ReportError,
    invalid_field,
    normalize_mac,
)
from .clock import FIRST_TIME, Clock
from .database import MAGIC, OldDatabase
from .errors import HistoryError, HistoryReason, StoppedError
from .hours import SECONDS_PER_HOUR, Hours, HourStore
from .table import Table, time_in

_SERVER_COLUMNS: Final = ("mac", "field", "data")
# The columns of a download from Home Assistant's history page
_DOWNLOAD_COLUMNS: Final = ("entity_id", "entity_id", "state")
_KEY_COLUMNS: Final = frozenset({"id", "api_key"})
# Columns of ThingSpeak's files that hold no readings
_THINGSPEAK_TIME: Final = "created_at"
_THINGSPEAK_OTHERS: Final = frozenset(
    {"entry_id", "latitude", "longitude", "elevation", "status"}
)

# Limits on the faults and sources that are kept of a file
_SHOWN_FAULTS: Final = 20
_SHOWN_SOURCES: Final = 100
_SHOWN_VALUE: Final = 40  # characters
_REMEMBERED_CELLS: Final = 10_000
_REMEMBERED_VALUES: Final = 4_096

# Time, MAC, field and value of a reading as written in the file, and one more cell
type _Line = Any
# Takes a batch of lines and their numbers
type _Take = Callable[[Sequence[_Line], Sequence[int]], None]


class Source(NamedTuple):
    """The origin of readings: a MAC and field, or a column of a file without MACs."""

    mac: str
    column: str


class Target(NamedTuple):
    """How to aggregate the readings of a source.

    `calibrate` turns the value that a station has sent into the measured one and raises
    ReportError for an impossible one; `timeout` is the station's, in seconds.
    """

    calibrate: Callable[[float], float]
    timeout: float


@dataclass(slots=True)
class Found:
    """What a file holds of one source: values as written there, times in seconds."""

    readings: int = 0
    lowest: float = inf
    highest: float = -inf
    first: float = inf
    last: float = -inf


@dataclass(slots=True)
class Fault:
    """A reading that was left out, and how many others were left out for the same reason.

    `line` is the number of the line, or in a data.db the Id; `column` is that of the
    wrong cell, or the field of the value.
    """

    line: int
    column: str
    value: str
    error: ReportError
    count: int = 1


@dataclass(slots=True)
class _Faults:
    """The faults of a file: all are counted, and the first of each kind is kept."""

    count: int = 0
    sorts: dict[tuple[str, str], Fault] = dataclass_field(default_factory=dict)

    def add(self, line: int, column: str, value: Any, error: ReportError) -> None:
        self.count += 1
        if fault := self.sorts.get((column, error.reason)):
            fault.count += 1
        elif len(self.sorts) < _SHOWN_FAULTS:
            shown = _text(value)[:_SHOWN_VALUE]
            self.sorts[column, error.reason] = Fault(line, column, shown, error)


class _Sink:
    """Takes the readings of one source in batches of lines."""

    def __init__(
        self, source: Source, target: Target | None, hours: Hours | None
    ) -> None:
        self.source = source
        self.found = Found()
        self.too_new = 0
        # Position in the batch, time and value
        self.lot: list[tuple[int, float, float]] = []
        self._hours = hours
        # Cached, since sensors repeat values.
        self._calibrate = (
            None if target is None else lru_cache(_REMEMBERED_VALUES)(target.calibrate)
        )

    def end_lot(self, numbers: Sequence[int], end: float, faults: _Faults) -> None:
        """Take the batch, of which the readings before `end` count."""
        _, times, values = zip(*self.lot, strict=True)
        found = self.found
        found.readings += len(values)
        found.lowest = min(found.lowest, *values)
        found.highest = max(found.highest, *values)
        found.first = min(found.first, *times)
        found.last = max(found.last, last := max(times))
        if self._calibrate is not None and self._hours is not None:
            try:
                calibrated = list(map(self._calibrate, values))
            except ReportError:
                self._add_each(numbers, end, faults)
            else:
                if last < end:
                    self._hours.add(times, calibrated)
                else:
                    self._add_each(numbers, end, faults)
        self.lot.clear()

    def _add_each(self, numbers: Sequence[int], end: float, faults: _Faults) -> None:
        assert self._calibrate is not None
        assert self._hours is not None
        for place, time, value in self.lot:
            if time >= end:
                self.too_new += 1
                continue
            try:
                self._hours.add((time,), (self._calibrate(value),))
            except ReportError as err:
                faults.add(numbers[place], self.source.column, f"{value:g}", err)


class HistoryReader:
    """One pass over one file, in bounded memory whatever it holds."""

    def __init__(
        self, targets: Mapping[Source, Target], end: float, zone: tzinfo | None = None
    ) -> None:
        """Prepare to aggregate the readings of `targets` before the hour of `end`.

        Times without a time zone are in `zone`. Without targets the file is only inspected.
        """
        self.lines = 0
        self.clock = Clock(zone)
        self.database: OldDatabase | None = None
        self.store = HourStore()
        # The hours of each target
        self.hours = {
            source: self.store.hours(target.timeout)
            for source, target in targets.items()
        }
        self._targets = targets
        self._end = end - end % SECONDS_PER_HOUR
        self._faults = _Faults()
        self._sinks: dict[Source, _Sink] = {}
        # Takes the readings of the sources beyond the limit.
        self._rest = _Sink(Source("", ""), None, None)
        self._stopped = False

    @property
    def sources(self) -> dict[Source, Found]:
        """Return what the file holds of each source, in order."""
        return {
            source: sink.found
            for source, sink in self._sinks.items()
            if sink.found.readings
        }

    @property
    def unlisted(self) -> int:
        """Return how many readings are of sources beyond the limit."""
        return self._rest.found.readings

    @property
    def too_new(self) -> int:
        """Return how many readings are of the current hour or later."""
        return sum(sink.too_new for sink in self._sinks.values())

    @property
    def faults(self) -> int:
        """Return how many readings were left out because of a fault."""
        return self._faults.count

    @property
    def first_faults(self) -> list[Fault]:
        """Return the first fault of each kind."""
        return list(self._faults.sorts.values())

    def stop(self) -> None:
        """Make read() stop before the end of the file."""
        self._stopped = True

    def close(self) -> None:
        """Delete what was read."""
        self.store.close()

    def read(self, path: Path, on_progress: Callable[[float], None]) -> None:
        """Read a file, calling back with the share that is done (0 to 1).

        Raises HistoryError, or StoppedError after stop().
        """
        try:
            with path.open("rb") as file:
                is_database = file.read(len(MAGIC)) == MAGIC
            if is_database:
                self._read_database(path, on_progress)
            else:
                self._read_table(path, on_progress)
            self.store.compile(self._end, lambda: self._stopped)
        except (OSError, sqlite3.Error) as err:
            raise HistoryError(HistoryReason.UNREADABLE, error=str(err)) from err

    def _read_database(self, path: Path, on_progress: Callable[[float], None]) -> None:
        self.database = OldDatabase(path, lambda: self._stopped)
        take = self._long_taker(_server_source)
        for done, lot in self.database.rows():
            self._take(take, lot, [row[4] for row in lot])
            on_progress(done)
        for number in self.database.too_long:
            self._faults.add(number, "", "", ReportError(HistoryReason.LINE_TOO_LONG))

    def _read_table(self, path: Path, on_progress: Callable[[float], None]) -> None:
        table = Table.recognize(path)
        size = path.stat().st_size
        take = self._table_taker(table)
        with path.open("rb") as raw, table.open(raw) as file:
            for numbers, lot in table.rows(file):
                self._take(take, lot, numbers)
                on_progress(raw.tell() / size)

    def _take(self, take: _Take, lot: Sequence[_Line], numbers: Sequence[int]) -> None:
        """Take a batch of lines with these numbers."""
        self.lines += len(lot)
        take(lot, numbers)
        for sink in (*self._sinks.values(), self._rest):
            if sink.lot:
                sink.end_lot(numbers, self._end, self._faults)
        if self._stopped:
            raise StoppedError

    def _table_taker(self, table: Table) -> _Take:
        """Return the function that takes lines of the table."""
        for columns, source_of in (
            (_SERVER_COLUMNS, _server_source),
            (_DOWNLOAD_COLUMNS, _download_source),
        ):
            if {*columns} <= {*table.names}:
                take_long = self._long_taker(source_of)
                select = partial(table.select, columns)
                return lambda lot, numbers: take_long(select(lot), numbers)
        ignored = _KEY_COLUMNS
        if _THINGSPEAK_TIME in table.names:
            ignored |= _THINGSPEAK_OTHERS
        return partial(
            self._take_wide,
            table,
            [
                (place, self._sink(Source("", table.titles[place])))
                for place, name in enumerate(table.names)
                if place not in table.time and name and name not in ignored
            ],
        )

    def _long_taker(self, source_of: Callable[[Any, Any], Source]) -> _Take:
        """Return the function that takes lines of one reading each."""
        parse = self.clock.parse
        parse_iso = datetime.fromisoformat
        known: dict[tuple[Any, Any], _Sink] = {}

        def take(lot: Sequence[_Line], numbers: Sequence[int]) -> None:
            for place, (time, mac, field, data, _) in enumerate(lot):
                try:
                    sink = known.get((mac, field))
                    if sink is None:
                        sink = self._sink(source_of(mac, field))
                        if len(known) < _REMEMBERED_CELLS:
                            known[mac, field] = sink
                    text = time if type(time) is str else _text(time)
                    # Shortcut of Clock.parse() for most times
                    try:
                        iso = parse_iso(text)
                        seconds = 0.0 if iso.tzinfo is None else iso.timestamp()
                    except ValueError:
                        seconds = 0.0
                    if seconds < FIRST_TIME:
                        seconds = parse(text, sink.source)
                    value = data if type(data) is float else _value(_text(data))
                    if value - value != 0:
                        value = _value("inf")
                    sink.lot.append((place, seconds, value))
                except ReportError as err:
                    column, wrong = _place(err, time, mac, field, data)
                    self._faults.add(numbers[place], column, wrong, err)

        return take

    def _take_wide(
        self,
        table: Table,
        columns: Sequence[tuple[int, _Sink]],
        lot: Sequence[_Line],
        numbers: Sequence[int],
    ) -> None:
        """Take lines of one reading in each column."""
        for place, cells in enumerate(lot):
            text = time_in(cells, table.time)
            try:
                seconds = self.clock.parse(text)
            except ReportError as err:
                self._faults.add(numbers[place], "", text, err)
                continue
            for column, sink in columns:
                # Empty where the station did not report this field at that time.
                if column >= len(cells) or not (data := cells[column].strip()):
                    continue
                try:
                    sink.lot.append((place, seconds, _value(data)))
                except ReportError as err:
                    self._faults.add(numbers[place], sink.source.column, data, err)

    def _sink(self, source: Source) -> _Sink:
        """Return the object that takes the readings of a source."""
        if (sink := self._sinks.get(source)) is not None:
            return sink
        target = self._targets.get(source)
        if target is None and len(self._sinks) >= _SHOWN_SOURCES + len(self._targets):
            return self._rest
        sink = self._sinks[source] = _Sink(source, target, self.hours.get(source))
        return sink


def _server_source(mac: Any, field: Any) -> Source:
    """Return the source of a row of the old server. Raises ReportError."""
    try:
        # A spreadsheet or an untyped column turns it into 1.0.
        number = float(_text(field))
    except ValueError:
        raise invalid_field() from None
    if number not in FIELDS:
        raise invalid_field()
    try:
        return Source(normalize_mac(_text(mac)), str(int(number)))
    except ValueError:
        raise ReportError(Reason.INVALID_MAC) from None


def _download_source(entity_id: Any, _: Any) -> Source:
    return Source("", _text(entity_id).strip())


def _place(
    error: ReportError, time: Any, mac: Any, field: Any, data: Any
) -> tuple[str, Any]:
    """Return which cell of a line is wrong, and its content."""
    match error.reason:
        case Reason.INVALID_MAC:
            return "mac", mac
        case Reason.INVALID_FIELD:
            return "field", field
        case Reason.INVALID_DATA:
            return _text(field).strip()[:_SHOWN_VALUE], data
        case _:
            return "date_time", time


def _value(text: str) -> float:
    """Return the number in a cell. Raises ReportError."""
    try:
        value = float(text)
    except ValueError:
        if text.count(",") != 1 or "." in text:
            raise ReportError(Reason.INVALID_DATA) from None
        return _value(text.replace(",", "."))
    if "_" in text or not isfinite(value):
        raise ReportError(Reason.INVALID_DATA)
    return value


def _text(value: Any) -> str:
    """Return a cell as text, whatever its type in a database."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)
