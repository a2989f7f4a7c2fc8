"""Counts how often confirmed readings are stored despite faults of Home Assistant.

Run `python -m tools.exactly_once` for the figures of docs/security-and-reliability.md.
Rows are counted by the identity of their reading.
"""

import argparse
import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from hashlib import sha256
from http import HTTPStatus
import json
import os
from pathlib import Path
from random import Random
import shutil
import signal
import sqlite3
import tempfile
import time
from typing import Protocol

import aiohttp
import sqlalchemy
from yarl import URL

from homeassistant.const import __version__

from .databases import MARIADB, POSTGRESQL, Database, DatabaseMissingError
from .home_assistant import HomeAssistant, free_port
from .lossy_files import LossyDisk, LossyFilesMissingError
from .numbered_station import NumberedStation
from .seed import seed
from .station import INDOOR, OUTDOOR, Station, add_station, run_station

STORED_LIMIT = 60  # seconds at the end until everything has to be stored
UNSIGNED_EVERY = 0.2  # seconds
BOARD = Station("Board", "5c:cf:7f:2b:0e:69")
# A Home Assistant without our sync; SQLite's own does not go through Python.
UNSYNCED = """
import os, runpy
os.fsync = lambda _: None
runpy.run_module("homeassistant", run_name="__main__", alter_sys=True)
"""


class Reporting(Protocol):
    """The reports of a station that numbers its readings."""

    @property
    def values(self) -> Mapping[bytes, float]:
        """Return every value by its reading's identity."""

    @property
    def confirmed_identities(self) -> Collection[bytes]:
        """Return the identities of the readings that it was told are stored."""


@dataclass
class Result:
    """The outcome for readings of stations that number them."""

    measured: int = 0
    confirmed: int = 0  # at the worst moments
    of_board: int = 0  # of these, from the firmware
    lost: int = 0  # of those that were confirmed
    twice: int = 0
    wrong: int = 0
    left: int = 0  # not stored in the end
    unsigned: int = 0  # reports of an unsigned station, answered 200
    unsigned_lost: int = 0
    oldest_lost: float = 0.0  # seconds before the cut
    replayed: dict[int, int] = field(default_factory=dict)  # by status

    def count(self, stations: Collection[Reporting], url: str, *others: str) -> None:
        """Count the rows in a database, whose `url` is as SQLAlchemy has it.

        What was confirmed may also be in one of the `others`, its predecessors.
        """
        states = _states(url)
        found = {
            *states,
            *(identity for other in others for identity in _states(other)),
        }
        self.confirmed = 0
        for station in stations:
            confirmed = station.confirmed_identities
            self.confirmed += len(confirmed)
            self.lost += sum(each not in found for each in confirmed)
            for identity, value in station.values.items():
                rows = states.get(identity, [])
                self.twice += len(rows) > 1
                self.wrong += any(float(state) != round(value, 4) for state in rows)

    def finish(
        self,
        stations: Collection[Reporting],
        board: HeardStation | None,
        url: str,
        *others: str,
    ) -> Result:
        """Count the rows once there was time to store everything."""
        self.count(stations, url, *others)
        self.measured = sum(len(each.values) for each in stations)
        self.of_board = 0 if board is None else len(board.values)
        self.left = self.measured - self.confirmed
        return self


def _states(url: str) -> Mapping[bytes, list[str]]:
    """Return the states in a database by their context IDs."""
    engine = sqlalchemy.create_engine(url)
    states: dict[bytes, list[str]] = {}
    with closing(engine.connect()) as connection:
        for identity, state in connection.execute(
            sqlalchemy.text("SELECT context_id_bin, state FROM states")
        ):
            states.setdefault(bytes(identity or b""), []).append(state)
    engine.dispose()
    return states


class UnsignedStation:
    """Reports one value after another, and records when each was answered 200."""

    def __init__(self, station: Station) -> None:
        """Initialize the station."""
        self.taken: dict[float, float] = {}
        self._station = station
        self._next = 1000

    async def run(self, url: str) -> None:
        """Report until this is cancelled."""
        async with aiohttp.ClientSession() as session:
            while True:
                self._next += 1
                value = self._next / 100
                path = self._station.report_path(1, f"{value:.2f}")
                with suppress(aiohttp.ClientError):
                    async with session.get(URL(url + path, encoded=True)) as answer:
                        if answer.ok:
                            self.taken[value] = time.monotonic()
                await asyncio.sleep(UNSIGNED_EVERY)


class HeardStation:
    """The firmware's station as seen on the network, which shows its numbers."""

    def __init__(self, mac: str) -> None:
        """Initialize with the MAC of the station."""
        self._mac = mac
        self._values: dict[tuple[str, int], float] = {}
        self._stored: dict[str, int] = {}
        self._is_finished = False

    @property
    def values(self) -> Mapping[bytes, float]:
        """Return every value by its reading's identity."""
        return {self._identity(*each): value for each, value in self._values.items()}

    @property
    def confirmed_identities(self) -> Collection[bytes]:
        """Return the identities of the readings that it was told are stored."""
        return [
            self._identity(stream, number)
            for stream, number in self._values
            if number <= self._stored.get(stream, -1)
        ]

    def finish(self) -> tuple[str, int]:
        """Ignore what is measured from now on; return the newest reading's number."""
        self._is_finished = True
        return list(self._values)[-1]

    def is_stored(self, stream: str, number: int) -> bool:
        """Return whether a reading was confirmed."""
        return number <= self._stored.get(stream, -1)

    def async_heard(self, request: bytes, answer: bytes = b"") -> None:
        """Record a report of the station and its answer."""
        body = request.partition(b"\r\n\r\n")[2]
        if not body or (report := json.loads(body))["mac"] != self._mac:
            return
        for place, reading in enumerate(report["readings"]):
            key = report["stream"], report["first"] + place
            if not self._is_finished:
                self._values.setdefault(key, reading["value"])
        if _status(answer) == HTTPStatus.OK:
            stored = json.loads(answer.partition(b"\r\n\r\n")[2])["stored"]
            stream = report["stream"]
            self._stored[stream] = max(self._stored.get(stream, -1), stored)

    def _identity(self, stream: str, number: int) -> bytes:
        return sha256(f"{self._mac}/{stream}/{number}".encode()).digest()[:16]


class Network:
    """A proxy that loses requests and answers, and sends requests once more.

    `loss` and `replay` are the probabilities. A replay is that of a third party who
    listens on the network. `board` records the traffic of the firmware.
    """

    def __init__(self, port: int, loss: float = 0, replay: float = 0) -> None:
        """Initialize with the port of the server."""
        self.board = HeardStation(BOARD.mac)
        self.replayed: dict[int, int] = {}
        self._port = port
        self._loss = loss
        self._replay = replay
        self._chance = Random()
        self._heard: list[bytes] = []
        self._connections: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[int]:
        """Return the port of the proxy while it runs."""
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await server.wait_closed()

    async def _handle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        with suppress(OSError, EOFError):
            async with _closed(writer):
                await self._pass_on(reader, writer)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            request = await _message(reader)
            self.board.async_heard(request)
            if self._chance.random() < self._loss:
                return
            if self._heard and self._chance.random() < self._replay:
                await self._send_again(self._chance.choice(self._heard[-50:]))
            self._heard.append(request)
            answer = await self._ask(request)
            if self._chance.random() < self._loss:
                return
            self.board.async_heard(request, answer)
            writer.write(answer)
            await writer.drain()

    async def _send_again(self, request: bytes) -> None:
        status = _status(await self._ask(request))
        self.replayed[status] = self.replayed.get(status, 0) + 1

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        async with _closed(writer):
            writer.write(request)
            return await _message(reader)


@asynccontextmanager
async def _closed(writer: asyncio.StreamWriter) -> AsyncGenerator[None]:
    """Close a connection at the end of the block, and wait until it is."""
    try:
        yield
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Return an HTTP message with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    _, _, length = head.lower().partition(b"content-length:")
    return head + await reader.readexactly(int(length.split(b"\r\n", 1)[0]))


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@asynccontextmanager
async def running(*awaitables: Awaitable[None]) -> AsyncGenerator[None]:
    """Have stations report while the block runs."""
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _set_up(home_assistant: HomeAssistant, *stations: Station) -> None:
    """Set up stations; return once a crash would not lose them."""
    for station in stations:
        await add_station(home_assistant, station)
    # Home Assistant writes its settings some seconds later, or when it stops.
    await home_assistant.stop()
    await home_assistant.start()


async def until_stored(
    *stations: NumberedStation, board: HeardStation | None = None
) -> None:
    """Have stations report until all is stored, for STORED_LIMIT at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(STORED_LIMIT):
            for station in stations:
                await station.run(measure=False)
            if board is not None:
                newest = board.finish()
                while not board.is_stored(*newest):
                    await asyncio.sleep(0.2)


def _use_database(config: Path, port: int, url: str) -> None:
    seed(config, port)
    configuration = config / "configuration.yaml"
    text = configuration.read_text()
    configuration.write_text(
        text.replace("recorder:\n", f"recorder:\n  db_url: {url}\n")
    )


async def power_cuts(
    folder: Path, times: int = 10, seconds: float = 8, *, is_synced: bool = True
) -> Result:
    """Cut the power at random moments while three stations report.

    One of them runs the firmware. Raises LossyFilesMissingError where no file system
    can be mounted.
    """
    disk = LossyDisk(folder / "power")
    name = "home-assistant_v2.db"
    on_disk = f"sqlite:///{disk.disk}/{name}"
    result, chance = Result(), Random()
    config, port = folder / "config", free_port()
    _use_database(config, port, f"sqlite:///{disk.mount}/{name}")
    home_assistant = HomeAssistant(
        config, port, program=("-m", "homeassistant") if is_synced else ("-c", UNSYNCED)
    )
    station = NumberedStation(OUTDOOR, home_assistant.url)
    unsigned = UnsignedStation(INDOOR)
    network = Network(port)
    reporting: list[Reporting] = [station, network.board]
    with disk.mounted():
        await home_assistant.start()
        for each in (OUTDOOR, INDOOR, BOARD):
            await add_station(home_assistant, each)
        # Home Assistant's other files are not on this disk.
        await home_assistant.stop()
    async with network.running() as proxy:
        board = run_station(
            BOARD, folder / "board", BOARD.config(proxy, 1), rising=True
        )
        async with running(board):
            async with running(station.run()):
                for _ in range(times):
                    with disk.mounted():
                        await home_assistant.start()
                        async with running(unsigned.run(home_assistant.url)):
                            await asyncio.sleep(seconds * chance.uniform(0.5, 1.5))
                            disk.cut()
                            cut_at = time.monotonic()
                        await home_assistant.kill()
                    result.count(reporting, on_disk)
                    _count_unsigned(result, unsigned, disk.disk / name, cut_at)
            confirmed = result.confirmed
            with disk.mounted():
                await home_assistant.start()
                await until_stored(station, board=network.board)
                await home_assistant.stop()
    with closing(sqlite3.connect(disk.disk / name)) as connection:
        if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise RuntimeError("the database is broken")
    result.finish(reporting, network.board, f"sqlite:///{disk.live}/{name}")
    result.confirmed = confirmed
    return result


def _count_unsigned(
    result: Result, station: UnsignedStation, database: Path, cut_at: float
) -> None:
    with closing(sqlite3.connect(database)) as connection:
        stored = {
            float(state)
            for (state,) in connection.execute(
                "SELECT state FROM states JOIN states_meta USING (metadata_id)"
                " WHERE states_meta.entity_id = 'sensor.indoor_temperature'"
                " AND state NOT IN ('unknown', 'unavailable')"
            )
        }
    lost = {value: at for value, at in station.taken.items() if value not in stored}
    result.unsigned += len(station.taken)
    result.unsigned_lost += len(lost)
    result.oldest_lost = max(
        result.oldest_lost, *(cut_at - at for at in lost.values()), 0
    )
    station.taken.clear()


async def bad_network(
    folder: Path,
    rounds: int = 5,
    seconds: float = 8,
    *,
    stations: int = 3,
    database: Database | None = None,
) -> Result:
    """Report over a bad network, while Home Assistant is stopped for 12 s and killed.

    One more station runs the firmware. Raises DatabaseMissingError.
    """
    result, chance = Result(), Random()
    home_assistant = HomeAssistant(folder / "config", free_port())
    network = Network(home_assistant.port, loss=0.1, replay=0.3)
    url = f"sqlite:///{home_assistant.database}"
    async with AsyncExitStack() as stack:
        if database is not None:
            url = await stack.enter_async_context(database.running())
            _use_database(home_assistant.config, home_assistant.port, url)
        await stack.enter_async_context(home_assistant)
        port = await stack.enter_async_context(network.running())
        all_stations = [
            Station(f"Number {number}", f"5c:cf:7f:2b:0f:0{number}")
            for number in range(stations)
        ]
        await _set_up(home_assistant, BOARD, *all_stations)
        numbered = [
            NumberedStation(each, f"http://127.0.0.1:{port}") for each in all_stations
        ]
        reporting: list[Reporting] = [*numbered, network.board]
        board = run_station(BOARD, folder / "board", BOARD.config(port, 1), rising=True)
        async with running(board):
            async with running(*(each.run() for each in numbered)):
                for number in range(rounds):
                    await asyncio.sleep(seconds * chance.uniform(0.5, 1.5))
                    if number % 2:
                        await home_assistant.kill()
                        result.count(reporting, url)
                        await home_assistant.start()
                    else:
                        os.kill(home_assistant.process.pid, signal.SIGSTOP)
                        await asyncio.sleep(12)
                        os.kill(home_assistant.process.pid, signal.SIGCONT)
            await until_stored(*numbered, board=network.board)
        await home_assistant.stop()
        result.finish(reporting, network.board, url)
    result.replayed = network.replayed
    return result


async def restored_backup(folder: Path, seconds: float = 4) -> Result:
    """Restore an older database, which lacks readings confirmed since."""
    result = Result()
    home_assistant = HomeAssistant(folder / "config", free_port())
    station = NumberedStation(OUTDOOR, home_assistant.url)
    backup = folder / "backup.db"
    async with home_assistant:
        await add_station(home_assistant, OUTDOOR)
        async with running(station.run()):
            await asyncio.sleep(seconds)
        await home_assistant.stop()
        shutil.copyfile(home_assistant.database, backup)
        await home_assistant.start()
        async with running(station.run()):
            # Long enough for some readings to be confirmed.
            await asyncio.sleep(seconds + 8)
        await home_assistant.kill()
        for file in home_assistant.config.glob("home-assistant_v2.db*"):
            file.unlink()
        shutil.copyfile(backup, home_assistant.database)
        await home_assistant.start()
        await until_stored(station)
        await home_assistant.stop()
    return result.finish([station], None, f"sqlite:///{home_assistant.database}")


type Trial = Callable[[Path], Awaitable[Result]]

TRIALS: Mapping[str, Trial] = {
    "power cut 10 times": power_cuts,
    "power cut twice without the sync": partial(power_cuts, times=2, is_synced=False),
    "bad network, stopped for 12 s and killed": bad_network,
    "PostgreSQL, stopped for 12 s and killed": partial(
        bad_network, rounds=2, database=POSTGRESQL
    ),
    "MariaDB, stopped for 12 s and killed": partial(
        bad_network, rounds=2, database=MARIADB
    ),
    "restored backup": restored_backup,
}


def main() -> None:
    """Print the table; words on the command line choose some of its lines."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.exactly_once", description=__doc__
    )
    parser.add_argument("words", nargs="*", help="only trials with one of these")
    words = parser.parse_args().words
    print(f"Home Assistant {__version__}, {date.today()}\n")
    for name, trial in TRIALS.items():
        if not words or any(word in name for word in words):
            with tempfile.TemporaryDirectory(prefix="esp_weather-") as folder:
                try:
                    print(f"{name}: {asyncio.run(trial(Path(folder)))}", flush=True)
                except (LossyFilesMissingError, DatabaseMissingError) as err:
                    print(f"{name}: not possible here: {err}")


if __name__ == "__main__":
    main()
