"""Which readings of a stream are known, and which are confirmed."""

from collections.abc import Collection
from hashlib import sha256

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.esp_weather.protocol.identity import reading_id
from custom_components.esp_weather.recording.stream import Stream

MAC = "5c:cf:7f:2b:0e:68"
NAME = "9f3a1c22"


def test_identity() -> None:
    """The identity is what docs/protocol.md says; rows of other versions depend on it."""
    identity = reading_id(MAC, NAME, 4711)
    assert identity == sha256(b"5c:cf:7f:2b:0e:68/9f3a1c22/4711").digest()[:16]
    others = {reading_id(MAC, NAME, 471), reading_id(MAC, "9f3a1c23", 4711)}
    assert identity not in others


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
