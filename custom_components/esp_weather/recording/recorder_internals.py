"""All private parts of Home Assistant's recorder that recording/ uses.

None of these names is a public API. Importing this module raises ImportError
when one of them has moved, and `missing_part` names what an instance lacks:
the journal then runs without a recorder, and the integration loads all the same.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, override

from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.const import DOMAIN as RECORDER_DOMAIN
from homeassistant.components.recorder.db_schema import (
    StateAttributes,
    States,
    Statistics,
    StatisticsMeta,
    StatisticsRuns,
    StatisticsShortTerm,
)
from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import (
    STATISTIC_UNIT_TO_UNIT_CONVERTER,
    async_import_statistics,
    get_metadata,
    get_metadata_with_session,
    import_statistics,
    weighted_circular_mean,
)
from homeassistant.components.recorder.tasks import RecorderTask
from homeassistant.components.recorder.util import (
    database_job_retry_wrapper,
    retryable_database_job,
)
from homeassistant.helpers.recorder import session_scope

__all__ = [
    "RECORDER_DOMAIN",
    "STATISTIC_UNIT_TO_UNIT_CONVERTER",
    "Recorder",
    "StateAttributes",
    "States",
    "StatisticData",
    "StatisticMeanType",
    "StatisticMetaData",
    "Statistics",
    "StatisticsMeta",
    "StatisticsRuns",
    "StatisticsShortTerm",
    "async_import_statistics",
    "async_run",
    "database_job_retry_wrapper",
    "get_metadata",
    "get_metadata_with_session",
    "import_statistics",
    "missing_part",
    "retryable_database_job",
    "session_scope",
    "weighted_circular_mean",
]

_PARTS: Final = (
    "_commit_event_session_or_retry",
    "_process_one_event",
    "auto_purge",
    "backlog",
    "commit_interval",
    "db_url",
    "enabled",
    "engine",
    "entity_filter",
    "get_session",
    "is_running",
    "keep_days",
    "queue_task",
    "recording",
    "state_attributes_manager",
    "states_manager",
    "states_meta_manager",
)


def missing_part(recorder: object) -> str | None:
    """Return the first attribute that this recorder lacks."""
    return next((part for part in _PARTS if not hasattr(recorder, part)), None)


def async_run[T](
    recorder: Recorder, work: Callable[[Recorder], T]
) -> asyncio.Future[T | None]:
    """Run `work` in the recorder's thread, after what was queued before is committed.

    Returns None in the future if that could not be committed or `work` raised: the
    recorder has then dropped what it had not committed, and has logged why.
    """
    done = recorder.hass.loop.create_future()
    task = _Task(work)
    recorder.queue_task(task)
    recorder.queue_task(_ReportTask(task, done))
    return done


@dataclass(slots=True)
class _Task[T](RecorderTask):
    """Does the work, unless the commit before it fails."""

    # The recorder logs a failed task with its repr, which must not hold all states.
    work: Callable[[Recorder], T] = field(repr=False)
    result: T | None = field(default=None, repr=False)

    @override
    def run(self, instance: Recorder) -> None:
        """Do the work."""
        self.result = self.work(instance)


@dataclass(slots=True)
class _ReportTask[T](RecorderTask):
    """Hands the result of the previous task to the event loop."""

    commit_before = False

    task: _Task[T]
    done: asyncio.Future[T | None]

    @override
    def run(self, instance: Recorder) -> None:
        """Hand over the result."""
        instance.hass.loop.call_soon_threadsafe(self._set_result)

    def _set_result(self) -> None:
        # The waiting task may have been cancelled because Home Assistant stops.
        with suppress(asyncio.InvalidStateError):
            self.done.set_result(self.task.result)
