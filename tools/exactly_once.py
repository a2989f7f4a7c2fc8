"""Counts how often confirmed readings are stored despite faults of Home Assistant.

Run `python -m tools.exactly_once` for the figures of docs/security-and-reliability.md.
Rows are counted by the identity of their reading.
"""

import argparse
import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import date
import os
from pathlib import Path
from random import Random
import signal
import sqlite3
import tempfile
import time

import aiohttp
from yarl import URL

from homeassistant.const import __version__

from .home_assistant import HomeAssistant, free_port
from .lossy_files import LossyDisk, LossyFilesMissingError
from .numbered_station import NumberedStation, running
from .seed import seed
from .station import INDOOR, OUTDOOR, Station, add_station

STORED_LIMIT = 60  # seconds within which everything has to be stored in the end
UNSIGNED_EVERY = 0.2  # seconds


@dataclass
class Result:
    """The outcome of the readings of a station that numbers them."""

    measured: int = 0
    confirmed: int = 0  # at the worst moments
    lost: int = 0  # of those that were confirmed
    twice: int = 0
    wrong: int = 0
    left: int = 0  # not stored in the end
    unsigned: int = 0  # reports of a station that does not number, answered 200
    unsigned_lost: int = 0
    oldest_lost: float = 0.0  # seconds before the cut

    def count(self, station: NumberedStation, database: Path) -> None:
        """Count the rows in a database."""
        with closing(sqlite3.connect(database)) as connection:
            lost, twice, wrong = station.count(connection)
        self.lost += lost
        self.twice += twice
        self.wrong += wrong


class UnsignedStation:
    """Reports one value after the other, and remembers when each was answered 200."""

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


async def power_cuts(folder: Path, times: int = 10, seconds: float = 8) -> Result:
    """Cut the power at random moments while two stations report.

    Raises LossyFilesMissingError where no file system can be mounted.
    """
    disk = LossyDisk(folder / "power")
    url = f"sqlite:///{disk.mount}/home-assistant_v2.db"
    result, chance = Result(), Random()
    config, port = folder / "config", free_port()
    seed(config, port)
    configuration = config / "configuration.yaml"
    configuration.write_text(
        configuration.read_text().replace(
            "recorder:\n", f"recorder:\n  db_url: {url}\n"
        )
    )
    home_assistant = HomeAssistant(config, port)
    station = NumberedStation(OUTDOOR, home_assistant.url)
    unsigned = UnsignedStation(INDOOR)
    for number in range(times + 1):
        with disk.mounted():
            await home_assistant.start()
            if not number:
                await add_station(home_assistant, OUTDOOR)
                await add_station(home_assistant, INDOOR)
                # What Home Assistant keeps besides the database is not on this disk.
                await home_assistant.stop()
                await home_assistant.start()
            if number == times:
                await _until_stored(station)
                await home_assistant.stop()
                break
            reporting = asyncio.create_task(unsigned.run(home_assistant.url))
            await running(station, seconds, chance)
            disk.cut()
            cut_at = time.monotonic()
            reporting.cancel()
            await home_assistant.kill()
        result.confirmed = station.confirmed + 1
        database = disk.disk / "home-assistant_v2.db"
        result.count(station, database)
        _count_unsigned(result, unsigned, database, cut_at)
    with closing(sqlite3.connect(disk.disk / "home-assistant_v2.db")) as connection:
        if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise RuntimeError("the database is broken")
    return _final(result, station, disk.live / "home-assistant_v2.db")


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


async def _until_stored(station: NumberedStation) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(STORED_LIMIT):
            await station.run(measure=False)


def _final(result: Result, station: NumberedStation, database: Path) -> Result:
    result.measured = len(station.measured)
    result.left = len(station.measured) - 1 - station.confirmed
    result.count(station, database)
    return result


class BadNetwork:
    """A proxy that loses requests and answers, and sends requests once more.

    Repeated requests are replays, as of a third party on the network.
    """

    def __init__(self, port: int, chance: Random) -> None:
        """Initialize the proxy of the server on this port."""
        self.replayed: list[int] = []
        self._port = port
        self._chance = chance
        self._heard: list[bytes] = []

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[str]:
        """Return the URL of the proxy while it runs."""
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _handle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with closing(writer), suppress(OSError, EOFError):
            while True:
                request = await _message(reader)
                if self._chance.random() < 0.1:
                    return
                if self._heard and self._chance.random() < 0.3:
                    answer = await self._ask(self._chance.choice(self._heard[-50:]))
                    self.replayed.append(int(answer.split(b" ", 2)[1]))
                self._heard.append(request)
                answer = await self._ask(request)
                if self._chance.random() < 0.1:
                    return
                writer.write(answer)
                await writer.drain()

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        with closing(writer):
            writer.write(request)
            return await _message(reader)


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Return an HTTP message with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    _, _, length = head.lower().partition(b"content-length:")
    return head + await reader.readexactly(int(length.split(b"\r\n", 1)[0]))


async def bad_network(folder: Path, rounds: int = 5, seconds: float = 8) -> Result:
    """Report over a bad network, while Home Assistant is killed and stopped for 12 s."""
    result, chance = Result(), Random()
    home_assistant = HomeAssistant(folder, free_port())
    network = BadNetwork(home_assistant.port, chance)
    async with home_assistant, network.running() as url:
        await add_station(home_assistant, OUTDOOR)
        # Home Assistant writes its settings some seconds later.
        await home_assistant.stop()
        await home_assistant.start()
        station = NumberedStation(OUTDOOR, url)
        for number in range(rounds):
            await running(station, seconds, chance)
            if number % 2:
                await home_assistant.kill()
                await home_assistant.start()
            else:
                os.kill(home_assistant.process.pid, signal.SIGSTOP)
                await running(station, 12, Random(number))
                os.kill(home_assistant.process.pid, signal.SIGCONT)
        await _until_stored(station)
        await home_assistant.stop()
    if 200 in network.replayed:
        raise RuntimeError("a report that was sent again by a third party was taken")
    result.confirmed = station.confirmed + 1
    return _final(result, station, home_assistant.database)


type Trial = Callable[[Path], Awaitable[Result]]

TRIALS: Mapping[str, Trial] = {
    "power cut 10 times": power_cuts,
    "bad network, killed and stopped for 12 s": bad_network,
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
                except LossyFilesMissingError as err:
                    print(f"{name}: not possible here: {err}")


if __name__ == "__main__":
    main()
