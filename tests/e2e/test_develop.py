"""More than one `scripts/develop` at a time."""

import asyncio
from pathlib import Path

import pytest

from tools.home_assistant import free_port

from .developing import developing


def _databases(folder: Path) -> list[str]:
    """Return the names of the folders with a database."""
    return sorted(path.parent.name for path in folder.glob("*/home-assistant_v2.db"))


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.timeout(600)
async def test_two(tmp_path: Path) -> None:
    """Two that are started at once run beside each other, each with its own folder."""
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
    # Both are free again.
    async with developing(config, port) as url:
        assert url == f"http://127.0.0.1:{port}"
