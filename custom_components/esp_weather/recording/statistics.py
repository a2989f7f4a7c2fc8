"""Recomputes past statistics as if backfilled readings had arrived in time.

Runs in the recorder's thread. Periods are those of 5 minutes, numbered since 1970.
"""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
import json
from math import inf
from statistics import fmean
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.orm import Session

from homeassistant.components.sensor import ATTR_STATE_CLASS, SensorStateClass
from homeassistant.const import (
    ATTR_UNIT_OF_MEASUREMENT,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from .recorder_internals import (
    RECORDER_DOMAIN,
    STATISTIC_UNIT_TO_UNIT_CONVERTER,
    Recorder,
    StateAttributes,
    States,
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
    Statistics,
    StatisticsMeta,
    StatisticsRuns,
    StatisticsShortTerm,
    get_metadata_with_session,
    import_statistics,
    retryable_database_job,
    session_scope,
    weighted_circular_mean,
)

PERIOD: Final = 300  # seconds
_HOUR: Final = 3600  # seconds
_LAST_OF_HOUR: Final = _HOUR // PERIOD - 1

# The statistics that the sensor integration compiles for a state class
_MEANS: Final[Mapping[str, StatisticMeanType]] = {
    SensorStateClass.MEASUREMENT: StatisticMeanType.ARITHMETIC,
    SensorStateClass.MEASUREMENT_ANGLE: StatisticMeanType.CIRCULAR,
    SensorStateClass.TOTAL_INCREASING: StatisticMeanType.NONE,
}
# A meter that drops below this share of its last value has been reset.
_RESET: Final = 0.9


class _Point(NamedTuple):
    """A state: when it was written, its number if it has one, and until when it counts."""

    time: float
    value: float | None
    until: float


def period_of(timestamp: float) -> int:
    """Return the period that a time lies in, in seconds since 1970."""
    return int(timestamp // PERIOD)


def first_kept(keep_days: int, now: datetime) -> datetime:
    """Return the start of the first hour of which nothing has been purged."""
    kept = (now - timedelta(days=keep_days)).timestamp()
    return dt_util.utc_from_timestamp((kept // _HOUR + 1) * _HOUR)


@retryable_database_job("correct statistics")
def correct(
    recorder: Recorder, *, entity_id: str, periods: Collection[int], lifetime: float
) -> bool:
    """Correct an entity's statistics for readings that were added in these periods.

    Periods that the recorder has not compiled yet are left to it.
    Returns False if the database wants this tried again.
    """
    with session_scope(session=recorder.get_session()) as session:
        last = _last_compiled(session)
        first = 0
        if recorder.auto_purge:
            kept = first_kept(recorder.keep_days, dt_util.utcnow())
            first = period_of(kept.timestamp())
        periods = sorted(each for each in periods if first <= each <= last)
        metadata_id = recorder.states_meta_manager.get(entity_id, session, True)
        if not periods or metadata_id is None:
            return True
        history = _History(recorder, session, entity_id, metadata_id, lifetime)
        if (metadata := history.load(periods[0], periods[-1])) is None:
            return True
        touched = history.touched(periods, last)
        if metadata["has_sum"]:
            short_term = _write_sums(session, entity_id, history.points, touched)
        else:
            short_term = [
                statistic
                for period in touched
                if (statistic := _mean(history.points, period, metadata["mean_type"]))
            ]
    if not import_statistics(recorder, metadata, short_term, StatisticsShortTerm):
        return False
    with session_scope(session=recorder.get_session(), read_only=True) as session:
        hourly = [
            statistic
            for hour in sorted({period * PERIOD // _HOUR * _HOUR for period in touched})
            if hour // PERIOD + _LAST_OF_HOUR <= last
            and (statistic := _hourly(session, entity_id, hour, metadata))
        ]
    return import_statistics(recorder, metadata, hourly, Statistics)


def _last_compiled(session: Session) -> int:
    """Return the newest period that the recorder has compiled, -1 if there is none."""
    start = session.scalar(select(func.max(StatisticsRuns.start)))
    if start is None:
        return -1
    # MySQL and SQLite return the time without a time zone.
    return period_of(start.replace(tzinfo=dt_util.UTC).timestamp())


class _History:
    """The states of an entity around some periods, as numbers in the statistics' unit."""

    def __init__(
        self,
        recorder: Recorder,
        session: Session,
        entity_id: str,
        metadata_id: int,
        lifetime: float,
    ) -> None:
        """Initialize with the entity; nothing is read yet."""
        self.points: list[_Point] = []
        self._recorder = recorder
        self._session = session
        self._entity_id = entity_id
        self._metadata_id = metadata_id
        self._lifetime = lifetime or inf
        self._has_sum = False

    def load(self, first: int, last: int) -> StatisticMetaData | None:
        """Read the states; return the kind of statistics, None if there are none."""
        time = States.last_updated_ts
        start, end = first * PERIOD, (last + 1) * PERIOD
        # The whole period of the next reading: a meter's sum grows up to that, however
        # long the sensor is unavailable before.
        following = self._states().where(
            time >= end, States.state.not_in((STATE_UNAVAILABLE, STATE_UNKNOWN))
        )
        if row := self._session.execute(following.order_by(time).limit(1)).first():
            end = (period_of(row.last_updated_ts) + 1) * PERIOD
        before = self._states().where(time < start).order_by(time.desc()).limit(1)
        during = self._states().where(time >= start, time < end)
        rows: list[Row[Any]] = []
        for query in before, during.order_by(time, States.state_id):
            rows += self._session.execute(query)
        attributes = self._attributes({row.attributes_id for row in rows})
        metadata = self._metadata(
            next((each for each in reversed(attributes.values()) if each), {})
        )
        if metadata is None:
            return None
        unit = metadata["unit_of_measurement"]
        if metadata["has_sum"]:
            self._has_sum = True
            # A meter keeps its value while its sensor is unavailable.
            self._lifetime = inf
        times = [*(row.last_updated_ts for row in rows), inf]
        for row, (moment, until) in zip(rows, pairwise(times), strict=True):
            units = attributes[row.attributes_id].get(ATTR_UNIT_OF_MEASUREMENT)
            self.points.append(
                _Point(
                    moment,
                    _number(row.state, units, unit),
                    min(until, moment + self._lifetime),
                )
            )
        return metadata

    def touched(self, periods: Sequence[int], last: int) -> list[int]:
        """Return all periods whose statistics the readings in `periods` affect.

        A reading counts until the next state or until the inactivity timeout makes it no
        longer the state; the next reading of a meter counts from it.
        """
        touched = set(periods)
        if self._has_sum:
            # Up to the next reading, whose difference has changed
            final = period_of(self.points[-1].time)
            return list(range(periods[0], min(final, last) + 1))
        for period in periods:
            end = bisect_left(self.points, (period + 1.0) * PERIOD, key=_time)
            if end:
                newest = self.points[end - 1]
                until = min(newest.until, (last + 1) * PERIOD)
                touched.update(range(period, int(-(-until // PERIOD))))
        return sorted(each for each in touched if each <= last)

    def _states(self) -> Select[Any]:
        return select(States.state, States.last_updated_ts, States.attributes_id).where(
            States.metadata_id == self._metadata_id
        )

    def _attributes(self, ids: set[int | None]) -> dict[int | None, dict[str, Any]]:
        query = select(StateAttributes.attributes_id, StateAttributes.shared_attrs)
        found = self._session.execute(
            query.where(StateAttributes.attributes_id.in_(ids - {None}))
        )
        return {each: {} for each in ids} | {
            attributes_id: json.loads(content) for attributes_id, content in found
        }

    def _metadata(self, attributes: Mapping[str, Any]) -> StatisticMetaData | None:
        """Return the metadata, in the form that the recorder creates if there is none yet."""
        found = get_metadata_with_session(
            self._recorder, self._session, statistic_ids={self._entity_id}
        )
        if self._entity_id in found:
            return found[self._entity_id][1]
        mean_type = _MEANS.get(attributes.get(ATTR_STATE_CLASS, ""))
        if mean_type is None:
            return None
        unit = attributes.get(ATTR_UNIT_OF_MEASUREMENT)
        converter = STATISTIC_UNIT_TO_UNIT_CONVERTER.get(unit)
        return StatisticMetaData(
            mean_type=mean_type,
            has_sum=mean_type is StatisticMeanType.NONE,
            name=None,
            source=RECORDER_DOMAIN,
            statistic_id=self._entity_id,
            unit_class=None if converter is None else converter.UNIT_CLASS,
            unit_of_measurement=unit,
        )


def _number(
    state: str | None, unit: str | None, statistics_unit: str | None
) -> float | None:
    """Return a state in the statistics' unit, None if it cannot be converted to that."""
    with suppress(TypeError, ValueError, KeyError, HomeAssistantError):
        value = float(state)  # type: ignore[arg-type]  # None is a TypeError
        if unit == statistics_unit:
            return value
        return STATISTIC_UNIT_TO_UNIT_CONVERTER[unit].convert(
            value, unit, statistics_unit
        )
    return None


def _values(points: Sequence[_Point], period: int) -> list[tuple[float, float]]:
    """Return the numbers of a period and from when they count, as the recorder does.

    A value counts until the next one, so the last one before the period counts
    as the first in it, unless the sensor was unavailable by then.
    """
    start, end = float(period * PERIOD), (period + 1.0) * PERIOD
    first = bisect_left(points, start, key=_time)
    last = bisect_left(points, end, key=_time)
    before = [each for each in points[max(0, first - 1) : first] if each.until >= start]
    return [
        (max(each.time, start), each.value)
        for each in [*before, *points[first:last]]
        if each.value is not None
    ]


def _mean(
    points: Sequence[_Point], period: int, mean_type: StatisticMeanType
) -> StatisticData | None:
    """Return a period's statistic, whose mean is weighted by time."""
    if not (values := _values(points, period)):
        return None
    end = float((period + 1) * PERIOD)
    numbers = [value for _, value in values]
    weighted = [
        (value, until - since)
        for (since, value), (until, _) in pairwise([*values, (end, 0.0)])
    ]
    statistic = StatisticData(start=_start(period))
    if mean_type is StatisticMeanType.CIRCULAR:
        mean, statistic["mean_weight"] = weighted_circular_mean(weighted)
        statistic["mean"] = mean
    else:
        total = sum(value * seconds for value, seconds in weighted)
        statistic["mean"] = total / (end - values[0][0])
        statistic["min"], statistic["max"] = min(numbers), max(numbers)
    return statistic


def _write_sums(
    session: Session, entity_id: str, points: Sequence[_Point], periods: Sequence[int]
) -> list[StatisticData]:
    """Return the sum of each period, and correct all later sums by the difference.

    Stored sums are overwritten in one transaction: a second run
    finds no difference.
    """
    state: float | None = None
    total = 0.0
    if before := _stored_sum(session, entity_id, periods[0] - 1):
        state, total = before.state, before.sum or 0.0
    statistics: list[StatisticData] = []
    for period in periods:
        if not (values := _values(points, period)):
            continue
        for _, value in values:
            if state is not None:
                total += value - (0.0 if value < _RESET * state else state)
            state = value
        statistics.append(
            StatisticData(start=_start(period), state=values[-1][1], sum=total)
        )
    if (stored := _stored_sum(session, entity_id, periods[-1])) is None:
        return statistics
    metadata_id, difference = stored.metadata_id, total - (stored.sum or 0.0)
    for statistic in statistics:
        session.execute(
            update(StatisticsShortTerm)
            .where(
                StatisticsShortTerm.metadata_id == metadata_id,
                StatisticsShortTerm.start_ts == statistic["start"].timestamp(),
            )
            .values(state=statistic["state"], sum=statistic["sum"])
        )
    last = periods[-1] * PERIOD
    for table, start in (
        (StatisticsShortTerm, last),
        (Statistics, last // _HOUR * _HOUR),
    ):
        session.execute(
            update(table)
            .where(table.metadata_id == metadata_id, table.start_ts > start)
            .values(sum=table.sum + difference)
        )
    return statistics


def _stored_sum(
    session: Session, entity_id: str, last: int
) -> StatisticsShortTerm | None:
    """Return the newest sum of the periods up to `last`."""
    table = StatisticsShortTerm
    return session.scalar(
        select(table)
        .join(StatisticsMeta, table.metadata_id == StatisticsMeta.id)
        .where(
            StatisticsMeta.statistic_id == entity_id,
            table.start_ts <= last * PERIOD,
            table.sum.is_not(None),
        )
        .order_by(table.start_ts.desc())
        .limit(1)
    )


def _hourly(
    session: Session, entity_id: str, hour: int, metadata: StatisticMetaData
) -> StatisticData | None:
    """Return the statistic of an hour, summed up from those of its 5 minutes."""
    table = StatisticsShortTerm
    rows = session.execute(
        select(table)
        .join(StatisticsMeta, table.metadata_id == StatisticsMeta.id)
        .where(
            StatisticsMeta.statistic_id == entity_id,
            table.start_ts >= hour,
            table.start_ts < hour + _HOUR,
        )
        .order_by(table.start_ts)
    )
    if not (periods := list(rows.scalars())):
        return None
    statistic = StatisticData(start=dt_util.utc_from_timestamp(hour))
    if metadata["has_sum"]:
        statistic["state"] = periods[-1].state or 0.0
        statistic["sum"] = periods[-1].sum or 0.0
    elif metadata["mean_type"] is StatisticMeanType.CIRCULAR:
        statistic["mean"], statistic["mean_weight"] = weighted_circular_mean(
            (each.mean or 0.0, each.mean_weight or 0.0) for each in periods
        )
    else:
        statistic["mean"] = fmean(each.mean or 0.0 for each in periods)
        statistic["min"] = min(each.min or 0.0 for each in periods)
        statistic["max"] = max(each.max or 0.0 for each in periods)
    return statistic


def _start(period: int) -> datetime:
    return dt_util.utc_from_timestamp(period * PERIOD)


def _time(point: _Point) -> float:
    return point.time
