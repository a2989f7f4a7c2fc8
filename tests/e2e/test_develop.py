"""`scripts/develop`: its stations, and two instances at a time."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tools.home_assistant import free_port

from .developing import developing
from .helpers import rows

STATIONS = (
    *("outdoor", "indoor", "bed", "bath"),
    *("cellar", "freezer", "attic", "greenhouse"),
)
STEP = 1  # °C between two values; the fastest one changes by 0.2 in 5 minutes


def _databases(folder: Path) -> list[str]:
    """Return the names of the folders with a database."""
    return sorted(path.parent.name for path in folder.glob("*/home-assistant_v2.db"))


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.timeout(600)
async def test_demo(tmp_path: Path) -> None:
    """The readings of eight live stations continue their generated past."""
    async with developing(tmp_path, free_port(), "--many"):
        started = datetime.now(UTC)
        for station in STATIONS:
            entity_id = f"sensor.{station}_temperature"
            async with asyncio.timeout(60):
                while True:
                    recorded = [
                        (float(state), moment)
                        for state, moment in rows(
                            tmp_path / "home-assistant_v2.db", entity_id
                        )
                        if state not in {"unavailable", "unknown"}
                    ]
                    if recorded[-1][1] > started:
                        break
                    await asyncio.sleep(1)
            assert recorded[0][1] < started - timedelta(days=9)
            steps = [
                abs(after - before)
                for (before, _), (after, _) in pairwise(recorded[-50:])
            ]
            assert max(steps) < STEP, station


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.timeout(600)
async def test_two(tmp_path: Path) -> None:
    """Two instances started at once run side by side, each with its own folder."""
    config, port = tmp_path / "config", free_port()
    running = asyncio.Barrier(2)
    urls = set()

    async def develop() -> None:
        async with developing(config, port) as url, asyncio.timeout(300):
            urls.add(url)
            await running.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(develop())
        tasks.create_task(develop())

    assert len(urls) == 2
    assert _databases(tmp_path) == ["config", "config-2"]
    # Both folders are free again.
    async with developing(config, port):
        assert _databases(tmp_path) == ["config", "config-2"]
