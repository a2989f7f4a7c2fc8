"""Tracks which numbered readings of a station were taken and which are on the disk."""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Collection, Sequence
from heapq import heappop, heappush
from time import monotonic
from typing import Final

from homeassistant.core import Context, callback
from homeassistant.util.ulid import bytes_to_ulid

from ..protocol.identity import reading_id

# How much older than its stated age a reading may be: for the station's
# clock, which may run slow by a tenth, and for the time that its report was under way.
_SLOW_CLOCK: Final = 1.1
_ON_ITS_WAY: Final = 30.0  # seconds
# Taken readings are stored as runs of numbers, a single run as long as none is
# skipped. Runs beyond this many are dropped and looked up in the database.
_MAX_RUNS: Final = 64


class Stream:
    """One stream of a station. Never waits for the recorder.

    Hold `lock` from async_known() to async_took_all(): a report that is sent again
    while the first one is still being taken has to find its readings known.
    """

    def __init__(
        self,
        mac: str,
        name: str,
        is_waiting: Callable[[str], bool],
        find_stored: Callable[[Collection[bytes]], Awaitable[Collection[bytes]]],
    ) -> None:
        """Initialize the stream.

        `is_waiting` says whether the state with this context ID is on its way to the
        disk, `find_stored` which identities the database has rows of.
        """
        self.lock = asyncio.Lock()
        self.name = name
        self._mac = mac
        self._is_waiting = is_waiting
        self._find_stored = find_stored
        self._since = monotonic()
        self._highest = -1
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._forgotten = -1
        self._waiting: list[tuple[int, str]] = []

    @property
    def is_busy(self) -> bool:
        """Return whether a report is being taken, or a reading is not on the disk."""
        return self.lock.locked() or self._first_waiting() is not None

    @property
    def stored(self) -> int:
        """Return the number up to which every reading is on the disk, or never will be.

        Numbers that a report has skipped are ones the station has lost: it reports in the order
        of the numbers. -1 if the stream has not reported yet.
        """
        first = self._first_waiting()
        return self._highest if first is None else first - 1

    def identity(self, number: int) -> bytes:
        """Return the identity of a reading."""
        return reading_id(self._mac, self.name, number)

    def context(self, number: int) -> Context:
        """Return the context that ties a state to a reading."""
        return Context(id=bytes_to_ulid(self.identity(number)))

    @callback
    def async_is_taken(self, number: int) -> bool:
        """Return whether a reading was taken since the integration was started."""
        index = bisect_right(self._starts, number) - 1
        return index >= 0 and number <= self._ends[index]

    async def async_known(
        self, numbers: Sequence[int], ages: Sequence[float]
    ) -> set[int]:
        """Return the numbers of the readings that were taken before.

        `ages` are the readings' own, in seconds. Which readings were taken before
        Home Assistant was started only the database knows; it is not asked about those
        that were measured after the stream's first report to this Home Assistant.
        """
        known: set[int] = set()
        unsure: dict[bytes, int] = {}
        since = monotonic() - self._since
        for number, age in zip(numbers, ages, strict=True):
            if self.async_is_taken(number):
                known.add(number)
            elif number <= self._forgotten or age * _SLOW_CLOCK + _ON_ITS_WAY >= since:
                unsure[self.identity(number)] = number
        if unsure:
            known.update(unsure[each] for each in await self._find_stored(unsure))
        return known

    @callback
    def async_took(self, numbers: Collection[int]) -> None:
        """Note that readings were taken; call it when their states are in the journal.

        They may be a part of a report whose rest fails: `stored` does not pass them.
        """
        for number in numbers:
            if self.async_is_taken(number):
                continue
            self._add(number)
            context_id = bytes_to_ulid(self.identity(number))
            if self._is_waiting(context_id):
                heappush(self._waiting, (number, context_id))

    @callback
    def async_took_all(self, numbers: Collection[int]) -> None:
        """Note that a report was taken, with what is known of it or never recorded.

        What the database has is not necessarily on the disk.
        """
        self.async_took(numbers)
        self._highest = max(self._highest, *numbers, -1)

    def _first_waiting(self) -> int | None:
        while self._waiting and not self._is_waiting(self._waiting[0][1]):
            heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    def _add(self, number: int) -> None:
        """Add a number that is in no run."""
        starts, ends = self._starts, self._ends
        index = bisect_right(starts, number)
        if index and number == ends[index - 1] + 1:
            ends[index - 1] = number
        else:
            starts.insert(index, number)
            ends.insert(index, number)
            index += 1
        if index < len(starts) and ends[index - 1] + 1 == starts[index]:
            del starts[index], ends[index - 1]
        if len(starts) > _MAX_RUNS:
            del starts[0]
            self._forgotten = max(self._forgotten, ends.pop(0))
