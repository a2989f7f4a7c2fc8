"""Keeps the readings that were taken until they are known to be on the disk.

A recorder that cannot write, as on a full disk, drops all that it has not committed,
logs that and goes on; nothing else learns of it. So each reading is kept here until the
database has it, and is added where it is missing: because the recorder has dropped it,
or because it is of the past, which Home Assistant would not record. What is committed
is then synced: only that survives a power cut.
"""

import asyncio
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from functools import partial
import logging
from math import inf
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from homeassistant.components.recorder import Recorder
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.ulid import bytes_to_ulid

from ..const import DOMAIN
from ..protocol.readings import Reason, ReportError
from .durability import DatabaseFiles, DatabaseReplacedError
from .entry import Entry, Share
from .stream import Stream

# The only place that detects that a private part of the recorder has moved
try:
    from .backfill import find_known, find_missing, insert
    from .corrections import Corrections
    from .recorder_internals import async_run, missing_part
    from .statistics import first_kept, period_of
except ImportError as err:
    _missing: str | None = str(err)
else:
    _missing = None

_LOGGER = logging.getLogger(__name__)

DATA_JOURNAL: Final[HassKey[Journal]] = HassKey("esp_weather_journal")

# Home Assistant stops recording at 65,000 queued events when memory is short.
# This many are written within seconds, which a station can wait.
_LIMIT: Final = 5_000
# The time of a commit grows with the square of the states of one entity in it.
_CHECK_AFTER: Final = 500  # readings
_CHECK_EVERY: Final = 5.0  # seconds, or the recorder's commit_interval if it is longer
# Only the journal adds backfilled readings: a kill before that would lose them.
_CHECK_PAST_EVERY: Final = 1.0  # seconds
_SYNC_EVERY: Final = 5.0  # seconds
# Each station may have this many waiting readings, however many stations wait.
_LEAST_SHARE: Final = 100
# Streams per station. Older ones without a reading on its way are dropped.
_MAX_STREAMS: Final = 4

_DEGRADED: Final = "recorder_changed"


class _Trouble(StrEnum):
    """Why readings do not reach the disk; also the name of the repair issue."""

    DISABLED = "recorder_disabled"
    FAILED = "recorder_failed"
    REPLACED = "database_replaced"


class JournalError(Exception):
    """The database could not be queried; the station has to report again later."""


class Journal:
    """Keeps states until they are on the disk; without a recorder it keeps none.

    Entities that are excluded from recording are not kept either.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Initialize an empty journal."""
        self.hass = hass
        self.is_degraded = False
        self.last_sync: datetime | None = None
        self._recorder = self._usable_recorder()
        self._files: DatabaseFiles | None = None
        self._stations: dict[str, StationJournal] = {}
        self._is_recorded: dict[str, bool] = {}
        # By context ID: without a row, and with one that is not synced
        self._pending: dict[str, Entry] = {}
        self._committed: dict[str, None] = {}
        # The results of the last check and the last sync
        self._look_trouble: _Trouble | None = None
        self._sync_trouble: _Trouble | None = None
        self._shown_trouble: _Trouble | None = None
        self._checking = asyncio.Lock()
        self._syncing = asyncio.Lock()
        self._changed = asyncio.Event()
        self._watching = False
        self._has_past = False
        self._checked = self._synced = -inf
        if self._recorder is None:
            return
        self._files = DatabaseFiles.of(self._recorder.db_url)
        self._corrections = Corrections(hass, self._recorder, self._async_sync)
        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._async_stop)
        hass.bus.async_listen(
            er.EVENT_ENTITY_REGISTRY_UPDATED, self._async_registry_updated
        )

    def _usable_recorder(self) -> Recorder | None:
        """Return the recorder, None if there is none or its private parts have moved."""
        if (recorder := self.hass.data.get(DATA_INSTANCE)) is None:
            return None
        if (missing := _missing or missing_part(recorder)) is None:
            ir.async_delete_issue(self.hass, DOMAIN, _DEGRADED)
            return recorder
        self.is_degraded = True
        _LOGGER.error(
            "ESP Weather does not know the recorder of this version of Home Assistant"
            " (%s). Readings are recorded by Home Assistant alone",
            missing,
        )
        ir.async_create_issue(
            self.hass,
            DOMAIN,
            _DEGRADED,
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=_DEGRADED,
        )
        return None

    async def async_load(self) -> None:
        """Resume the corrections that the last run of Home Assistant has left."""
        if self._recorder is None:
            return
        if self._files is not None:
            # If the files are replaced before the first reading, that is noticed, too.
            with suppress(OSError, DatabaseReplacedError):
                await self.hass.async_add_executor_job(
                    self._files.sync, self._recorder.engine
                )
        await self._corrections.async_load()

    @callback
    def async_station(self, mac: str, lifetime: float) -> StationJournal:
        """Return the part of one station, whose values count for `lifetime` seconds."""
        station = self._stations.setdefault(mac, StationJournal(self, mac))
        station.share.lifetime = lifetime
        return station

    @property
    def recorder(self) -> Recorder | None:
        """Return the recorder, None if the journal runs without one."""
        return self._recorder

    @property
    def is_behind(self) -> bool:
        """Return whether the recorder might drop another reading."""
        return self._recorder is not None and (
            self._shown_trouble in (_Trouble.FAILED, _Trouble.REPLACED)
            or not self._recorder.recording
            or self._recorder.backlog > _LIMIT
            or len(self._pending) > 2 * _LIMIT
        )

    @property
    def largest_share(self) -> int:
        """Return how many readings of one station may wait now."""
        active = sum(1 for each in self._stations.values() if each.share.waiting)
        return max(_LEAST_SHARE, _LIMIT // max(2, active))

    @property
    def waiting(self) -> int:
        """Return how many readings are on their way to the disk."""
        return len(self._pending) + len(self._committed)

    def is_waiting(self, context_id: str) -> bool:
        """Return whether a state is on its way to the disk."""
        return context_id in self._pending or context_id in self._committed

    @callback
    def async_keep(
        self, entity_id: str, state: State, share: Share, *, past: bool
    ) -> None:
        """Keep a state that was written now or belongs to the past."""
        if not self._records(entity_id):
            return
        self._pending[state.context.id] = Entry(entity_id, state, share)
        share.waiting += 1
        self._has_past |= past
        if not self._watching:
            self._async_watch()
        elif past or len(self._pending) >= _CHECK_AFTER:
            self._changed.set()

    def _records(self, entity_id: str) -> bool:
        """Return whether the recorder records an entity."""
        if (recorder := self._recorder) is None:
            return False
        if (is_recorded := self._is_recorded.get(entity_id)) is None:
            is_recorded = not recorder.entity_filter or recorder.entity_filter(
                entity_id
            )
            self._is_recorded[entity_id] = is_recorded
        return is_recorded

    async def async_announce(self, entry: Entry) -> None:
        """Note which statistics a late state will change, if it is recorded.

        Raises JournalError if that cannot be written.
        """
        if self._records(entry.entity_id) and not (
            await self._corrections.async_announce([entry])
        ):
            raise JournalError

    async def async_find_stored(self, identities: Collection[bytes]) -> set[bytes]:
        """Return the context IDs that the database has, after syncing them.

        Raises JournalError if it cannot be queried.
        """
        if (recorder := self._recorder) is None:
            return set()
        try:
            found = await recorder.async_add_executor_job(
                find_known, recorder, identities
            )
        except (SQLAlchemyError, RuntimeError) as err:
            raise JournalError from err
        for identity in found:
            self._committed[bytes_to_ulid(identity)] = None
        if found and not self._watching:
            self._async_watch()
        return found

    @callback
    def _async_registry_updated(
        self, event: Event[er.EventEntityRegistryUpdatedData]
    ) -> None:
        """Record an entity's states under the ID that the recorder gives them."""
        if event.data["action"] == "update" and "old_entity_id" in event.data:
            new, old = event.data["entity_id"], event.data["old_entity_id"]
            self._pending = {
                key: entry._replace(entity_id=new) if entry.entity_id == old else entry
                for key, entry in self._pending.items()
            }
            self._corrections.async_rename(old, new)

    async def _async_stop(self, event: Event) -> None:
        """Have the recorder add the missing rows before it stops."""
        await self._async_check()
        await self._async_sync()

    @callback
    def _async_watch(self) -> None:
        self._watching = True
        self.hass.async_create_background_task(
            self._async_check_until_empty(), "esp_weather journal"
        )

    async def _async_check_until_empty(self) -> None:
        """Check every few seconds what is recorded, until all is on the disk."""
        time = self.hass.loop.time
        since = time()
        try:
            while self._pending or self._committed:
                self._changed.clear()
                check_at, sync_at = self._next_check(since), inf
                if self._committed:
                    sync_at = self._synced + _SYNC_EVERY
                if (wait := min(check_at, sync_at) - time()) > 0:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(wait):
                            await self._changed.wait()
                    continue
                if check_at <= time():
                    self._checked = time()
                    await self._async_check()
                if self._committed and self._synced + _SYNC_EVERY <= time():
                    await self._async_sync()
        finally:
            self._watching = False

    def _next_check(self, since: float) -> float:
        """Return when to check for rows, if readings wait since then or the last check."""
        assert self._recorder is not None
        if not self._pending:
            return inf
        if self._look_trouble is None:
            if len(self._pending) >= _CHECK_AFTER:
                return since
            if self._has_past:
                return self._checked + _CHECK_PAST_EVERY
        interval = max(_CHECK_EVERY, self._recorder.commit_interval)
        return max(since, self._checked) + interval

    async def _async_check(self) -> None:
        """Check which readings have rows, and add the missing ones."""
        async with self._checking:
            if not self._pending:
                return
            recorder = self._recorder
            assert recorder is not None
            self._has_past = False
            keys, entries = zip(*self._pending.items(), strict=True)
            if not (recorder.is_running and recorder.enabled):
                self._look_trouble = (
                    _Trouble.DISABLED if recorder.is_running else _Trouble.FAILED
                )
                self._async_show_trouble()
                return
            missing = await async_run(recorder, partial(find_missing, entries=entries))
            if missing and not await self._async_insert(missing):
                missing = None
            if missing is None:
                self._look_trouble = (
                    _Trouble.FAILED if recorder.enabled else _Trouble.DISABLED
                )
                self._async_show_trouble()
                return
            for key in keys:
                self._pending.pop(key).share.waiting -= 1
                self._committed[key] = None
            if not self.hass.is_stopping:
                self._corrections.async_start(set(keys))
            self._look_trouble = None
            self._async_show_trouble()

    async def _async_insert(self, missing: Iterable[Entry]) -> bool:
        """Add missing rows, once it is noted which statistics they change."""
        recorder = self._recorder
        assert recorder is not None
        # The dictionary has the new IDs of entities that were renamed meanwhile.
        missing = [self._pending[each.state.context.id] for each in missing]
        if not await self._corrections.async_announce(missing):
            return False
        missing = [self._pending[each.state.context.id] for each in missing]
        return bool(await async_run(recorder, partial(insert, entries=missing)))

    async def _async_sync(self) -> bool:
        """Sync what is committed; return whether it is on the disk."""
        assert self._recorder is not None
        async with self._syncing:
            committed = list(self._committed)
            self._sync_trouble = None
            if self._files is not None:
                try:
                    await self.hass.async_add_executor_job(
                        self._files.sync, self._recorder.engine
                    )
                except DatabaseReplacedError:
                    self._sync_trouble = _Trouble.REPLACED
                except OSError as err:
                    _LOGGER.debug("The database cannot be synced: %s", err)
                    self._sync_trouble = _Trouble.FAILED
            self._synced = self.hass.loop.time()
            self._async_show_trouble()
            if self._sync_trouble is not None:
                return False
            for key in committed:
                self._committed.pop(key, None)
            self.last_sync = dt_util.utcnow()
            return True

    @callback
    def _async_show_trouble(self) -> None:
        """Raise or clear the repair issue about the recorder."""
        trouble = self._sync_trouble or self._look_trouble
        before, self._shown_trouble = self._shown_trouble, trouble
        if trouble is before:
            return
        if before is not None:
            ir.async_delete_issue(self.hass, DOMAIN, before)
        if trouble is None:
            _LOGGER.info("The recorder writes again, and no reading is missing")
            return
        _LOGGER.warning(_WARNINGS[trouble])
        ir.async_create_issue(
            self.hass,
            DOMAIN,
            trouble,
            is_fixable=False,
            severity=ir.IssueSeverity.ERROR,
            translation_key=trouble,
        )


_WARNINGS: Final = {
    _Trouble.DISABLED: (
        "The recorder was disabled. Readings wait in memory until it is enabled"
    ),
    _Trouble.FAILED: (
        "The recorder could not write to its database. Reports are answered 503 until"
        " it can; what was taken before is recorded then"
    ),
    _Trouble.REPLACED: (
        "The recorder's database was deleted or replaced. Reports are answered 503"
        " until Home Assistant is restarted"
    ),
}


class StationJournal:
    """The readings of one station on their way to the disk."""

    def __init__(self, journal: Journal, mac: str) -> None:
        """Initialize without readings."""
        self.share = Share(0.0)
        self._journal = journal
        self._mac = mac
        self._streams: dict[str, Stream] = {}

    @property
    def is_behind(self) -> bool:
        """Return whether the station has to postpone its next report.

        Either the recorder might drop it, or too many readings of the station wait.
        """
        return self._journal.is_behind or (
            self.share.waiting > _LEAST_SHARE
            and self.share.waiting > self._journal.largest_share
        )

    @callback
    def async_stream(self, name: str) -> Stream:
        """Return a stream of the station, a new one if it has not been used lately."""
        if (stream := self._streams.pop(name, None)) is None:
            stream = Stream(
                self._mac,
                name,
                self._journal.is_waiting,
                self._journal.async_find_stored,
            )
            idle = [each for each in self._streams if not self._streams[each].is_busy]
            for each in idle[: max(0, len(self._streams) + 1 - _MAX_STREAMS)]:
                del self._streams[each]
        self._streams[name] = stream
        return stream

    def check_past(self, time: datetime, *, is_newest: bool) -> None:
        """Raise ReportError if a reading of that time would not be kept.

        `is_newest` is that of its field in the report: it can be the state, which
        Home Assistant records by itself.
        """
        journal = self._journal
        if journal.is_degraded and not is_newest:
            raise ReportError(Reason.PAST_NOT_RECORDED)
        if (recorder := journal.recorder) is not None and recorder.auto_purge:
            if time < first_kept(recorder.keep_days, dt_util.utcnow()):
                raise ReportError(Reason.OLDER_THAN_KEPT, days=str(recorder.keep_days))

    def is_late(self, time: datetime) -> bool:
        """Return whether statistics of that time may have been compiled already."""
        return self._journal.recorder is not None and (
            period_of(time.timestamp()) < period_of(dt_util.utcnow().timestamp())
        )

    async def async_announce(self, state: State) -> None:
        """Note on the disk which statistics a late state will change.

        Raises JournalError if that cannot be written.
        """
        await self._journal.async_announce(Entry(state.entity_id, state, self.share))

    @callback
    def async_add(self, entity_id: str) -> None:
        """Keep the state that was just written for an entity, if it is enabled."""
        journal = self._journal
        if journal.recorder and (state := journal.hass.states.get(entity_id)):
            journal.async_keep(entity_id, state, self.share, past=False)

    @callback
    def async_add_past(self, states: Iterable[State]) -> None:
        """Record states with their own timestamps."""
        for state in states:
            self._journal.async_keep(state.entity_id, state, self.share, past=True)
