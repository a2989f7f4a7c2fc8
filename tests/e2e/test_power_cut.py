"""Confirmed readings are stored exactly once, in short versions.

`python -m tools.exactly_once` has the long ones, for docs/security-and-reliability.md.
"""

from pathlib import Path

import pytest

from tools.databases import POSTGRESQL, DatabaseMissingError
from tools.exactly_once import Result, bad_network, power_cuts, restored_backup
from tools.lossy_files import LossyFilesMissingError

pytestmark = [
    pytest.mark.usefixtures("socket_enabled"),
    # Home Assistant is started several times.
    pytest.mark.timeout(300),
]


def _assert_exactly_once(result: Result) -> None:
    assert result.confirmed > 10
    assert result.of_board
    assert (result.lost, result.twice, result.wrong, result.left) == (0, 0, 0, 0)


async def test_power_cut(tmp_path: Path) -> None:
    """Confirmed readings are on the disk; stations still have all others."""
    try:
        result = await power_cuts(tmp_path, times=1, seconds=12)
    except LossyFilesMissingError as err:
        pytest.skip(str(err))

    _assert_exactly_once(result)
    # A station that does not number its readings gets no confirmation.
    assert result.oldest_lost < 10


async def test_bad_network(tmp_path: Path) -> None:
    """Requests and answers are lost and repeated; Home Assistant stops and is killed.

    With PostgreSQL where it is installed.
    """
    try:
        result = await bad_network(
            tmp_path, rounds=2, seconds=4, stations=2, database=POSTGRESQL
        )
    except DatabaseMissingError:
        result = await bad_network(tmp_path, rounds=2, seconds=4, stations=2)

    _assert_exactly_once(result)
    # A replay by a third party has no effect.
    assert result.replayed
    assert 200 not in result.replayed


async def test_restored_backup(tmp_path: Path) -> None:
    """A restored database only lacks later readings, and has none twice."""
    result = await restored_backup(tmp_path, seconds=2)

    assert 0 < result.lost < result.confirmed
    assert (result.twice, result.wrong, result.left) == (0, 0, 0)
