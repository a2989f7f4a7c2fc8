"""States of the past: what a station measured while Home Assistant could not hear it.

Home Assistant has no public way to record a state with an earlier time. What this
needs of the recorder's insides is used in this file only: tests/test_backfill.py
and tests/e2e fail when it changes. The rows go through the recorder's own queue,
thread and session, so that nothing else writes into its database.
"""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple, override

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.const import DOMAIN as RECORDER_DOMAIN
from homeassistant.components.recorder.db_schema import (
    States,
    Statistics,
    StatisticsMeta,
    StatisticsRuns,
    StatisticsShortTerm,
)
from homeassistant.components.recorder.history import state_changes_during_period
from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
    process_timestamp,
)
from homeassistant.components.recorder.statistics import (
    STATISTIC_UNIT_TO_UNIT_CONVERTER,
    get_metadata,
    import_statistics,
)
from homeassistant.components.recorder.tasks import RecorderTask
from homeassistant.components.recorder.util import (
    database_job_retry_wrapper,
    retryable_database_job,
)
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, EVENT_STATE_CHANGED
from homeassistant.core import Event, HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.recorder import session_scope
from homeassistant.util import dt as dt_util
from homeassistant.util.ulid import ulid_to_bytes

# How far the times of a measurement that was sent twice may lie apart: they are
# reckoned back from when each report came, which may have been slow on its way.
SAME_MEASUREMENT: Final = timedelta(seconds=5)
# A database may round a time of day to 15 digits.
SAME_TIME: Final = timedelta(microseconds=10)

_SHORT_TERM: Final = StatisticsShortTerm.duration
_HOUR: Final = Statistics.duration


class Entry(NamedTuple):
    """A state that shall be recorded.

    It counts as recorded when the entity has a row with the same value whose time
    differs by no more than `within`. The entity may have another ID by now than
    the state says.
    """

    entity_id: str
    state: State
    within: timedelta = SAME_TIME


@callback
def async_record(recorder: Recorder, entries: Sequence[Entry]) -> asyncio.Future[bool]:
    """Have states recorded with the time that they have, unless they are already.

    Where a state has to be added, the statistics of its entity are put right. What
    the user does not want recorded is left out. Returns in the future whether all
    is in the database now; it is not if the recorder has failed.
    """
    task = _RecordTask(entries)
    recorder.queue_task(task)
    recorded = recorder.hass.loop.create_future()
    recorder.queue_task(_ReportTask(task, recorded))
    return recorded


@dataclass(slots=True)
class _RecordTask(RecorderTask):
    """Runs in the recorder's thread, after what was queued before is committed.

    When that cannot be committed, the recorder drops it, and this task with it.
    """

    # The recorder logs the task when it has failed, which is no place for thousands.
    entries: Sequence[Entry] = field(repr=False)
    recorded: bool = False

    @override
    def run(self, instance: Recorder) -> None:
        """Add the states that are missing."""
        by_entity: defaultdict[str, list[Entry]] = defaultdict(list)
        if instance.enabled:
            for entry in self.entries:
                by_entity[entry.entity_id].append(entry)
        for entity_id, entries in by_entity.items():
            if not instance.entity_filter or instance.entity_filter(entity_id):
                _record(instance, entity_id, entries)
        self.recorded = True


@dataclass(slots=True)
class _ReportTask(RecorderTask):
    """Tells the event loop what became of the task before it."""

    commit_before = False

    task: _RecordTask
    recorded: asyncio.Future[bool]

    @override
    def run(self, instance: Recorder) -> None:
        """Tell it."""
        instance.hass.loop.call_soon_threadsafe(self._set_result)

    def _set_result(self) -> None:
        # Nobody waits any more when Home Assistant stops.
        with suppress(asyncio.InvalidStateError):
            self.recorded.set_result(self.task.recorded)


@dataclass(slots=True)
class _StatisticsTask(RecorderTask):
    """Corrects statistics after what was queued before is committed."""

    entity_id: str
    first: datetime

    @override
    def run(self, instance: Recorder) -> None:
        """Correct the statistics; try again if told to."""
        if not _correct_statistics(instance, self.entity_id, self.first):
            instance.queue_task(self)


def _record(instance: Recorder, entity_id: str, entries: list[Entry]) -> None:
    """Add the states of an entity that are missing. Raises if that cannot be done."""
    entries.sort(key=lambda entry: entry.state.last_updated)
    if (missing := _insert_missing(instance, entity_id, entries)) is None:
        # The recorder makes what else it needs of a new entity from events only.
        missing = [entry.state for entry in entries]
        for state in missing:
            instance._process_one_event(_event(entity_id, state))  # noqa: SLF001
        instance._commit_event_session_or_retry()  # noqa: SLF001
    if missing:
        instance.queue_task(_StatisticsTask(entity_id, missing[0].last_updated))


def _event(entity_id: str, state: State) -> Event[Any]:
    return Event(
        EVENT_STATE_CHANGED,
        {"entity_id": entity_id, "old_state": None, "new_state": state},
        time_fired_timestamp=state.last_updated_timestamp,
        context=state.context,
    )


# Raises what it cannot try again: the recorder has failed.
@database_job_retry_wrapper("insert states of the past", 3)
def _insert_missing(
    instance: Recorder, entity_id: str, entries: Sequence[Entry]
) -> list[State] | None:
    """Insert those states of an entity that are missing, and return them.

    Returns None, and inserts nothing, if the database does not know the entity.
    """
    with session_scope(session=instance.get_session()) as session:
        metadata_id = instance.states_meta_manager.get(entity_id, session, True)
        if metadata_id is None:
            return None
        if not (missing := _missing(session, metadata_id, entries)):
            return missing
        attributes_id = session.scalar(
            select(States.attributes_id)
            .where(States.metadata_id == metadata_id)
            .order_by(States.last_updated_ts.desc())
            .limit(1)
        )
        session.add_all(
            States(
                state=state.state,
                last_updated_ts=state.last_updated_timestamp,
                metadata_id=metadata_id,
                attributes_id=attributes_id,
                context_id_bin=ulid_to_bytes(state.context.id),
                origin_idx=0,
            )
            for state in missing
        )
        session.flush()
        # The history asks nothing of the database from before its oldest state.
        instance.states_manager.load_from_db(session)
    return missing


def _missing(
    session: Session, metadata_id: int, entries: Sequence[Entry]
) -> list[State]:
    """Return those of an entity's states, the oldest first, that are not recorded."""
    margin = max(entry.within for entry in entries).total_seconds()
    query = select(States.state, States.last_updated_ts).where(
        States.metadata_id == metadata_id,
        States.last_updated_ts.between(
            entries[0].state.last_updated_timestamp - margin,
            entries[-1].state.last_updated_timestamp + margin,
        ),
    )
    times: defaultdict[str | None, list[float]] = defaultdict(list)
    for state, time in session.execute(query.order_by(States.last_updated_ts)):
        times[state].append(time)

    def is_recorded(entry: Entry) -> bool:
        time = entry.state.last_updated_timestamp
        within = entry.within.total_seconds()
        known = times[entry.state.state]
        nearest = bisect_left(known, time - within)
        return nearest < len(known) and known[nearest] <= time + within

    return [entry.state for entry in entries if not is_recorded(entry)]


@retryable_database_job("correct statistics")
def _correct_statistics(instance: Recorder, entity_id: str, first: datetime) -> bool:
    """Make the statistics since `first` what they would be had the states been there.

    What the recorder has not compiled yet, it will compile from the states itself.
    """
    hass = instance.hass
    kept = dt_util.utcnow() - timedelta(days=instance.keep_days)
    start = max(_floor(first, _SHORT_TERM), _floor(kept, _HOUR) + _HOUR)
    states = state_changes_during_period(hass, start, entity_id=entity_id)
    last = _last_compiled(instance)
    if not states or last is None:
        return True
    metadata = _metadata(hass, states[entity_id][-1])
    values = _values(states[entity_id], metadata["unit_of_measurement"])
    # The recorder makes no statistics either of what is of another quantity.
    if not values or _time(values[-1]) < first:
        return True
    # What there was before may have been purged since.
    start = max(start, _floor(_time(values[0]), _SHORT_TERM))
    periods = [
        start + number * _SHORT_TERM
        for number in range((last - start) // _SHORT_TERM + 1)
    ]
    return import_statistics(
        instance,
        metadata,
        [_statistic(values, period, period + _SHORT_TERM) for period in periods],
        StatisticsShortTerm,
    ) and import_statistics(
        instance,
        metadata,
        [
            _hourly_statistic(instance, entity_id, hour)
            for period in periods
            if (hour := _floor(period, _HOUR)) + _HOUR == period + _SHORT_TERM
        ],
        Statistics,
    )


def _last_compiled(instance: Recorder) -> datetime | None:
    """Return the start of the newest 5 minutes that the recorder has compiled."""
    with session_scope(session=instance.get_session(), read_only=True) as session:
        return process_timestamp(session.scalar(select(func.max(StatisticsRuns.start))))


def _metadata(hass: HomeAssistant, state: State) -> StatisticMetaData:
    """Return the statistics' metadata, as the recorder will make it if it has not."""
    found = get_metadata(hass, statistic_ids={state.entity_id})
    if state.entity_id in found:
        return found[state.entity_id][1]
    unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    converter = STATISTIC_UNIT_TO_UNIT_CONVERTER.get(unit)
    return StatisticMetaData(
        mean_type=StatisticMeanType.ARITHMETIC,
        has_sum=False,
        name=None,
        source=RECORDER_DOMAIN,
        statistic_id=state.entity_id,
        unit_class=None if converter is None else converter.UNIT_CLASS,
        unit_of_measurement=unit,
    )


def _values(states: Iterable[State], unit: str | None) -> list[tuple[datetime, float]]:
    """Return the states that are numbers with their times, in the statistics' unit."""
    values: list[tuple[datetime, float]] = []
    for state in states:
        # Unknown and unavailable are no numbers, and not all units can be converted.
        with suppress(ValueError, KeyError, HomeAssistantError):
            values.append((state.last_updated, _value(state, unit)))
    return values


def _value(state: State, unit: str | None) -> float:
    value = float(state.state)
    state_unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    if state_unit == unit:
        return value
    return STATISTIC_UNIT_TO_UNIT_CONVERTER[state_unit].convert(value, state_unit, unit)


def _statistic(
    values: Sequence[tuple[datetime, float]], start: datetime, end: datetime
) -> StatisticData:
    """Return the statistic of a period, reckoned as the recorder does.

    The mean is weighted by time. A value counts until the next one, and so the
    last one before the period counts as the first in it.
    """
    first = bisect_left(values, start, key=_time)
    last = bisect_left(values, end, key=_time)
    points = [
        (max(time, start), value) for time, value in values[max(0, first - 1) : last]
    ]
    total = sum(
        value * (until - since).total_seconds()
        for (since, value), (until, _) in pairwise([*points, (end, 0.0)])
    )
    numbers = [value for _, value in points]
    return StatisticData(
        start=start,
        mean=total / (end - points[0][0]).total_seconds(),
        min=min(numbers),
        max=max(numbers),
    )


def _hourly_statistic(
    instance: Recorder, entity_id: str, hour: datetime
) -> StatisticData:
    """Return the statistic of an hour, summed up from those of its 5 minutes."""
    with session_scope(session=instance.get_session(), read_only=True) as session:
        mean, minimum, maximum = session.execute(
            select(
                func.avg(StatisticsShortTerm.mean),
                func.min(StatisticsShortTerm.min),
                func.max(StatisticsShortTerm.max),
            )
            .join(StatisticsMeta, StatisticsShortTerm.metadata_id == StatisticsMeta.id)
            .where(
                StatisticsMeta.statistic_id == entity_id,
                StatisticsShortTerm.start_ts >= hour.timestamp(),
                StatisticsShortTerm.start_ts < (hour + _HOUR).timestamp(),
            )
        ).one()
    return StatisticData(start=hour, mean=mean, min=minimum, max=maximum)


def _floor(time: datetime, period: timedelta) -> datetime:
    return time - (time - dt_util.utc_from_timestamp(0)) % period


def _time(value: tuple[datetime, float]) -> datetime:
    return value[0]
