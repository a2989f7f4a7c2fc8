"""Computes the hourly statistics that Home Assistant would have compiled of readings.

Home Assistant (homeassistant/components/sensor/recorder.py) weights each value by the
time until the next one, in periods of 5 minutes. A value counts in each period that
begins before its sensor becomes unavailable, which it does a moment after the inactivity
timeout. An hour is the mean of its periods.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from math import inf
import sqlite3
from typing import Final, NamedTuple, Self

from .errors import StoppedError

SECONDS_PER_HOUR: Final = 3600

_PERIOD: Final = 300.0
_RUNS_AT_ONCE: Final = 1_000
_HOURS_AT_ONCE: Final = 1_000
_CACHE_KIB: Final = 8_000
# Even without an inactivity timeout, a value does not count for years.
_MAX_CARRY: Final = 24 * 3600.0

# Each run covers one period. Readings out of order in the file are in order here, and
# those in order take one row per period.
_CREATE: Final = f"""
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE runs (
    series INTEGER, first REAL, number INTEGER, last REAL, readings INTEGER, area REAL,
    minimum REAL, maximum REAL, last_value REAL,
    PRIMARY KEY (series, first, number)
) WITHOUT ROWID;
CREATE TABLE hours (
    series INTEGER, hour INTEGER, mean REAL, minimum REAL, maximum REAL,
    PRIMARY KEY (series, hour)
) WITHOUT ROWID;
"""
_ADD_RUN: Final = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_HOUR: Final = "INSERT INTO hours VALUES (?, ?, ?, ?, ?)"
_RUNS: Final = """
SELECT first, last, readings, area, minimum, maximum, last_value
FROM runs WHERE series = ? ORDER BY first, number
"""
_HOURS: Final = """
SELECT hour, mean, minimum, maximum FROM hours WHERE series = ? ORDER BY hour
"""
_SPAN: Final = "SELECT count(*), min(hour), max(hour) FROM hours WHERE series = ?"


class Hour(NamedTuple):
    """The statistics of the hour that begins `start` seconds after 1970."""

    start: int
    mean: float
    minimum: float
    maximum: float


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
        self._runs: list[tuple[float, ...]] = []
        self._all: list[Hours] = []

    def close(self) -> None:
        """Delete everything."""
        self._database.close()

    def hours(self, timeout: float) -> Hours:
        """Add a sensor whose inactivity timeout is `timeout` seconds; return its hours."""
        hours = Hours(self, len(self._all), timeout or _MAX_CARRY)
        self._all.append(hours)
        return hours

    def compile(self, end: float, is_stopped: Callable[[], bool]) -> None:
        """Compute the hours before `end`, once all readings are added.

        Raises StoppedError when `is_stopped` says so.
        """
        for hours in self._all:
            hours.flush()
        self._write_runs()
        for hours in self._all:
            runs = map(_Run._make, self._database.execute(_RUNS, [hours.number]))
            for lot in batched(_hours(runs, hours.timeout), _HOURS_AT_ONCE):
                self._database.executemany(
                    _ADD_HOUR,
                    (
                        (hours.number, *hour)
                        for hour in lot
                        if hour.start + SECONDS_PER_HOUR <= end
                    ),
                )
                if is_stopped():
                    raise StoppedError
        self._database.execute("DELETE FROM runs")

    def read(self, hours: Hours) -> Iterator[Hour]:
        """Return the hours of a sensor, the first one first."""
        return map(Hour._make, self._database.execute(_HOURS, [hours.number]))

    def span(self, hours: Hours) -> Span:
        """Return the span of the hours of a sensor."""
        number, first, last = self._database.execute(_SPAN, [hours.number]).fetchone()
        return Span(number, first or 0, last or 0)

    def add_run(self, *run: float) -> None:
        """Add the readings of a part of a period."""
        self._runs.append(run)
        if len(self._runs) >= _RUNS_AT_ONCE:
            self._write_runs()

    def _write_runs(self) -> None:
        self._database.executemany(_ADD_RUN, self._runs)
        self._runs.clear()


class Hours:
    """Collects the readings of one sensor, with one period at a time in memory."""

    def __init__(self, store: HourStore, number: int, timeout: float) -> None:
        """Initialize without readings."""
        self.number = number
        self.timeout = timeout
        self._store = store
        self.readings = 0
        self._runs = 0
        self._run: _Run | None = None

    def add(self, times: Sequence[float], values: Sequence[float]) -> None:
        """Add readings. Ascending or descending order is the cheapest."""
        self.readings += len(times)
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
                    self._add_run(
                        *(first, last, readings, area, minimum, maximum, last_value)
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
            self._add_run(*self._run)
            self._run = None

    def _add_run(self, first: float, *others: float) -> None:
        self._runs += 1
        self._store.add_run(self.number, first, self._runs, *others)


class _Run(NamedTuple):
    """Readings of one period: `area` is the integral of their value over time."""

    first: float
    last: float
    readings: int
    area: float
    minimum: float
    maximum: float
    last_value: float

    def merge(self, other: Self) -> Self:
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


@dataclass(slots=True)
class _Periods:
    """The periods of one hour."""

    start: int
    number: int = 0
    total: float = 0.0
    minimum: float = inf
    maximum: float = -inf

    def add(self, mean: float, minimum: float, maximum: float) -> None:
        self.number += 1
        self.total += mean
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)

    def hour(self) -> Hour:
        mean = self.total / self.number
        # Rounding must not move the mean beyond minimum or maximum.
        mean = max(self.minimum, min(self.maximum, mean))
        return Hour(self.start, mean, self.minimum, self.maximum)


def _hours(runs: Iterator[_Run], timeout: float) -> Iterator[Hour]:
    """Return the hours of a series from its runs in order of time."""
    periods: _Periods | None = None
    for start, mean, minimum, maximum in _period_statistics(runs, timeout):
        hour = int(start // SECONDS_PER_HOUR) * SECONDS_PER_HOUR
        if periods is None or periods.start != hour:
            if periods is not None:
                yield periods.hour()
            periods = _Periods(hour)
        periods.add(mean, minimum, maximum)
    if periods is not None:
        yield periods.hour()


def _period_statistics(
    runs: Iterator[_Run], timeout: float
) -> Iterator[tuple[float, float, float, float]]:
    """Return start, mean, minimum and maximum of each period in which a value counts."""
    before: _Run | None = None
    for run in _merged(runs):
        start = run.first - run.first % _PERIOD
        end = start + _PERIOD
        if before is not None:
            yield from _carried(before, start, timeout)
        total = run.area + run.last_value * (end - run.last)
        if before is not None and start <= before.last + timeout:
            value = before.last_value
            yield (
                start,
                (total + value * (run.first - start)) / _PERIOD,
                min(run.minimum, value),
                max(run.maximum, value),
            )
        else:
            yield start, total / (end - run.first), run.minimum, run.maximum
        before = run
    if before is not None:
        yield from _carried(before, inf, timeout)


def _carried(
    run: _Run, end: float, timeout: float
) -> Iterator[tuple[float, float, float, float]]:
    """Return the periods after a run, until `end`, in which its last value counts."""
    value = run.last_value
    start = run.last - run.last % _PERIOD + _PERIOD
    while start < end and start <= run.last + timeout:
        yield start, value, value, value
        start += _PERIOD


def _merged(runs: Iterator[_Run]) -> Iterator[_Run]:
    """Return one run for each period."""
    merged: _Run | None = None
    for run in runs:
        if merged is None:
            merged = run
        elif merged.first // _PERIOD == run.first // _PERIOD:
            merged = merged.merge(run)
        else:
            yield merged
            merged = run
    if merged is not None:
        yield merged
