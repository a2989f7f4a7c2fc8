"""Nothing is lost and nothing broken under faults, in short versions.

`python -m tools.faults` has the long ones, for docs/security-and-reliability.md.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

import pytest

from tools.databases import POSTGRESQL, DatabaseMissingError
from tools.faults.common import RATE, STATIONS, FaultError, Result
from tools.faults.machine import (
    changes,
    database,
    flood,
    full,
    kill,
    locked,
    overload,
    restart,
)
from tools.faults.recorder import (
    backup,
    disabled,
    dropped,
    excluded,
    move_older,
    replaced,
    without_recorder,
)
from tools.load import NO_ANSWER
from tools.neighbour import Flood, neighbour

pytestmark = pytest.mark.usefixtures("socket_enabled")

OK = HTTPStatus.OK
UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE


@pytest.fixture(autouse=True)
async def _fast_loop() -> None:
    """Switch off asyncio's debug mode, which HA's plugin enables and which is slow."""
    asyncio.get_running_loop().set_debug(False)


def _assert_answers(result: Result, *allowed: int) -> None:
    """Check that there were only the allowed answers."""
    assert set(result.outcome.answers) <= set(allowed)
    assert result.outcome.taken
    assert result.outcome.without_retry_after == 0


def _assert_only(result: Result, *allowed: int) -> None:
    """Check that there were only the allowed answers, and no fault."""
    _assert_answers(result, *allowed)
    assert "custom_components/esp_weather/" not in result.log, result.log


async def test_overload(tmp_path: Path) -> None:
    """Reports that the disk cannot keep up with are refused, and HA stays usable."""
    result = await overload(tmp_path)

    _assert_only(result, OK, UNAVAILABLE)
    assert (result.lost, result.unanswered_rows, result.twice) == (0, 0, 0)
    assert result.backlog < 6_000
    assert len(result.looks) > 3
    assert max(result.looks) < 10
    assert result.outcome.answers[UNAVAILABLE]


@pytest.mark.parametrize(("stations", "signed"), [(1, False), (20, True)])
async def test_flood(tmp_path: Path, stations: int, signed: bool) -> None:
    """At the highest rate that HA can answer, no report is lost."""
    result = await flood(tmp_path, 8, stations, signed=signed)

    _assert_only(result, OK, UNAVAILABLE)
    assert (result.lost, result.unanswered_rows) == (0, 0)
    assert max(result.looks) < 10


async def test_locked(tmp_path: Path) -> None:
    """Readings taken before HA noticed that it cannot write are written later."""
    result = await locked(tmp_path, seconds=20)

    _assert_only(result, OK, UNAVAILABLE)
    assert result.outcome.answers[UNAVAILABLE]
    assert (result.lost, result.unanswered_rows, result.twice) == (0, 0, 0)


async def test_restart(tmp_path: Path) -> None:
    """All readings that were taken before HA stopped are in the database."""
    result = await restart(tmp_path, times=1)

    _assert_only(result, OK, UNAVAILABLE, NO_ANSWER, HTTPStatus.NOT_FOUND)
    assert result.outcome.answers[NO_ANSWER]
    assert result.lost == 0


async def test_kill(tmp_path: Path) -> None:
    """A kill loses little more than a commit_interval of unnumbered readings."""
    result = await kill(tmp_path, commit_interval=1, times=1)

    _assert_only(result, OK, UNAVAILABLE, NO_ANSWER, HTTPStatus.NOT_FOUND)
    assert result.outcome.answers[NO_ANSWER]
    assert result.lost <= 3 * RATE
    # Reporting continues afterwards.
    assert max(result.outcome.taken) in result.stored


async def test_changes(tmp_path: Path) -> None:
    """Stations may be reloaded, disabled and removed at any time."""
    result = await changes(tmp_path, times=1)

    _assert_only(result, OK, UNAVAILABLE, HTTPStatus.FORBIDDEN)
    assert result.outcome.answers[UNAVAILABLE]
    assert result.outcome.answers[HTTPStatus.FORBIDDEN]
    assert (result.lost, result.unanswered_rows) == (0, 0)


async def test_full_disk(tmp_path: Path) -> None:
    """HA survives a full disk, and writes all it has taken once there is room."""
    try:
        result = await full(tmp_path, seconds=8)
    except FaultError as err:
        pytest.skip(str(err))

    _assert_only(result, OK, UNAVAILABLE)
    assert (result.lost, result.unanswered_rows, result.twice) == (0, 0, 0)


def _assert_all_stored(result: Result) -> None:
    """Check that whatever was taken has one row, and the station knows."""
    assert (result.lost, result.unanswered_rows, result.twice) == (0, 0, 0)
    _assert_all_confirmed(result)


def _assert_all_confirmed(result: Result) -> None:
    """Check that of the station that numbers its readings, nothing is missing."""
    numbered = result.numbered
    assert numbered is not None
    assert numbered.measured > 50
    assert numbered.confirmed == numbered.measured
    assert (numbered.lost, numbered.twice, numbered.wrong, numbered.left) == (0,) * 4


async def test_disabled(tmp_path: Path) -> None:
    """Readings wait while the recorder is disabled, and a repair issue says so."""
    result = await disabled(tmp_path, pauses=(6,))

    _assert_only(result, OK)
    _assert_all_stored(result)
    assert result.issues == [["recorder_disabled"], []]


async def test_replaced(tmp_path: Path) -> None:
    """A replaced database is noticed; no reading is confirmed that it does not have."""
    result = await replaced(tmp_path, move_older, 1, report=False)

    _assert_only(result, OK, UNAVAILABLE)
    _assert_all_confirmed(result)
    assert result.figures["503 after, s"] < 12
    assert result.figures["503 after the restart"] == 0
    assert result.issues == [["database_replaced"], []]


async def test_backup(tmp_path: Path) -> None:
    """A backup has what was confirmed before; what comes meanwhile is stored later."""
    result = await backup(tmp_path, times=1, megabytes=60)

    _assert_only(result, OK)
    _assert_all_stored(result)
    assert result.figures["confirmed before, not in the backup"] == 0


async def test_dropped(tmp_path: Path) -> None:
    """What the recorder drops is written again."""
    result = await dropped(tmp_path, seconds=6, one_in=10)

    # The recorder logs with a traceback that it could not write, whoever asked for it.
    _assert_answers(result, OK, UNAVAILABLE)
    _assert_all_stored(result)
    assert result.figures["times dropped"]


@pytest.mark.parametrize(
    ("fault", "files", "issues"),
    [(without_recorder, 0, ["no_recorder"]), (excluded, 1, [])],
)
async def test_never_stored(
    tmp_path: Path,
    fault: Callable[..., Awaitable[Result]],
    files: int,
    issues: list[str],
) -> None:
    """What is never recorded is shown, and confirmed at once."""
    result = await fault(tmp_path, seconds=3)

    _assert_only(result, OK)
    _assert_all_confirmed(result)
    assert result.figures["not confirmed at the end"] <= 3
    assert result.figures["shown"] == STATIONS + 1
    assert result.figures["database files"] == files
    assert not result.figures.get("rows")
    assert result.issues == [issues]


async def test_postgresql(tmp_path: Path) -> None:
    """With PostgreSQL, the rows and values are the same."""
    try:
        result = await database(tmp_path, POSTGRESQL, seconds=5)
    except DatabaseMissingError as err:
        pytest.skip(str(err))

    _assert_only(result, OK)
    assert sorted(result.stored) == sorted(result.outcome.taken)


@pytest.mark.parametrize(
    "flood",
    [
        Flood(reports=400),
        Flood(connections=4, readings=500, fields=9),
        Flood(stations=6, readings=50),
        Flood(connections=20, readings=0),
    ],
    ids=str,
)
async def test_neighbour(tmp_path: Path, flood: Flood) -> None:
    """Whoever sends what: another station's rows are there soon, and so is a stop."""
    result = await neighbour(tmp_path, flood, seconds=6)

    assert result.rows
    assert max(result.rows) < 10
    assert result.refused == 0
    assert result.stop < 20
    assert set(result.answers) <= {OK, UNAVAILABLE}
    # A station that sends more than its share is refused.
    if flood.readings == 500:
        assert result.answers[UNAVAILABLE]
