"""Confirmed readings are stored exactly once, in short versions.

`python -m tools.exactly_once` has the long ones, for docs/security-and-reliability.md.
"""

from pathlib import Path

import pytest

from tools.exactly_once import Result, bad_network, power_cuts
from tools.lossy_files import LossyFilesMissingError

pytestmark = [
    pytest.mark.usefixtures("socket_enabled"),
    # Home Assistant is started several times.
    pytest.mark.timeout(300),
]


def _assert_exactly_once(result: Result) -> None:
    assert result.confirmed > 10
    assert (result.lost, result.twice, result.wrong, result.left) == (0, 0, 0, 0)


async def test_power_cut(tmp_path: Path) -> None:
    """What was confirmed is on the disk; the station still has what was not."""
    try:
        result = await power_cuts(tmp_path, times=1)
    except LossyFilesMissingError as err:
        pytest.skip(str(err))

    _assert_exactly_once(result)
    # A station that does not number its readings gets no confirmation.
    assert result.oldest_lost < 10


async def test_bad_network(tmp_path: Path) -> None:
    """Requests and answers are lost and sent again; Home Assistant stops and is killed."""
    _assert_exactly_once(await bad_network(tmp_path, rounds=2, seconds=4))
