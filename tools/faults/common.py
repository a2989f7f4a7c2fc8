"""What all faults share: a real Home Assistant (HA) under load, and what is counted."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
import sqlite3
import time

from tools import exactly_once
from tools.home_assistant import HomeAssistant, free_port
from tools.load import Load, Outcome, add_stations, stored_values
from tools.seed import seed

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
    numbered: exactly_once.Result | None = None  # of the station that numbers readings
    figures: dict[str, float] = field(default_factory=dict)  # what only this fault has
    issues: list[list[str]] = field(default_factory=list)  # repair issues, over time

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
    recorder: str | None = "",
    rate: float = RATE,
    stations: int = STATIONS,
    keep_alive: bool = False,
    signed: bool = False,
    environment: Mapping[str, str] = {},
    integrations: str = "",
) -> AsyncGenerator[tuple[HomeAssistant, Load]]:
    """Return a running HA and stations that can report to it; stop it at the end.

    `recorder` are lines of YAML for the recorder, or None to run without it.
    `integrations` are lines for further integrations, `environment` is for HA's
    process.
    """
    port = free_port()
    seed(folder, port)
    configuration = folder / "configuration.yaml"
    text = configuration.read_text()
    if recorder is None:
        # The other default integrations load the recorder.
        for integration in ("recorder", "history", "logbook", "energy"):
            text = text.replace(f"{integration}:\n", "")
    else:
        text = text.replace("recorder:\n", f"recorder:\n{recorder}")
    configuration.write_text(text + integrations)
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


def count(home_assistant: HomeAssistant, result: Result, url: str = "") -> Result:
    """Count the rows of reports in the database; `url` is as SQLAlchemy has it."""
    result.stored = stored_values(url or f"sqlite:///{home_assistant.database}")
    result.log = home_assistant.log.read_text(errors="replace")
    return result


@contextmanager
def locking(home_assistant: HomeAssistant) -> Generator[None]:
    """Lock the database from another process, as a careless backup does."""
    with closing(sqlite3.connect(home_assistant.database)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.rollback()


def faketime(offset: Path, seconds: float = 0) -> dict[str, str]:
    """Return the environment of a process whose clock is off by what `offset` says.

    That file says `seconds` at first. Raises FaultError where libfaketime is not
    installed.
    """
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        raise FaultError("libfaketime is not installed (Debian's package faketime)")
    offset.parent.mkdir(parents=True, exist_ok=True)
    offset.write_text(f"{seconds:+}")
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
