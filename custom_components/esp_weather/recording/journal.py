"""Readings that were taken, until they are known to be in the database.

A recorder that cannot write, as on a full disk, drops all that it has not committed,
logs that and goes on; nobody else is told. So each reading is kept here until the
database has it, and is added where it is missing: because the recorder has dropped it,
or because it is of the past, which Home Assistant would not record.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
import logging
from typing import Final

from homeassistant.components.recorder import Recorder
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from .backfill import SAME_MEASUREMENT, SAME_TIME, Entry, async_record

_LOGGER = logging.getLogger(__name__)

DATA_JOURNAL: Final[HassKey[Journal]] = HassKey("esp_weather_journal")

# Home Assistant stops recording at 65,000 queued events when memory is short.
# This many are written within seconds, and a station can wait that long.
_LIMIT: Final = 5_000
# The time of a commit grows with the square of the states of one entity in it.
_CHECK_AFTER: Final = 500  # readings
_CHECK_EVERY: Final = 5.0  # seconds, or the recorder's commit_interval if it is longer
_ISSUE: Final = "recorder_failed"


class Journal:
    """Keeps states until they are recorded; without a recorder it keeps none."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with nothing to keep."""
        self._hass = hass
        self._recorder = hass.data.get(DATA_INSTANCE)
        self._entries: list[Entry] = []
        self._check_now = asyncio.Event()
        self._failed = False
        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._async_stop)
        hass.bus.async_listen(
            er.EVENT_ENTITY_REGISTRY_UPDATED, self._async_registry_updated
        )

    @property
    def is_behind(self) -> bool:
        """Return whether the recorder might drop another reading."""
        return self._recorder is not None and (
            self._failed
            or not self._recorder.recording
            or self._recorder.backlog > _LIMIT
            or len(self._entries) > _LIMIT
        )

    @callback
    def async_add(self, entity_id: str) -> None:
        """Keep the state that an entity has just been given, if it is enabled."""
        if self._recorder and (state := self._hass.states.get(entity_id)):
            self._async_keep(self._recorder, Entry(entity_id, state))

    @callback
    def async_add_past(self, states: Iterable[State], *, repeated: bool) -> None:
        """Have states of the past recorded, and keep them.

        Those that are `repeated` may be recorded already, at about that time.
        """
        within = SAME_MEASUREMENT if repeated else SAME_TIME
        entries = [Entry(state.entity_id, state, within) for state in states]
        if self._recorder is None or not entries:
            return
        # At once, so that they are not lost if Home Assistant stops before the check.
        async_record(self._recorder, entries)
        for entry in entries:
            self._async_keep(self._recorder, entry)

    @callback
    def _async_keep(self, recorder: Recorder, entry: Entry) -> None:
        self._entries.append(entry)
        if len(self._entries) == 1:
            self._hass.async_create_background_task(
                self._async_watch(recorder), "esp_weather journal"
            )
        elif len(self._entries) >= _CHECK_AFTER:
            self._check_now.set()

    @callback
    def _async_registry_updated(
        self, event: Event[er.EventEntityRegistryUpdatedData]
    ) -> None:
        """Look for an entity's states under the ID that the recorder gives them."""
        if event.data["action"] == "update" and "old_entity_id" in event.data:
            new, old = event.data["entity_id"], event.data["old_entity_id"]
            self._entries = [
                entry._replace(entity_id=new) if entry.entity_id == old else entry
                for entry in self._entries
            ]

    @callback
    def _async_stop(self, event: Event) -> None:
        """Have the recorder add what is missing before it stops."""
        if self._recorder is not None:
            async_record(self._recorder, self._entries)

    async def _async_watch(self, recorder: Recorder) -> None:
        """Check every few seconds what is recorded, until nothing is left to keep."""
        interval = max(_CHECK_EVERY, recorder.commit_interval)
        while self._entries:
            with suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._check_now.wait()
            self._check_now.clear()
            number = len(self._entries)
            recorded = await async_record(recorder, self._entries[:number])
            if recorded:
                del self._entries[:number]
            if recorded is self._failed:
                self._failed = not recorded
                self._async_tell()

    @callback
    def _async_tell(self) -> None:
        """Tell the user that the recorder has failed, or that it records again."""
        if self._failed:
            _LOGGER.warning(
                "The recorder could not write to its database. Reports are answered"
                " 503 until it can; what was taken before is recorded then"
            )
            ir.async_create_issue(
                self._hass,
                DOMAIN,
                _ISSUE,
                is_fixable=False,
                severity=ir.IssueSeverity.ERROR,
                translation_key=_ISSUE,
            )
        else:
            _LOGGER.info("The recorder writes again, and no reading is missing")
            ir.async_delete_issue(self._hass, DOMAIN, _ISSUE)
