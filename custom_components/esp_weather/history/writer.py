"""Writes the hours of a file into Home Assistant's long-term statistics.

For a meter such as rain, Home Assistant stores with each hour its last value and the sum
of all growth, and shows the difference between two sums. So the sums of imported hours
continue those before them, and all later ones are shifted by the imported growth.
"""

from collections.abc import Callable, Container, Sequence
from typing import Any, Final, NamedTuple, Self, override

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from homeassistant.components.recorder import get_instance
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import session_scope
from homeassistant.util import dt as dt_util

from . import recorder
from .hours import (
    SECONDS_PER_HOUR,
    AngleHour,
    Hour,
    Hours,
    MeanHour,
    MeterHour,
    MeterHours,
    growth,
)

_LAST_PERIOD: Final = SECONDS_PER_HOUR - 300
# Smaller differences are rounding errors.
_SMALLEST: Final = 1e-6


def hour_writer(
    hass: HomeAssistant,
    metadata: recorder.StatisticMetaData,
    convert: Callable[[float], float],
    hours: Hours,
) -> HourWriter:
    """Return the writer of the hours of a sensor.

    `convert` turns the unit of the file into that of the statistics.
    """
    if isinstance(hours, MeterHours):
        return _MeterWriter(hass, metadata, convert, hours.first_value)
    return HourWriter(hass, metadata, convert)


class HourWriter:
    """Writes the hours of one sensor, in order of time.

    Its methods queue tasks of the recorder; wait for them before the next call.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        metadata: recorder.StatisticMetaData,
        convert: Callable[[float], float],
    ) -> None:
        """Initialize; see hour_writer()."""
        self._hass = hass
        self._metadata = metadata
        self._convert = convert

    async def async_write(self, hours: Sequence[Hour], new: Container[int]) -> None:
        """Write the hours of the file that start at `new`; keep the others."""
        convert = self._convert
        statistics: list[recorder.StatisticData] = []
        for hour in hours:
            if hour.start not in new:
                continue
            statistic = recorder.StatisticData(
                start=dt_util.utc_from_timestamp(hour.start)
            )
            if isinstance(hour, MeanHour):
                statistic["mean"] = convert(hour.mean)
                statistic["min"] = convert(hour.minimum)
                statistic["max"] = convert(hour.maximum)
            else:
                assert isinstance(hour, AngleHour)
                statistic["mean"] = hour.mean
                statistic["mean_weight"] = hour.weight
            statistics.append(statistic)
        if statistics:
            recorder.async_import_statistics(self._hass, self._metadata, statistics)

    async def async_end(self) -> None:
        """Finish after the last hour."""


class _Row(NamedTuple):
    """A statistic of a meter: its start, the last value, and the sum of all growth."""

    start: int
    state: float
    sum: float

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """Return a statistic from the database."""
        return cls(int(row[0]), row[1], row[2])


class _MeterWriter(HourWriter):
    """Writes the hours of a meter."""

    def __init__(
        self,
        hass: HomeAssistant,
        metadata: recorder.StatisticMetaData,
        convert: Callable[[float], float],
        first_value: float,
    ) -> None:
        super().__init__(hass, metadata, convert)
        self._first = convert(first_value)
        # The last value so far, and the growth since the first one of the file
        self._state: float | None = None
        self._total = 0.0
        # The sum at the start of that growth
        self._offset = 0.0
        # The newest imported hour, unless one that stays came after it
        self._imported: _Row | None = None
        self._end: int | None = None

    @override
    async def async_write(self, hours: Sequence[Hour], new: Container[int]) -> None:
        begin, self._end = self._end, hours[-1].start + SECONDS_PER_HOUR
        rows = await self._async_run(self._between, begin, hours[0].start, self._end)
        in_file = {hour.start: hour for hour in hours if isinstance(hour, MeterHour)}
        stored = {
            row.start: row
            for row in rows
            if row.start not in in_file or row.start not in new
        }
        # The rows were read before the sums of any of them are shifted.
        shift = 0.0
        statistics = []
        for start in sorted(in_file.keys() | stored.keys()):
            row = stored.get(start)
            if (hour := in_file.get(start)) is not None:
                self._state = self._convert(hour.state)
                self._total = self._convert(hour.total)
                if row is None:
                    total = self._total + self._offset
                    self._imported = _Row(start, self._state, total)
                    statistics.append(_statistic(self._imported))
                    continue
            else:
                row = stored[start]
                self._take_other(row)
            shift += self._join(row._replace(sum=row.sum + shift))
        if statistics:
            recorder.async_import_statistics(self._hass, self._metadata, statistics)

    @override
    async def async_end(self) -> None:
        """Make the statistics after the last imported hour continue it."""
        if (last := self._imported) is None:
            return
        assert self._end is not None
        if (row := await self._async_run(self._next, self._end)) is not None:
            self._take_other(row)
            self._join(row)
            return
        # Home Assistant continues the newest 5-minute statistic.
        last = last._replace(start=last.start + _LAST_PERIOD)
        get_instance(self._hass).async_import_statistics(
            self._metadata, [_statistic(last)], recorder.StatisticsShortTerm
        )

    def _take_other(self, row: _Row) -> None:
        """Take the value of a stored hour that the file does not have."""
        if self._state is None:  # before the first one of the file
            self._state, self._total = self._first, -growth(row.state, self._first)
        else:
            self._total += growth(self._state, row.state)
            self._state = row.state

    def _join(self, row: _Row) -> float:
        """Continue a stored statistic, or shift it and later ones to continue the file.

        Returns by how much they are shifted.
        """
        if self._imported is None:
            self._offset = row.sum - self._total
            return 0.0
        self._imported = None
        difference = self._total + self._offset - row.sum
        if abs(difference) < _SMALLEST:
            return 0.0
        get_instance(self._hass).async_adjust_statistics(
            self._metadata["statistic_id"],
            dt_util.utc_from_timestamp(row.start),
            difference,
            self._metadata["unit_of_measurement"] or "",
        )
        return difference

    async def _async_run[T, *Ts](
        self, query: Callable[[Session, *Ts], T], *args: *Ts
    ) -> T:
        def run() -> T:
            with session_scope(hass=self._hass, read_only=True) as session:
                return query(session, *args)

        return await get_instance(self._hass).async_add_executor_job(run)

    def _between(
        self, session: Session, begin: int | None, first: int, end: int
    ) -> list[_Row]:
        """Return the hours from `begin` until `end`, or from the last one before `first`."""
        table = recorder.Statistics
        query = self._query(table)
        rows = []
        if begin is None:
            before = query.where(table.start_ts < first).order_by(table.start_ts.desc())
            rows = list(session.execute(before.limit(1)))
            begin = first
        during = query.where(table.start_ts >= begin, table.start_ts < end)
        return list(map(_Row.of, [*rows, *session.execute(during)]))

    def _next(self, session: Session, start: int) -> _Row | None:
        """Return the first statistic from `start` on, of an hour or of 5 minutes."""
        for table in (recorder.Statistics, recorder.StatisticsShortTerm):
            query = self._query(table).where(table.start_ts >= start)
            if row := session.execute(query.order_by(table.start_ts).limit(1)).first():
                return _Row.of(row)
        return None

    def _query(
        self, table: type[recorder.Statistics | recorder.StatisticsShortTerm]
    ) -> Select[Any]:
        meta = recorder.StatisticsMeta
        return (
            select(table.start_ts, table.state, table.sum)
            .join(meta, table.metadata_id == meta.id)
            .where(
                meta.statistic_id == self._metadata["statistic_id"],
                table.sum.is_not(None),
                table.state.is_not(None),
            )
        )


def _statistic(row: _Row) -> recorder.StatisticData:
    return recorder.StatisticData(
        start=dt_util.utc_from_timestamp(row.start), state=row.state, sum=row.sum
    )
