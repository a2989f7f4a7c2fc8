"""Faults of the machine, of the network and of the user."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
import subprocess

from tools.databases import Database
from tools.home_assistant import HomeAssistantError
from tools.load import add_stations

from .common import (
    STATIONS,
    FaultError,
    Result,
    count,
    faketime,
    locking,
    under_load,
    watched,
)


async def flood(
    folder: Path, seconds: float = 30, stations: int = 100, *, signed: bool = False
) -> Result:
    """Report more often than HA can answer, and check that it stays usable."""
    async with under_load(
        folder, rate=3000, stations=stations, keep_alive=True, signed=signed
    ) as (home_assistant, load):
        result = Result(load.outcome)
        async with watched(home_assistant, result), load.running():
            await asyncio.sleep(seconds)
    return count(home_assistant, result)


async def locked(folder: Path, seconds: float = 60) -> Result:
    """Lock the database during reports."""
    async with under_load(folder) as (home_assistant, load):
        result = Result(load.outcome)
        async with watched(home_assistant, result), load.running():
            await asyncio.sleep(3)
            with locking(home_assistant):
                await asyncio.sleep(seconds)
            await asyncio.sleep(3)
    return count(home_assistant, result)


async def overload(folder: Path, rate: float = 1500, limit: float = 120) -> Result:
    """Overload a slow disk until reports are refused for 5 s."""
    async with under_load(folder, rate=rate, keep_alive=True) as (home_assistant, load):
        result = Result(load.outcome)

        async def slow_down() -> None:
            # Shorter than the 5 s that SQLite waits before it fails
            while True:
                with locking(home_assistant):
                    await asyncio.sleep(4)
                await asyncio.sleep(0.2)

        async with watched(home_assistant, result), load.running():
            slowing = asyncio.create_task(slow_down())
            async with asyncio.timeout(limit):
                while not load.outcome.answers[HTTPStatus.SERVICE_UNAVAILABLE]:
                    await asyncio.sleep(0.1)
            await asyncio.sleep(5)
            slowing.cancel()
    return count(home_assistant, result)


@contextmanager
def _small_disk(folder: Path) -> Generator[Path]:
    """Mount a disk of 32 MB in `folder`. Raises FaultError where that is not allowed."""
    disk = folder / "disk"
    disk.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        raise FaultError("only root can mount a small disk, and not in every container")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _fill(disk: Path) -> Path:
    """Fill a disk to its last byte; return the file that fills it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


async def full(folder: Path, seconds: float = 60) -> Result:
    """Fill the disk of the database, and make room again.

    Raises FaultError where no small disk can be mounted.
    """
    with _small_disk(folder) as disk:
        url = f"sqlite:///{disk}/home-assistant_v2.db"
        async with under_load(folder, recorder=f"  db_url: {url}\n") as (
            home_assistant,
            load,
        ):
            result = Result(load.outcome)
            async with watched(home_assistant, result), load.running():
                await asyncio.sleep(3)
                ballast = _fill(disk)
                await asyncio.sleep(seconds)
                ballast.unlink()
                await asyncio.sleep(5)
        return count(home_assistant, result, url)


async def restart(folder: Path, times: int = 3) -> Result:
    """Restart HA as its own pages do, during reports."""
    async with under_load(folder) as (home_assistant, load):
        result = Result(load.outcome)
        async with load.running():
            for _ in range(times):
                await asyncio.sleep(3)
                await home_assistant.stop()
                await home_assistant.start()
            await asyncio.sleep(3)
    return count(home_assistant, result)


async def kill(folder: Path, commit_interval: int, times: int = 3) -> Result:
    """Kill HA as a power cut does, during reports, and start it again."""
    recorder = f"  commit_interval: {commit_interval}\n"
    async with under_load(folder, recorder=recorder) as (home_assistant, load):
        result = Result(load.outcome)
        for _ in range(times):
            async with load.running():
                # At a random moment between two commits
                await asyncio.sleep(1.3 * commit_interval + 5)
                await home_assistant.kill()
            await home_assistant.start()
        async with load.running():
            await asyncio.sleep(1)
    return count(home_assistant, result)


async def clock(folder: Path, seconds: float = 5) -> Result:
    """Set the clock an hour ahead, two back and one ahead, during reports.

    Raises FaultError where libfaketime is not installed.
    """
    offset = folder / "offset"
    environment = faketime(offset)
    async with under_load(folder, environment=environment) as (home_assistant, load):
        result = Result(load.outcome)
        async with load.running():
            for step in ("+0", "+3600", "-3600", "+0"):
                offset.write_text(step)
                await asyncio.sleep(seconds)
                # A token is valid for half an hour.
                await home_assistant.log_in()
                states = await home_assistant.rest("GET", "/api/states")
                silent = [
                    state["entity_id"]
                    for state in states
                    if state["entity_id"].startswith("sensor.load_")
                    and state["state"] == "unavailable"
                ]
                if silent:
                    raise HomeAssistantError(f"unavailable at {step} s: {silent}")
    return count(home_assistant, result)


async def changes(folder: Path, times: int = 2) -> Result:
    """Reload, disable, enable, remove and add stations, and purge, during reports."""
    async with under_load(folder) as (home_assistant, load):
        result = Result(load.outcome)
        entries = "/api/config/config_entries/entry"
        async with load.running():
            for _ in range(times):
                await asyncio.sleep(1)
                stations = [
                    entry["entry_id"]
                    for entry in await home_assistant.rest("GET", entries)
                    if entry["domain"] == "esp_weather"
                ]
                for entry_id in stations[:4]:
                    await home_assistant.rest("POST", f"{entries}/{entry_id}/reload")
                for disabled_by in ("user", None):
                    for entry_id in stations[4:6]:
                        await home_assistant.websocket(
                            "config_entries/disable",
                            entry_id=entry_id,
                            disabled_by=disabled_by,
                        )
                    await asyncio.sleep(1)
                for entry_id in stations[6:8]:
                    await home_assistant.rest("DELETE", f"{entries}/{entry_id}")
                await asyncio.sleep(1)
                await add_stations(home_assistant, STATIONS)
                await home_assistant.rest(
                    "POST",
                    "/api/services/recorder/purge",
                    {"keep_days": 1, "repack": True},
                )
            await asyncio.sleep(2)
    return count(home_assistant, result)


async def database(folder: Path, kind: Database, seconds: float = 10) -> Result:
    """Report to an HA whose recorder writes to a database server.

    Raises DatabaseMissingError where that is not installed.
    """
    async with kind.running() as url:
        recorder = f"  db_url: {url}\n"
        async with under_load(folder / "config", recorder=recorder) as (
            home_assistant,
            load,
        ):
            result = Result(load.outcome)
            async with watched(home_assistant, result), load.running():
                await asyncio.sleep(seconds)
        return count(home_assistant, result, url)
