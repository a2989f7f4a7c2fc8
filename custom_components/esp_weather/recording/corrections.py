"""Corrects statistics for backfilled readings; what is pending is stored on disk.

The row of a past reading is added first, and statistics are corrected later. If Home
Assistant is killed in between, they are corrected after the next start.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.file import WriteError

from ..const import DOMAIN
from .durable_store import DurableStore
from .entry import Entry
from .recorder_internals import Recorder, async_run
from .statistics import correct, period_of

_VERSION: Final = 1
# Corrected at a time, so that the recorder can work on other tasks in between: 6 hours
_AT_ONCE: Final = 72  # periods
_SAVE_EVERY: Final = 5.0  # seconds
_TRY_AGAIN: Final = 30.0  # seconds
# After failing for this long, corrections are postponed to the next start.
_TRIES: Final = 20


@dataclass(slots=True)
class _Note:
    """The periods of an entity whose statistics have to be corrected."""

    entity_id: str
    lifetime: float
    # Of readings that have no rows yet, by their context IDs
    announced: dict[str, int] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    # Corrected, but not synced yet
    done: set[int] = field(default_factory=set)

    def next_periods(self) -> list[int]:
        """Return the oldest of the open periods that lie close together."""
        first = min(self.open)
        return sorted(each for each in self.open if each < first + _AT_ONCE)


class Corrections:
    """Corrects statistics, a few hours of each entity in turn."""

    def __init__(
        self,
        hass: HomeAssistant,
        recorder: Recorder,
        sync: Callable[[], Awaitable[bool]],
    ) -> None:
        """Initialize without pending corrections. `sync` syncs what is committed."""
        self._hass = hass
        self._recorder = recorder
        self._sync = sync
        self._store = DurableStore[list[dict[str, Any]]](
            hass, _VERSION, f"{DOMAIN}.statistics"
        )
        self._notes: dict[str, _Note] = {}
        self._working = False

    async def async_load(self) -> None:
        """Resume the corrections that the last run of Home Assistant has left."""
        for content in await self._store.async_load() or ():
            note = self._note(content["entity_id"], content["lifetime"])
            for first, last in content["periods"]:
                note.open.update(range(first, last + 1))
        self._async_work_on()

    async def async_announce(self, entries: Iterable[Entry]) -> bool:
        """Store which statistics readings will change; return once that is on the disk.

        Returns False if it could not be written.
        """
        for entry in entries:
            note = self._note(entry.entity_id, entry.share.lifetime)
            time = entry.state.last_updated_timestamp
            note.announced[entry.state.context.id] = period_of(time)
        return await self._async_save()

    @callback
    def async_start(self, context_ids: AbstractSet[str]) -> None:
        """Make the corrections announced for readings that have their rows now."""
        for note in self._notes.values():
            for each in note.announced.keys() & context_ids:
                note.open.add(note.announced.pop(each))
        self._async_work_on()

    @callback
    def _async_work_on(self) -> None:
        if self._working or not any(note.open for note in self._notes.values()):
            return
        self._working = True
        self._hass.async_create_background_task(
            self._async_work(), "esp_weather statistics"
        )

    @callback
    def async_rename(self, old: str, new: str) -> None:
        """Follow an entity to its new ID."""
        if (note := self._notes.pop(old, None)) is not None:
            note.entity_id = new
            self._notes[new] = note
            self._hass.async_create_background_task(
                self._async_save(), "esp_weather statistics renamed"
            )

    def _note(self, entity_id: str, lifetime: float) -> _Note:
        note = self._notes.setdefault(entity_id, _Note(entity_id, lifetime))
        note.lifetime = lifetime
        return note

    async def _async_work(self) -> None:
        try:
            failures = 0
            saved = self._hass.loop.time()
            while failures < _TRIES and any(n.open for n in self._notes.values()):
                for note in [each for each in self._notes.values() if each.open]:
                    if await self._async_correct(note):
                        failures = 0
                    else:
                        failures += 1
                        await asyncio.sleep(_TRY_AGAIN)
                if self._hass.loop.time() - saved >= _SAVE_EVERY:
                    await self._async_forget_done()
                    saved = self._hass.loop.time()
        finally:
            self._working = False
        await self._async_forget_done()

    async def _async_correct(self, note: _Note) -> bool:
        periods = note.next_periods()
        work = partial(
            correct,
            entity_id=note.entity_id,
            periods=periods,
            lifetime=note.lifetime,
        )
        # A reading that arrives meanwhile reopens its period.
        note.open.difference_update(periods)
        note.done.update(periods)
        if await async_run(self._recorder, work):
            return True
        note.done.difference_update(periods)
        note.open.update(periods)
        return False

    async def _async_forget_done(self) -> None:
        done = {note.entity_id: set(note.done) for note in self._notes.values()}
        if not await self._sync():
            return
        for note in list(self._notes.values()):
            note.done -= done.get(note.entity_id, set())
            if not (note.announced or note.open or note.done):
                del self._notes[note.entity_id]
        await self._async_save()

    async def _async_save(self) -> bool:
        """Write the notes; return whether they are on the disk."""
        content = [
            {
                "entity_id": note.entity_id,
                "lifetime": note.lifetime,
                "periods": _runs({*note.announced.values(), *note.open, *note.done}),
            }
            for note in self._notes.values()
        ]
        try:
            await self._store.async_save(content)
        except WriteError:
            return False
        return True


def _runs(periods: Iterable[int]) -> list[list[int]]:
    """Return periods as runs of neighbours, each by its first and its last one."""
    runs: list[list[int]] = []
    for period in sorted(periods):
        if runs and period == runs[-1][1] + 1:
            runs[-1][1] = period
        else:
            runs.append([period, period])
    return runs
