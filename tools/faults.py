"""Counts what a real Home Assistant (HA) loses under faults.

Run `python -m tools.faults` for the figures of docs/security-and-reliability.md.
"""

import argparse
import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from pathlib import Path
import sqlite3
import subprocess
import tempfile
import time
from typing import Any

from homeassistant.const import __version__

from .databases import MARIADB, POSTGRESQL, Database, DatabaseMissingError
from .home_assistant import HomeAssistant, HomeAssistantError, free_port
from .load import NO_ANSWER, Load, Outcome, add_stations, stored_values
from .seed import seed

STATIONS = 10
RATE = 50  # reports a second: far above what a home has
LOOK_EVERY = 0.5  # seconds between two queries of the recorder


@dataclass
class Result:
    """The outcome of a fault: the reports, and which of them the database has."""

    outcome: Outcome
    stored: list[float] = field(default_factory=list)
    log: str = ""
    backlog: int = 0  # the longest queue
    looks: list[float] = field(default_factory=list)  # seconds that each query took

    @property
    def lost(self) -> int:
        """Return how many reports were answered 200 and are not in the database."""
        return len(self.outcome.taken - set(self.stored))

    @property
    def twice(self) -> int:
        """Return how many rows are duplicates."""
        return len(self.stored) - len(set(self.stored))

    @property
    def unanswered_rows(self) -> int:
        """Return how many rows belong to reports that were not answered 200."""
        return len(set(self.stored) - self.outcome.taken)


class FaultError(Exception):
    """The fault cannot be produced on this machine; the text names what is missing."""


@asynccontextmanager
async def under_load(
    folder: Path,
    *,
    recorder: str = "",
    rate: float = RATE,
    stations: int = STATIONS,
    keep_alive: bool = False,
    signed: bool = False,
    environment: Mapping[str, str] = {},
) -> AsyncGenerator[tuple[HomeAssistant, Load]]:
    """Return a running HA and stations that can report to it; stop it at the end.

    `recorder` are lines of YAML for the recorder, `environment` is for HA's process.
    """
    port = free_port()
    seed(folder, port)
    configuration = folder / "configuration.yaml"
    text = configuration.read_text().replace("recorder:\n", f"recorder:\n{recorder}")
    configuration.write_text(text)
    async with HomeAssistant(folder, port, environment) as home_assistant:
        load = Load(
            home_assistant.url,
            await add_stations(home_assistant, stations),
            rate,
            keep_alive=keep_alive,
            signed=signed,
        )
        yield home_assistant, load


@asynccontextmanager
async def watched(
    home_assistant: HomeAssistant, result: Result
) -> AsyncGenerator[None]:
    """Query the recorder over a websocket, as the frontend does, until cancelled."""

    async def look() -> None:
        while True:
            start = time.monotonic()
            info = await home_assistant.websocket("recorder/info")
            result.looks.append(time.monotonic() - start)
            result.backlog = max(result.backlog, info["backlog"])
            await asyncio.sleep(LOOK_EVERY)

    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(look())
        yield
        looking.cancel()


def _result(home_assistant: HomeAssistant, result: Result, url: str = "") -> Result:
    result.stored = stored_values(url or f"sqlite:///{home_assistant.database}")
    result.log = home_assistant.log.read_text(errors="replace")
    return result


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
    return _result(home_assistant, result)


@contextmanager
def _lock(home_assistant: HomeAssistant) -> Generator[None]:
    """Lock the database from another process, as a careless backup does."""
    with closing(sqlite3.connect(home_assistant.database)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.rollback()


async def locked(folder: Path, seconds: float = 60) -> Result:
    """Lock the database during reports."""
    async with under_load(folder) as (home_assistant, load):
        result = Result(load.outcome)
        async with watched(home_assistant, result), load.running():
            await asyncio.sleep(3)
            with _lock(home_assistant):
                await asyncio.sleep(seconds)
            await asyncio.sleep(3)
    return _result(home_assistant, result)


async def overload(folder: Path, rate: float = 1500, limit: float = 120) -> Result:
    """Overload a slow disk until reports are refused for 5 s."""
    async with under_load(folder, rate=rate, keep_alive=True) as (home_assistant, load):
        result = Result(load.outcome)

        async def slow_down() -> None:
            # Shorter than the 5 s that SQLite waits before it fails
            while True:
                with _lock(home_assistant):
                    await asyncio.sleep(4)
                await asyncio.sleep(0.2)

        async with watched(home_assistant, result), load.running():
            slowing = asyncio.create_task(slow_down())
            async with asyncio.timeout(limit):
                while not load.outcome.answers[HTTPStatus.SERVICE_UNAVAILABLE]:
                    await asyncio.sleep(0.1)
            await asyncio.sleep(5)
            slowing.cancel()
    return _result(home_assistant, result)


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
        return _result(home_assistant, result, url)


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
    return _result(home_assistant, result)


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
    return _result(home_assistant, result)


def _faketime(offset: Path) -> dict[str, str]:
    """Return the environment of a process whose clock is off by `offset`.

    Raises FaultError where libfaketime is not installed.
    """
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        raise FaultError("libfaketime is not installed (Debian's package faketime)")
    offset.parent.mkdir(parents=True, exist_ok=True)
    offset.write_text("+0")
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


async def clock(folder: Path, seconds: float = 5) -> Result:
    """Set the clock an hour ahead, two back and one ahead, during reports.

    Raises FaultError where libfaketime is not installed.
    """
    offset = folder / "offset"
    environment = _faketime(offset)
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
    return _result(home_assistant, result)


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
    return _result(home_assistant, result)


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
        return _result(home_assistant, result, url)


type Fault = Callable[[Path], Awaitable[Result]]

FAULTS: Mapping[str, Fault] = {
    "flood for 30 s": flood,
    "flood by one station for 30 s": lambda folder: flood(folder, stations=1),
    "flood of signed reports for 30 s": lambda folder: flood(folder, signed=True),
    "database locked for a minute": locked,
    "more reports than a slow disk takes": overload,
    "disk full for 20 s": lambda folder: full(folder, 20),
    "disk full for a minute": full,
    "HA restarted 3 times": restart,
    "HA killed 5 times, commit_interval 5": lambda folder: kill(folder, 5, 5),
    "HA killed 5 times, commit_interval 1": lambda folder: kill(folder, 1, 5),
    "HA killed 5 times, commit_interval 0": lambda folder: kill(folder, 0, 5),
    "clock set an hour ahead and back": clock,
    "stations changed, recorder purged": changes,
    "PostgreSQL": lambda folder: database(folder, POSTGRESQL),
    "MariaDB": lambda folder: database(folder, MARIADB),
}


async def _run(name: str, fault: Fault) -> str:
    """Return the line of the table for a fault."""
    with tempfile.TemporaryDirectory(prefix="esp_weather-") as folder:
        try:
            result = await fault(Path(folder))
        except (FaultError, DatabaseMissingError) as err:
            return f"| {name} | not possible here: {err} |"
    outcome = result.outcome
    cells: list[Any] = [
        name,
        outcome.sent,
        len(outcome.taken),
        outcome.answers[HTTPStatus.SERVICE_UNAVAILABLE],
        outcome.answers[NO_ANSWER],
        result.lost,
        result.unanswered_rows,
        result.twice,
        result.backlog or "",
        f"{max(result.looks):.2f} s" if result.looks else "",
        f"{outcome.percentile(99):.3f} s",
    ]
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def main() -> None:
    """Print the table; names on the command line choose some of its lines."""
    parser = argparse.ArgumentParser(prog="python -m tools.faults", description=__doc__)
    parser.add_argument(
        "words", nargs="*", help="only faults that contain one of these"
    )
    words = parser.parse_args().words
    print(f"Home Assistant {__version__}, {date.today()}\n")
    print(
        "| fault | sent | 200 | 503 | no answer | lost | rows without 200 | twice |"
        " backlog | slowest websocket | p99 |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name, fault in FAULTS.items():
        if not words or any(word in name for word in words):
            print(asyncio.run(_run(name, fault)), flush=True)


if __name__ == "__main__":
    main()
