"""Faults of Home Assistant's (HA's) recorder and of its database.

Half of the reports are of a station that numbers its readings and keeps each until it
is stored, the other half are unsigned.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import (
    AsyncExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
    suppress,
)
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from itertools import pairwise
import math
import os
from pathlib import Path
from random import Random
import shutil
import sqlite3
import tarfile
import tempfile
import time

from tools import exactly_once
from tools.exactly_once import running, until_stored
from tools.home_assistant import HomeAssistant, HomeAssistantError
from tools.load import Load, stored_values
from tools.numbered_station import NumberedStation
from tools.station import Station, add_station

from .common import LOOK_EVERY, RATE, Result, count, faketime, locking, under_load

NUMBERED = Station("Numbered", "5c:cf:7f:2b:0f:00")
WRITTEN_LIMIT = 30  # seconds after the last report until everything has to be stored
NOTICED_LIMIT = 30  # seconds until a report has to be refused
START_SECONDS = 60  # until HA runs and its stations have reported, on a slow machine
REFUSED_BEFORE = 4  # seconds before statistics end; the integration takes 5 to notice
PERIOD = 300  # seconds of short-term statistics
COMPILED_AFTER = 10  # seconds after their end


@dataclass
class Trial:
    """A running HA, unsigned stations and one that numbers its readings."""

    home_assistant: HomeAssistant
    load: Load
    station: NumberedStation
    numbered: exactly_once.Result = field(default_factory=exactly_once.Result)
    result: Result = field(init=False)

    def __post_init__(self) -> None:
        """Initialize the result."""
        self.result = Result(self.load.outcome, numbered=self.numbered)

    @property
    def url(self) -> str:
        """Return the database's URL as SQLAlchemy has it."""
        return f"sqlite:///{self.home_assistant.database}"

    @asynccontextmanager
    async def reporting(self) -> AsyncGenerator[None]:
        """Have all stations report until the block ends."""
        async with running(self.station.run()), self.load.running():
            yield

    async def act(self, action: str) -> None:
        """Run an action of HA, such as `recorder/disable`, to its end."""
        await self.home_assistant.rest("POST", f"/api/services/{action}", {})

    async def note_issues(self) -> None:
        """Add the repair issues of the integration to the result."""
        issues = await self.home_assistant.websocket("repairs/list_issues")
        self.result.issues.append(
            [
                issue["translation_key"]
                for issue in issues["issues"]
                if issue["domain"] == "esp_weather"
            ]
        )

    async def until_written(self) -> None:
        """Wait until all that was taken is stored, and note how long that took."""
        start = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(WRITTEN_LIMIT):
                await until_stored(self.station)
                while self.load.outcome.taken - set(stored_values(self.url)):
                    await asyncio.sleep(0.2)
        self.result.figures["written after, s"] = round(time.monotonic() - start, 1)
        await self.note_issues()

    def count_confirmed(self) -> None:
        """Count what has been confirmed so far and is not in the database."""
        self.numbered.count([self.station], self.url)

    def finish(self, *others: str) -> Result:
        """Count the rows in the database, and in `others` that were it before."""
        self.numbered.finish([self.station], None, self.url, *others)
        return count(self.home_assistant, self.result)


@asynccontextmanager
async def half_numbered(
    folder: Path,
    *,
    recorder: str | None = "",
    integrations: str = "",
    environment: Mapping[str, str] = {},
) -> AsyncGenerator[Trial]:
    """Return a running HA and stations that can report to it; stop it at the end."""
    async with under_load(
        folder,
        recorder=recorder,
        rate=RATE / 2,
        environment=environment,
        integrations=integrations,
    ) as (home_assistant, load):
        await add_station(home_assistant, NUMBERED)
        station = NumberedStation(NUMBERED, home_assistant.url, every=2 / RATE)
        yield Trial(home_assistant, load, station)


async def disabled(folder: Path, pauses: Sequence[float] = (60, 15, 15, 15)) -> Result:
    """Disable the recorder for so many seconds each during reports, and enable it.

    The first pause begins before the sensors exist.
    """
    async with half_numbered(folder) as trial:
        await trial.act("recorder/disable")
        async with trial.reporting():
            for seconds in pauses:
                await trial.act("recorder/disable")
                await asyncio.sleep(seconds)
                await trial.note_issues()
                trial.count_confirmed()
                await trial.act("recorder/enable")
                await asyncio.sleep(Random().uniform(1, 2))
        await trial.until_written()
    return trial.finish()


type Replacement = Callable[[Path, Path], None]


def _each(database: Path) -> list[Path]:
    """Return a database's file and those that SQLite has beside it."""
    return [database.with_name(database.name + end) for end in ("", "-wal", "-shm")]


def delete(database: Path, _older: Path) -> None:
    """Delete the database with all that belongs to it."""
    for file in _each(database):
        file.unlink(missing_ok=True)


def delete_log(database: Path, _older: Path) -> None:
    """Delete the write-ahead log alone."""
    _each(database)[1].unlink()


def move_older(database: Path, older: Path) -> None:
    """Move an older copy to the place of the database."""
    older.replace(database)


def move_empty(database: Path, older: Path) -> None:
    """Move an empty file to the place of the database."""
    older.write_bytes(b"")
    older.replace(database)


def copy_older(database: Path, older: Path) -> None:
    """Overwrite the content of the database's file with an older one."""
    shutil.copyfile(older, database)


def truncate(database: Path, _older: Path) -> None:
    """Empty the database's file."""
    os.truncate(database, 0)


def _snapshot(database: Path, copy: Path) -> None:
    """Copy the content that a database has now."""
    with (
        closing(sqlite3.connect(database)) as connection,
        closing(sqlite3.connect(copy)) as target,
    ):
        connection.backup(target)


def _checkpoint(database: Path) -> None:
    """Have the rows in the file, as most are after some hours, and not in the log."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _ask_for_history(home_assistant: HomeAssistant) -> None:
    """Query the database, as an open dashboard does, until cancelled."""
    while True:
        with suppress(HomeAssistantError):
            await home_assistant.websocket(
                "history/history_during_period",
                start_time="2026-01-01T00:00:00+00:00",
                entity_ids=["sensor.numbered_temperature"],
            )
        await asyncio.sleep(LOOK_EVERY)


async def replaced(
    folder: Path, replace: Replacement, seconds: float = 12, *, report: bool = True
) -> Result:
    """Replace the database after so many seconds of reports, and restart HA later.

    Without `report` the first reports come after that.
    """
    older, before = folder / "older.db", folder / "before.db"
    async with half_numbered(folder / "config") as trial:
        home_assistant, outcome = trial.home_assistant, trial.load.outcome
        database, figures = home_assistant.database, trial.result.figures
        _snapshot(database, older)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(running(_ask_for_history(home_assistant)))
            if report:
                await stack.enter_async_context(trial.reporting())
            await asyncio.sleep(seconds * Random().uniform(0.8, 1.2))
            _checkpoint(database)
            # HA commits nothing in between.
            with locking(home_assistant):
                _snapshot(database, before)
                replace(database, older)
            start, confirmed = time.monotonic(), trial.station.confirmed
            taken = set(outcome.taken)
            if not report:
                await stack.enter_async_context(trial.reporting())
            with suppress(TimeoutError):
                async with asyncio.timeout(NOTICED_LIMIT):
                    while not outcome.answers[HTTPStatus.SERVICE_UNAVAILABLE]:
                        await asyncio.sleep(0.05)
            figures["503 after, s"] = round(time.monotonic() - start, 1)
            await asyncio.sleep(2)
            await trial.note_issues()
            figures["confirmed meanwhile"] = trial.station.confirmed - confirmed
        meanwhile = outcome.taken - taken
        await home_assistant.stop()
        log = home_assistant.log.read_text(errors="replace")
        refused = outcome.answers[HTTPStatus.SERVICE_UNAVAILABLE]
        await home_assistant.start()
        async with trial.reporting():
            await asyncio.sleep(2)
        await trial.until_written()
    result = trial.finish(f"sqlite:///{before}")
    result.log = log + result.log
    figures["200 meanwhile"] = len(meanwhile)
    figures["of these not in the new file"] = len(meanwhile - set(result.stored))
    figures["503 after the restart"] = (
        outcome.answers[HTTPStatus.SERVICE_UNAVAILABLE] - refused
    )
    return result


async def backup(folder: Path, times: int = 3, megabytes: int = 300) -> Result:
    """Have HA back itself up during reports; the size makes it last for seconds.

    Of each backup the database is checked, which must have what was confirmed before.
    """
    async with half_numbered(folder, integrations="backup:\n") as trial:
        figures = trial.result.figures
        with (folder / "large").open("wb") as large:
            for _ in range(megabytes):
                large.write(os.urandom(1_000_000))
        async with trial.reporting():
            for _ in range(times):
                await asyncio.sleep(Random().uniform(2, 4))
                start, confirmed = time.monotonic(), trial.station.confirmed
                await trial.act("backup/create")
                _note_most(figures, "longest backup, s", time.monotonic() - start)
                newest = max(
                    (folder / "backups").glob("*.tar"),
                    key=lambda file: file.stat().st_mtime,
                )
                missing = await asyncio.to_thread(
                    _missing_in_backup, newest, trial.station, confirmed
                )
                _note_most(figures, "confirmed before, not in the backup", missing)
                trial.count_confirmed()
        await trial.until_written()
    return trial.finish()


def _note_most(figures: dict[str, float], name: str, figure: float) -> None:
    figures[name] = max(figures.get(name, 0), round(figure, 1))


def _missing_in_backup(file: Path, station: NumberedStation, confirmed: int) -> int:
    """Return how many of the readings up to a number a backup's database lacks."""
    with (
        tempfile.TemporaryDirectory() as folder,
        tarfile.open(file) as backup_file,
        tarfile.open(fileobj=backup_file.extractfile("homeassistant.tar.gz")) as data,
    ):
        wanted = [member for member in data if "/home-assistant_v2.db" in member.name]
        data.extractall(folder, wanted, filter="data")
        (database,) = Path(folder).rglob("home-assistant_v2.db")
        with closing(sqlite3.connect(database)) as connection:
            if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise RuntimeError("the database of a backup is broken")
            rows = connection.execute("SELECT context_id_bin FROM states")
            found = {identity for (identity,) in rows}
    return sum(station.identity(each) not in found for each in range(confirmed + 1))


@contextmanager
def _refusing(home_assistant: HomeAssistant, one_in: int) -> Generator[None]:
    """Have the database refuse one in so many new states, at random.

    The recorder then drops all that it has not committed.
    """

    def execute(statement: str) -> None:
        with closing(
            sqlite3.connect(home_assistant.database, timeout=20)
        ) as connection:
            connection.execute(statement)

    execute(
        "CREATE TRIGGER refusing BEFORE INSERT ON states"
        f" WHEN abs(random()) % {one_in} = 0"
        " BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END"
    )
    try:
        yield
    finally:
        execute("DROP TRIGGER refusing")


async def dropped(folder: Path, seconds: float = 150, one_in: int = 100) -> Result:
    """Have the recorder drop what it has not written, again and again.

    The database refuses one in so many states at random, or is locked for longer than
    the recorder tries.
    """
    # It tries twice, which takes 6 s.
    recorder = "  db_max_retries: 2\n  db_retry_wait: 1\n"
    async with half_numbered(folder, recorder=recorder) as trial:
        chance = Random()
        async with trial.reporting():
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                await asyncio.sleep(chance.uniform(0.5, 3))
                with _refusing(trial.home_assistant, one_in):
                    # The recorder commits every 5 s.
                    await asyncio.sleep(chance.uniform(5.5, 8))
                await asyncio.sleep(chance.uniform(0.5, 3))
                if time.monotonic() < end - 10:
                    with locking(trial.home_assistant):
                        await asyncio.sleep(chance.uniform(8, 20))
            trial.count_confirmed()
        await trial.until_written()
    return _count_dropped(trial.finish())


def _count_dropped(result: Result) -> Result:
    """Count how often the recorder has logged that it drops what it has."""
    log = result.log.lower()
    result.figures["times dropped"] = sum(
        log.count(f"error {what}processing") for what in ("", "while ")
    )
    return result


async def dropped_for_statistics(folder: Path) -> Result:
    """Have the recorder drop the last rows of 5 minutes, and compile their statistics.

    These are compared with the rows then and in the end. Raises FaultError where
    libfaketime is not installed.
    """
    refuse_at = time.time() + START_SECONDS
    period_end = (refuse_at // PERIOD + 1) * PERIOD
    ahead = period_end - refuse_at - REFUSED_BEFORE
    environment = faketime(folder / "offset", ahead)
    async with half_numbered(folder / "config", environment=environment) as trial:
        database, figures = trial.home_assistant.database, trial.result.figures
        async with trial.reporting():
            await asyncio.sleep(refuse_at - time.time())
            with _refusing(trial.home_assistant, one_in=1):
                await asyncio.sleep(REFUSED_BEFORE + COMPILED_AFTER + 3)
            at_first = _statistics(database, period_end)
        await trial.until_written()
        right = _statistics_of_rows(database, period_end)
        with suppress(TimeoutError):
            async with asyncio.timeout(WRITTEN_LIMIT):
                while _wrong(_statistics(database, period_end), right):
                    await asyncio.sleep(0.5)
    figures["statistics"] = len(right)
    figures["wrong at first"] = _wrong(at_first, right)
    figures["wrong in the end"] = _wrong(_statistics(database, period_end), right)
    return _count_dropped(trial.finish())


type Statistics = Mapping[str, tuple[float, ...]]  # minimum, maximum and mean


def _statistics(database: Path, period_end: float) -> Statistics:
    """Return the statistics of the 5 minutes until then by their IDs."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT statistic_id, min, max, mean FROM statistics_short_term"
            " JOIN statistics_meta ON statistics_meta.id = metadata_id"
            " WHERE start_ts = ?",
            (period_end - PERIOD,),
        )
        return {statistic_id: tuple(values) for statistic_id, *values in rows}


def _statistics_of_rows(database: Path, period_end: float) -> Statistics:
    """Return what the statistics have to be; the sensors are new in these 5 minutes."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT states_meta.entity_id, last_updated_ts, CAST(state AS REAL)"
            " FROM states JOIN states_meta USING (metadata_id)"
            " WHERE last_updated_ts < ? AND state NOT IN ('unavailable', 'unknown')"
            " AND states_meta.entity_id LIKE 'sensor.%_temperature'"
            " ORDER BY last_updated_ts",
            (period_end,),
        ).fetchall()
    series: dict[str, list[tuple[float, float]]] = {}
    for entity_id, at, value in rows:
        series.setdefault(entity_id, []).append((at, value))
    return {
        entity_id: (*_range(points), _mean(points, period_end))
        for entity_id, points in series.items()
    }


def _range(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    values = [value for _, value in points]
    return min(values), max(values)


def _mean(points: Sequence[tuple[float, float]], end: float) -> float:
    """Return the mean of values, each of which holds until the next one."""
    last = (end, math.nan)
    return sum(
        value * (until - at) for (at, value), (until, _) in pairwise([*points, last])
    ) / (end - points[0][0])


def _wrong(found: Statistics, right: Statistics) -> int:
    """Return how many statistics are missing or not right."""
    return sum(
        entity_id not in found
        or not all(map(partial(math.isclose, abs_tol=1e-6), found[entity_id], values))
        for entity_id, values in right.items()
    )


async def without_recorder(folder: Path, seconds: float = 20) -> Result:
    """Report to an HA that has no recorder."""
    async with half_numbered(folder, recorder=None) as trial:
        async with trial.reporting():
            await asyncio.sleep(seconds)
        return await _never_stored(trial)


async def excluded(folder: Path, seconds: float = 20) -> Result:
    """Report to sensors that are excluded from recording; lock the database, too."""
    recorder = "  exclude:\n    entity_globs: sensor.*_temperature*\n"
    async with half_numbered(folder, recorder=recorder) as trial:
        with locking(trial.home_assistant):
            async with trial.reporting():
                await asyncio.sleep(seconds)
        return await _never_stored(trial)


async def _never_stored(trial: Trial) -> Result:
    """Count the sensors that show their last value, the confirmations and the rows."""
    result, figures, station = trial.result, trial.result.figures, trial.station
    figures["not confirmed at the end"] = len(station.measured) - 1 - station.confirmed
    await until_stored(station)
    await trial.note_issues()
    states = await trial.home_assistant.rest("GET", "/api/states")
    shown = {
        each["state"] for each in states if each["entity_id"].startswith("sensor.")
    }
    # Each value is higher than those before, and the stations take turns.
    values = sorted(trial.load.outcome.taken)[-len(trial.load.stations) :]
    expected = [*values, station.measured[len(station.measured) - 1]]
    figures["shown"] = sum(str(value) in shown for value in expected)
    trial.numbered.measured = len(station.measured)
    trial.numbered.confirmed = station.confirmed + 1
    trial.numbered.left = trial.numbered.measured - trial.numbered.confirmed
    await trial.home_assistant.stop()
    result.log = trial.home_assistant.log.read_text(errors="replace")
    figures["database files"] = len(list(trial.home_assistant.config.glob("*.db")))
    if figures["database files"]:
        figures["rows"] = len(stored_values(trial.url))
    return result
