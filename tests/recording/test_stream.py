"""A station and a server that crash, lose messages and repeat them, with a model.

The real Stream and a model of the database; the recorder itself is tested elsewhere.
"""

import asyncio
from collections.abc import Collection, Coroutine
from hashlib import sha256
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import booleans, integers
import pytest

from custom_components.esp_weather.protocol.identity import reading_id
from custom_components.esp_weather.recording.stream import Stream
from homeassistant.util.ulid import bytes_to_ulid

MAC = "5c:cf:7f:2b:0e:68"
NAME = "9f3a1c22"


def test_identity() -> None:
    """The identity is what docs/protocol.md says; rows of other versions depend on it."""
    identity = reading_id(MAC, NAME, 4711)
    assert identity == sha256(b"5c:cf:7f:2b:0e:68/9f3a1c22/4711").digest()[:16]
    others = {reading_id(MAC, NAME, 471), reading_id(MAC, "9f3a1c23", 4711)}
    assert identity not in others


def _result[T](coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own, and leave the test's alone."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


class ExactlyOnce(RuleBasedStateMachine):
    """Readings on their way from the station through memory and log to the disk."""

    def __init__(self) -> None:
        """Initialize a station and a server that have just been started."""
        super().__init__()
        # The station
        self.number = 0
        self.kept: list[int] = []
        self.taken = 0
        self.confirmed = -1
        self.dropped: set[int] = set()
        # The server: rows by how safe they are, one list entry a row
        self.memory: list[bytes] = []
        self.log: list[bytes] = []
        self.disk: list[bytes] = []
        self.start()

    def start(self) -> None:
        """Start Home Assistant: it knows what is in the database, and no nonce."""
        self.stream = Stream(MAC, NAME, self.is_waiting, self.find_stored)
        self.is_nonce_known = False

    def is_waiting(self, context_id: str) -> bool:
        """Stand in for the journal."""
        return context_id in {bytes_to_ulid(each) for each in [*self.memory, *self.log]}

    async def find_stored(self, identities: Collection[bytes]) -> set[bytes]:
        """Stand in for the database."""
        return {each for each in [*self.log, *self.disk] if each in identities}

    @rule(count=integers(1, 20))
    def measure(self, count: int) -> None:
        """Take a reading; the buffer of a station holds 50."""
        for _ in range(count):
            self.kept.append(self.number)
            self.number += 1
        for _ in range(len(self.kept) - 50):
            self.dropped.add(self.kept.pop(0))
            self.taken = max(0, self.taken - 1)

    @rule(lost_request=booleans(), lost_answer=booleans())
    def report(self, lost_request: bool, lost_answer: bool) -> None:
        """Report the oldest readings that the server does not have."""
        numbers = self.kept[self.taken : self.taken + 12]
        if lost_request or not numbers:
            return
        if not self.is_nonce_known:
            self.is_nonce_known = True
            self.taken = 0
            return
        known = _result(self.stream.async_known(numbers, [0.0] * len(numbers)))
        for number in numbers:
            if number not in known:
                self.memory.append(reading_id(MAC, NAME, number))
        self.stream.async_took(numbers)
        self.stream.async_took_all(numbers)
        if lost_answer:
            return
        self.taken += len(numbers)
        self.confirmed = max(self.confirmed, self.stream.stored)
        while self.kept and self.kept[0] <= self.stream.stored and self.taken:
            self.kept.pop(0)
            self.taken -= 1

    @rule()
    def commit(self) -> None:
        """Write what is in memory to the log."""
        self.log += self.memory
        self.memory.clear()

    @rule()
    def sync(self) -> None:
        """Bring the log to the disk."""
        self.disk += self.log
        self.log.clear()

    @rule(power=booleans())
    def crash(self, power: bool) -> None:
        """Kill Home Assistant, or cut the power: the log is gone as well."""
        self.memory.clear()
        if power:
            self.log.clear()
        self.start()

    @rule()
    def restart_station(self) -> None:
        """Reset the station, which then counts nothing as taken."""
        self.taken = 0

    @invariant()
    def nothing_is_lost_or_twice(self) -> None:
        """Check that what was confirmed is on the disk, and each row there once."""
        rows = [*self.memory, *self.log, *self.disk]
        assert len(rows) == len(set(rows))
        promised = set(range(self.confirmed + 1)) - self.dropped
        assert {reading_id(MAC, NAME, each) for each in promised} <= set(self.disk)


TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnce.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)


def _stream(waiting: set[str], found: set[bytes] = set()) -> Stream:
    async def find_stored(identities: Collection[bytes]) -> set[bytes]:
        return found.intersection(identities)

    return Stream(MAC, NAME, waiting.__contains__, find_stored)


async def test_stored() -> None:
    """`stored` passes numbers that were skipped, not readings that wait."""
    waiting: set[str] = set()
    stream = _stream(waiting)
    assert stream.stored == -1
    stream.async_took([3, 5])
    assert stream.stored == -1  # the rest of the report has failed
    stream.async_took_all([3])
    assert stream.stored == 3
    stream.async_took_all([4, 5])
    assert stream.stored == 5
    stream.async_took_all([])
    assert stream.stored == 5

    waiting.update(stream.context(number).id for number in (9, 10))
    stream.async_took([9, 10])
    stream.async_took_all([9, 10, 11])
    assert stream.stored == 8
    assert stream.is_busy
    waiting.remove(stream.context(9).id)
    assert stream.stored == 9
    waiting.clear()
    assert stream.stored == 11
    assert not stream.is_busy


async def test_known(
    monkeypatch: pytest.MonkeyPatch, freezer: FrozenDateTimeFactory
) -> None:
    """The database is queried for readings from before the start and dropped runs."""
    monkeypatch.setattr("custom_components.esp_weather.recording.stream._MAX_RUNS", 2)
    found = {reading_id(MAC, NAME, number) for number in (1, 5, 20)}
    stream = _stream(set(), found)
    assert await stream.async_known([1, 2], [0, 0]) == {1}
    freezer.tick(600)
    # Only 20 may have been measured before the stream's first report.
    assert await stream.async_known([5, 20], [1, 599]) == {20}

    for number in (5, 6, 8, 7, 10, 12, 11, 30):
        stream.async_took([number])
    assert await stream.async_known([6, 8, 9, 11, 30], [0] * 5) == {11, 30}
    assert await stream.async_known([5], [0]) == {5}
