"""Reads a file of readings: the old server's data.db, or a text file with columns.

Independent of Home Assistant. The caller decides what the readings belong to:
the file consists of sources, each of which is counted or aggregated into hours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field as dataclass_field
from datetime import tzinfo
from functools import partial
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
from .clock import Clock, parse_all
from .database import MAGIC, OldDatabase
from .errors import HistoryError, HistoryReason, StoppedError
from .hours import SECONDS_PER_HOUR, Hours, HourStore, Method
from .table import TOO_MANY_CELLS, Table

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

# The cells of a batch of lines in one column
type _Cells = Sequence[Any]
# Takes the numbers of a batch of lines and their columns
type _Take[*Columns] = Callable[[Sequence[int], *Columns], None]


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
    method: Method = Method.MEAN
    # Takes times and calibrated values instead of aggregating them into hours
    take: Callable[[Sequence[float], Sequence[float]], None] | None = None


@dataclass(slots=True)
class Found:
    """What a file holds of one source: values as written there, times in seconds."""

    readings: int = 0
    lowest: float = inf
    highest: float = -inf
    first: float = inf
    last: float = -inf

    def add(
        self, readings: int, lowest: float, highest: float, first: float, last: float
    ) -> None:
        """Count some readings with these extremes."""
        self.readings += readings
        self.lowest = min(self.lowest, lowest)
        self.highest = max(self.highest, highest)
        self.first = min(self.first, first)
        self.last = max(self.last, last)


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


class _Calibration(dict[float, float]):
    """Caches calibrated values, since sensors repeat them."""

    def __init__(self, calibrate: Callable[[float], float]) -> None:
        super().__init__()
        self._calibrate = calibrate

    def __missing__(self, value: float) -> float:
        calibrated = self._calibrate(value)
        if len(self) < _REMEMBERED_VALUES:
            self[value] = calibrated
        return calibrated


class _Sink:
    """Takes the readings of one source in batches of lines."""

    def __init__(
        self, source: Source, target: Target | None, hours: Hours | None
    ) -> None:
        self.source = source
        self.found = Found()
        self.too_new = 0
        self._take = hours.add if hours else target.take if target else None
        self._calibrated = None if target is None else _Calibration(target.calibrate)
        # The lines of the batch, and what they hold
        self._numbers: list[int] = []
        self._times: list[float] = []
        self._values: list[float] = []

    def add(self, number: int, time: float, value: float) -> None:
        """Add the reading in a line."""
        self._numbers.append(number)
        self._times.append(time)
        self._values.append(value)

    def add_all(
        self, numbers: Sequence[int], times: Sequence[float], values: Sequence[float]
    ) -> None:
        """Add a reading of each line."""
        self._numbers += numbers
        self._times += times
        self._values += values

    def end_batch(self, end: float, faults: _Faults) -> None:
        """Take the batch, of which the readings before `end` count."""
        if not self._times:
            return
        times, values = self._times, self._values
        found = self.found
        last = max(times)
        found.add(len(values), min(values), max(values), min(times), last)
        if self._calibrated is not None and self._take is not None:
            try:
                calibrated = list(map(self._calibrated.__getitem__, values))
            except ReportError:
                self._add_each(end, faults)
            else:
                if last < end:
                    self._take(times, calibrated)
                else:
                    self._add_each(end, faults)
        for column in (self._numbers, times, values):
            column.clear()

    def _add_each(self, end: float, faults: _Faults) -> None:
        assert self._calibrated is not None
        assert self._take is not None
        for number, time, value in zip(
            self._numbers, self._times, self._values, strict=True
        ):
            if time >= end:
                self.too_new += 1
                continue
            try:
                self._take((time,), (self._calibrated[value],))
            except ReportError as err:
                faults.add(number, self.source.column, f"{value:g}", err)


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
        # The hours of each target that is aggregated
        self.hours = {
            source: self.store.hours(target.method, target.timeout)
            for source, target in targets.items()
            if target.take is None
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
        for done, batch in self.database.rows():
            *columns, numbers = zip(*batch, strict=True)
            take(numbers, *columns)
            self._end_batch(len(batch))
            on_progress(done)
        for number in self.database.too_long:
            self._faults.add(number, "", "", ReportError(HistoryReason.LINE_TOO_LONG))

    def _read_table(self, path: Path, on_progress: Callable[[float], None]) -> None:
        table = Table.recognize(path)
        size = path.stat().st_size
        take = self._table_taker(table)
        with path.open("rb") as raw, table.open(raw) as file:
            for numbers, times, columns in table.columns(file):
                take(numbers, times, columns)
                self._end_batch(len(numbers))
                on_progress(raw.tell() / size)

    def _end_batch(self, lines: int) -> None:
        """Take the readings of a batch of lines."""
        self.lines += lines
        for sink in (*self._sinks.values(), self._rest):
            sink.end_batch(self._end, self._faults)
        if self._stopped:
            raise StoppedError

    def _table_taker(self, table: Table) -> _Take[_Cells, Sequence[_Cells]]:
        """Return the function that takes the times and all columns of the table."""
        for names, source_of in (
            (_SERVER_COLUMNS, _server_source),
            (_DOWNLOAD_COLUMNS, _download_source),
        ):
            if {*names} <= {*table.names}:
                take_long = self._long_taker(source_of)
                places = [table.names.index(name) for name in names]
                return lambda numbers, times, columns: take_long(
                    numbers, times, *(columns[place] for place in places)
                )
        ignored = _KEY_COLUMNS
        if _THINGSPEAK_TIME in table.names:
            ignored |= _THINGSPEAK_OTHERS
        return partial(
            self._take_wide,
            [
                (place, self._sink(Source("", table.titles[place])))
                for place, name in enumerate(table.names)
                if place not in table.time and name and name not in ignored
            ],
        )

    def _long_taker(
        self, source_of: Callable[[Any, Any], Source]
    ) -> _Take[_Cells, _Cells, _Cells, _Cells]:
        """Return the function that takes lines of one reading each.

        Their columns are time, MAC, field and value.
        """
        sinks: dict[tuple[Any, Any], _Sink] = {}

        def take(
            numbers: Sequence[int],
            times: _Cells,
            macs: _Cells,
            fields: _Cells,
            data: _Cells,
        ) -> None:
            try:
                # Fast, but only works for regular lines
                of_lines = list(map(sinks.__getitem__, zip(macs, fields, strict=True)))
                seconds = parse_all(times)
                values = _values(data)
            except KeyError, TypeError, ValueError, OverflowError:
                for line in zip(numbers, times, macs, fields, data, strict=True):
                    take_line(*line)
                return
            if of_lines.count(of_lines[0]) == len(of_lines):
                of_lines[0].add_all(numbers, seconds, values)
                return
            for sink, number, time, value in zip(
                of_lines, numbers, seconds, values, strict=True
            ):
                sink.add(number, time, value)

        def take_line(number: int, time: Any, mac: Any, field: Any, data: Any) -> None:
            try:
                if (sink := sinks.get((mac, field))) is None:
                    sink = self._sink(source_of(mac, field))
                    if len(sinks) < _REMEMBERED_CELLS:
                        sinks[mac, field] = sink
                seconds = self._seconds(_text(time), sink.source)
                sink.add(number, seconds, _value(_text(data)))
            except ReportError as err:
                column, wrong = _place(err, time, mac, field, data)
                self._faults.add(number, column, wrong, err)

        return take

    def _take_wide(
        self,
        sinks: Sequence[tuple[int, _Sink]],
        numbers: Sequence[int],
        times: _Cells,
        columns: Sequence[_Cells],
    ) -> None:
        """Take lines of one reading in each column."""
        for place, (number, text) in enumerate(zip(numbers, times, strict=True)):
            try:
                seconds = self._seconds(text)
            except ReportError as err:
                self._faults.add(number, "", text.removeprefix(TOO_MANY_CELLS), err)
                continue
            for column, sink in sinks:
                # Empty where the station did not report this field at that time.
                if not (data := columns[column][place].strip()):
                    continue
                try:
                    sink.add(number, seconds, _value(data))
                except ReportError as err:
                    self._faults.add(number, sink.source.column, data, err)

    def _seconds(self, text: str, source: Source | None = None) -> float:
        """Return the time of a line. Raises ReportError."""
        if text.startswith(TOO_MANY_CELLS):
            raise ReportError(HistoryReason.TOO_MANY_CELLS)
        return self.clock.parse(text, source)

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
        case HistoryReason.TOO_MANY_CELLS:
            return "", _text(time).removeprefix(TOO_MANY_CELLS)
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


def _values(cells: _Cells) -> Sequence[float]:
    """Return the numbers in cells. Raises ValueError or TypeError if one is unusual."""
    if {*map(type, cells)} == {float}:
        values = cells
    elif "_" in "".join(cells):
        raise ValueError
    else:
        values = list(map(float, cells))
    if not isfinite(sum(values)):
        raise ValueError
    return values


def _text(value: Any) -> str:
    """Return a cell as text, whatever its type in a database."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)
