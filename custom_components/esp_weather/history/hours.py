"""Computes the hourly statistics that Home Assistant would have compiled of readings.

Home Assistant (homeassistant/components/sensor/recorder.py) weights each value by the
time until the next one, in periods of 5 minutes. A value counts in each period that
begins before its sensor becomes unavailable, which it does a moment after the inactivity
timeout. An hour is the mean of its periods. Of angles it keeps the direction of the sum of
all vectors; of a meter, the last value and how much it has grown since the first one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from functools import reduce
from itertools import batched, groupby
from math import atan2, cos, degrees, hypot, inf, radians, sin
from operator import itemgetter, truediv
import sqlite3
from struct import Struct
from typing import Any, Final, NamedTuple, Self, override

from .errors import StoppedError

SECONDS_PER_HOUR: Final = 3600

_PERIOD: Final = 300.0
_ROWS_AT_ONCE: Final = 500
_HOURS_AT_ONCE: Final = 1_000
_CACHE_KIB: Final = 8_000
# Even without an inactivity timeout, a value does not count for years.
_MAX_CARRY: Final = 24 * 3600.0
# A meter that drops below this share of its last value has been reset.
_RESET: Final = 0.9

# A run holds readings of one period, a row the runs of one hour that follow one another
# in the file: a row for each run would take three times as long. Not all kinds of hours
# need all columns.
_CREATE: Final = f"""
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE runs (
    series INTEGER, hour INTEGER, number INTEGER, runs BLOB,
    PRIMARY KEY (series, hour, number)
) WITHOUT ROWID;
CREATE TABLE hours (
    series INTEGER, hour INTEGER, value REAL, other REAL, third REAL,
    PRIMARY KEY (series, hour)
) WITHOUT ROWID;
"""
_ADD_RUNS: Final = "INSERT INTO runs VALUES (?, ?, ?, ?)"
_ADD_HOUR: Final = "INSERT INTO hours VALUES (?, ?, ?, ?, ?)"
_RUNS: Final = "SELECT hour, runs FROM runs WHERE series = ? ORDER BY hour, number"
_RUN: Final = Struct("=7d")
# Of an hour with more runs in no order, the order of readings in a period is lost.
_MOST_RUNS: Final = 10_000
_HOURS: Final = """
SELECT hour, value, other, third FROM hours WHERE series = ? ORDER BY hour
"""
_SPAN: Final = "SELECT count(*), min(hour), max(hour) FROM hours WHERE series = ?"


class Method(Enum):
    """The kind of statistics of a sensor."""

    MEAN = auto()
    ANGLE = auto()
    METER = auto()


class MeanHour(NamedTuple):
    """The statistics of the hour that begins `start` seconds after 1970."""

    start: int
    mean: float
    minimum: float
    maximum: float


class AngleHour(NamedTuple):
    """The statistics of an hour of angles in degrees.

    `weight` is the length of the sum of vectors, each as long as the seconds it counts.
    """

    start: int
    mean: float
    weight: float


class MeterHour(NamedTuple):
    """The statistics of an hour of a meter: its last value, and the growth up to then."""

    start: int
    state: float
    total: float


# Start, integral of the value over time, duration, minimum, maximum
type _Period = tuple[float, float, float, float, float]

type Hour = MeanHour | AngleHour | MeterHour


class Span(NamedTuple):
    """The number of hours, and the start of the first and the last one."""

    hours: int
    first: int
    last: int


class HourStore:
    """Hours in a temporary database on disk, which keeps memory bounded."""

    def __init__(self) -> None:
        """Create the database, which SQLite deletes when it is closed."""
        # Written in one thread and read in another, never at the same time.
        self._database = sqlite3.connect("", check_same_thread=False)
        self._database.executescript(_CREATE)
        self._rows: list[tuple[int, int, int, bytes]] = []
        self._series = 0
        self._all: list[Hours] = []

    def close(self) -> None:
        """Delete everything."""
        self._database.close()

    def hours(self, method: Method, timeout: float) -> Hours:
        """Add a sensor whose inactivity timeout is `timeout` seconds; return its hours."""
        hours = _HOURS_OF[method](self, len(self._all), timeout or _MAX_CARRY)
        self._all.append(hours)
        return hours

    def compile(self, end: float, is_stopped: Callable[[], bool]) -> None:
        """Compute the hours before `end`, once all readings are added.

        Raises StoppedError when `is_stopped` says so.
        """
        for hours in self._all:
            hours.flush()
        self._write_rows()
        for hours in self._all:
            for lot in batched(hours.compile(), _HOURS_AT_ONCE):
                self._database.executemany(
                    _ADD_HOUR,
                    (
                        (hours.number, start, *values, *[None] * (3 - len(values)))
                        for start, *values in lot
                        if start + SECONDS_PER_HOUR <= end
                    ),
                )
                if is_stopped():
                    raise StoppedError
        self._database.execute("DELETE FROM runs")

    def read(self, hours: Hours) -> Iterator[Hour]:
        """Return the hours of a sensor, the first one first."""
        for row in self._database.execute(_HOURS, [hours.number]):
            yield hours.hour(*[value for value in row if value is not None])

    def span(self, hours: Hours) -> Span:
        """Return the span of the hours of a sensor."""
        number, first, last = self._database.execute(_SPAN, [hours.number]).fetchone()
        return Span(number, first or 0, last or 0)

    def new_series(self) -> int:
        """Return the number of a new series of runs."""
        self._series += 1
        return self._series

    def add_runs(self, series: int, hour: int, number: int, runs: bytes) -> None:
        """Add runs of one hour, whose numbers ascend in the order of the file."""
        self._rows.append((series, hour, number, runs))
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._write_rows()

    def runs(self, series: int) -> Iterator[tuple[int, bytes]]:
        """Return hours and runs of a series, in order of the hours."""
        return self._database.execute(_RUNS, [series])

    def _write_rows(self) -> None:
        self._database.executemany(_ADD_RUNS, self._rows)
        self._rows.clear()


class Hours(ABC):
    """Collects the readings of one sensor, with one period at a time in memory."""

    # The type of its hours
    hour: Callable[..., Hour]

    def __init__(self, store: HourStore, number: int, timeout: float) -> None:
        """Initialize without readings."""
        self.number = number
        self.readings = 0
        self._store = store
        self._timeout = timeout

    @abstractmethod
    def add(self, times: Sequence[float], values: Sequence[float]) -> None:
        """Add readings. Ascending or descending order is the cheapest."""

    @abstractmethod
    def flush(self) -> None:
        """Write what is in memory."""

    @abstractmethod
    def compile(self) -> Iterator[Hour]:
        """Return the hours of all readings."""


class MeanHours(Hours):
    """The hours of a measurement: mean, minimum and maximum."""

    hour = MeanHour

    def __init__(self, store: HourStore, number: int, timeout: float) -> None:
        """Initialize without readings."""
        super().__init__(store, number, timeout)
        self._series = _Series(store)

    @override
    def add(self, times: Sequence[float], values: Sequence[float]) -> None:
        self.readings += len(times)
        self._series.add(times, values)

    @override
    def flush(self) -> None:
        self._series.flush()

    @override
    def compile(self) -> Iterator[MeanHour]:
        for start, periods in groupby(self._series.periods(self._timeout), _hour_of):
            _, totals, seconds, minima, maxima = zip(*periods, strict=True)
            mean = sum(map(truediv, totals, seconds)) / len(totals)
            low, high = min(minima), max(maxima)
            # Rounding must not move the mean beyond minimum or maximum.
            yield MeanHour(start, max(low, min(high, mean)), low, high)


class AngleHours(Hours):
    """The hours of angles, each of which is a vector with two coordinates."""

    hour = AngleHour

    def __init__(self, store: HourStore, number: int, timeout: float) -> None:
        """Initialize without readings."""
        super().__init__(store, number, timeout)
        self._east = _Series(store)
        self._north = _Series(store)

    @override
    def add(self, times: Sequence[float], values: Sequence[float]) -> None:
        self.readings += len(times)
        angles = list(map(radians, values))
        self._east.add(times, list(map(sin, angles)))
        self._north.add(times, list(map(cos, angles)))

    @override
    def flush(self) -> None:
        self._east.flush()
        self._north.flush()

    @override
    def compile(self) -> Iterator[AngleHour]:
        both = zip(
            self._east.periods(self._timeout),
            self._north.periods(self._timeout),
            strict=True,
        )
        for start, periods in groupby(both, lambda each: _hour_of(each[0])):
            totals = [(east[1], north[1]) for east, north in periods]
            east, north = map(sum, zip(*totals, strict=True))
            yield AngleHour(
                start, degrees(atan2(east, north)) % 360, hypot(east, north)
            )


class MeterHours(Hours):
    """The hours of a meter, which counts up and may be reset."""

    hour = MeterHour

    def __init__(self, store: HourStore, number: int, timeout: float) -> None:
        """Initialize without readings."""
        super().__init__(store, number, timeout)
        self.first_value = 0.0
        self._runs = _Runs(store, _MeterRun)
        self._run: _MeterRun | None = None

    @override
    def add(self, times: Sequence[float], values: Sequence[float]) -> None:
        self.readings += len(times)
        for time, value in zip(times, values, strict=True):
            run = _MeterRun(time, time, 1, 0.0, value, 0.0, value)
            before = self._run
            if before is None:
                self._run = run
            elif before.first // _PERIOD == time // _PERIOD and (
                not before.first < time < before.last
            ):
                self._run = (
                    before.merge(run) if time >= before.last else run.merge(before)
                )
            else:
                self._runs.add(before)
                self._run = run

    @override
    def flush(self) -> None:
        if self._run is not None:
            self._runs.add(self._run)
            self._run = None
        self._runs.flush()

    @override
    def compile(self) -> Iterator[MeterHour]:
        for start, periods in groupby(self._periods(), _hour_of):
            *_, (_, state, total) = periods
            yield MeterHour(start, state, total)

    def _periods(self) -> Iterator[tuple[float, float, float]]:
        """Return start, last value and growth of each period in which a value counts."""
        total = 0.0
        before = -inf
        value: float | None = None
        for run in self._runs.read():
            first, last, _, grown, first_value, _, last_value = run
            start = first - first % _PERIOD
            if value is None:
                self.first_value = first_value
            else:
                for carried in _carried(before, start, self._timeout):
                    yield carried, value, total
                total += growth(value, first_value)
            total += grown
            yield start, last_value, total
            before, value = last, last_value
        if value is not None:
            for carried in _carried(before, inf, self._timeout):
                yield carried, value, total


_HOURS_OF: Final[Mapping[Method, type[Hours]]] = {
    Method.MEAN: MeanHours,
    Method.ANGLE: AngleHours,
    Method.METER: MeterHours,
}


def growth(before: float, value: float) -> float:
    """Return the growth of a meter from one value to the next one."""
    return value if value < _RESET * before else value - before


class _Series:
    """Readings whose values are weighted by time."""

    def __init__(self, store: HourStore) -> None:
        self._runs = _Runs(store, _Run)
        self._run: _Run | None = None

    def add(self, times: Sequence[float], values: Sequence[float]) -> None:
        """Add readings. Ascending or descending order is the cheapest."""
        first, last, readings, area, minimum, maximum, last_value = (
            _NO_RUN if self._run is None else self._run
        )
        start = first - first % _PERIOD
        end = start + _PERIOD
        for time, value in zip(times, values, strict=True):
            if last <= time < end:
                area += last_value * (time - last)
                last = time
                last_value = value
            elif start <= time < first:
                area += value * (first - time)
                first = time
            else:
                if readings:
                    self._runs.add(
                        (first, last, readings, area, minimum, maximum, last_value)
                    )
                start = time - time % _PERIOD
                end = start + _PERIOD
                first = last = time
                area = 0.0
                readings = 1
                last_value = minimum = maximum = value
                continue
            readings += 1
            if value < minimum:
                minimum = value
            elif value > maximum:
                maximum = value
        self._run = _Run(first, last, readings, area, minimum, maximum, last_value)

    def flush(self) -> None:
        """Write what is in memory."""
        if self._run is not None:
            self._runs.add(self._run)
            self._run = None
        self._runs.flush()

    def periods(self, timeout: float) -> Iterator[_Period]:
        """Return each period in which a value counts."""
        before = value = -inf  # the time and value of the last reading
        for run in self._runs.read():
            first, last, _, area, minimum, maximum, last_value = run
            start = first - first % _PERIOD
            end = start + _PERIOD
            total = area + last_value * (end - last)
            if before < start - _PERIOD:
                for carried in _carried(before, start, timeout):
                    yield carried, value * _PERIOD, _PERIOD, value, value
            if start <= before + timeout:
                total += value * (first - start)
                yield (
                    *(start, total, _PERIOD),
                    *(min(minimum, value), max(maximum, value)),
                )
            else:
                yield start, total, end - first, minimum, maximum
            before, value = last, last_value
        for carried in _carried(before, inf, timeout):
            yield carried, value * _PERIOD, _PERIOD, value, value


class _Run(NamedTuple):
    """Readings of one period: `area` is the integral of their value over time."""

    first: float
    last: float
    readings: int
    area: float
    minimum: float
    maximum: float
    last_value: float

    def merge(self, other: Any) -> Self:
        """Return both merged; `other` does not begin earlier."""
        last = self if self.last > other.last else other
        readings = self.readings + other.readings
        if other.first >= self.last:
            area = self.area + self.last_value * (other.first - self.last) + other.area
        else:  # The order of the single readings is lost.
            mean = (self.mean * self.readings + other.mean * other.readings) / readings
            area = mean * (last.last - self.first)
        return self._replace(
            last=last.last,
            readings=readings,
            area=area,
            minimum=min(self.minimum, other.minimum),
            maximum=max(self.maximum, other.maximum),
            last_value=last.last_value,
        )

    @property
    def mean(self) -> float:
        """Return the mean from the first to the last reading."""
        if self.last == self.first:
            return self.last_value
        return self.area / (self.last - self.first)


_NO_RUN: Final = _Run(-inf, -inf, 0, 0.0, 0.0, 0.0, 0.0)


class _MeterRun(NamedTuple):
    """Readings of a meter in one period: `total` is its growth from the first one on."""

    first: float
    last: float
    readings: int
    total: float
    first_value: float
    unused: float
    last_value: float

    def merge(self, other: Any) -> Self:
        """Return both merged; `other` does not begin earlier."""
        last = self if self.last > other.last else other
        if other.first >= self.last:
            step = growth(self.last_value, other.first_value)
            total = self.total + step + other.total
        else:  # The order of the single readings is lost.
            total = growth(self.first_value, last.last_value)
        return self._replace(
            last=last.last,
            readings=self.readings + other.readings,
            total=total,
            last_value=last.last_value,
        )


class _Runs:
    """The runs of a series, written in rows and read in order of time."""

    def __init__(self, store: HourStore, run_type: type[_Run | _MeterRun]) -> None:
        self._store = store
        self._type = run_type
        self._series = store.new_series()
        self._number = 0
        # Of one hour, in order of time
        self._row: list[tuple[float, ...]] = []
        self._start = self._end = -inf

    def add(self, run: tuple[float, ...]) -> None:
        """Add a run."""
        if not self._start <= run[0] < self._end:
            self.flush()
            hour = run[0] // SECONDS_PER_HOUR * SECONDS_PER_HOUR
            self._end = hour + SECONDS_PER_HOUR
        self._row.append(run)
        self._start = run[1]

    def flush(self) -> None:
        """Write what is in memory."""
        if self._row:
            self._number += 1
            hour = int(self._row[0][0] // SECONDS_PER_HOUR)
            runs = b"".join([_RUN.pack(*run) for run in self._row])
            self._store.add_runs(self._series, hour, self._number, runs)
            self._row.clear()
            self._start = inf

    def read(self) -> Iterator[tuple[Any, ...]]:
        """Return one run for each period."""
        for _, rows in groupby(self._store.runs(self._series), itemgetter(0)):
            runs: list[tuple[Any, ...]] = []
            for _, row in rows:
                runs += _RUN.iter_unpack(row)
                if len(runs) > _MOST_RUNS:
                    runs.sort(key=itemgetter(0))
                    runs = list(_merged(runs, self._type))
            runs.sort(key=itemgetter(0))
            yield from _merged(runs, self._type)


def _hour_of(period: Sequence[float]) -> int:
    """Return the start of the hour of a period, whose first item is its start."""
    return int(period[0] // SECONDS_PER_HOUR) * SECONDS_PER_HOUR


def _carried(last: float, end: float, timeout: float) -> Iterator[float]:
    """Return the starts of the periods before `end` in which a value still counts."""
    if last == -inf:
        return
    start = last - last % _PERIOD + _PERIOD
    while start < end and start <= last + timeout:
        yield start
        start += _PERIOD


def _merged(
    runs: Iterable[tuple[Any, ...]], run_type: type[_Run | _MeterRun]
) -> Iterator[tuple[Any, ...]]:
    """Return one run for each period."""
    for _, same in groupby(runs, lambda run: run[0] // _PERIOD):
        yield reduce(lambda one, other: run_type(*one).merge(run_type(*other)), same)
