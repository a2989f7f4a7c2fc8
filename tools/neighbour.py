"""Measures the delay of a station's rows while others flood Home Assistant.

Run `python -m tools.neighbour` for the figures of docs/security-and-reliability.md.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from itertools import count
import json
from pathlib import Path
from random import Random
import sqlite3
import tempfile
import time

import aiohttp
from yarl import URL

from homeassistant.const import __version__

from .faults.common import under_load
from .home_assistant import HomeAssistant
from .signature import SIGNED_PATH, Signer, nonce_in
from .station import Station

ROW_LIMIT = 60  # seconds to wait for a row
PAST = 600_000  # seconds; nearly a week
RECENT = 3_600  # seconds


@dataclass(frozen=True)
class Flood:
    """The reports of the others, one after another on each connection.

    `readings` is the number of past readings in a report; 0 means unsigned reports of
    a current one. `reports` limits their number.
    """

    stations: int = 1
    connections: int = 1  # of each station
    readings: int = 1
    fields: int = 1
    reports: int | None = None


@dataclass
class Neighbour:
    """The outcome for the neighbour's reports, and for the others'."""

    rows: list[float] = field(default_factory=list)  # seconds until each row was there
    refused: int = 0  # of the neighbour's reports
    answers: Counter[int] = field(default_factory=Counter)  # to the others
    stop: float = 0.0  # seconds until Home Assistant had stopped

    def cells(self) -> str:
        """Return the cells of the table."""
        cells: list[object] = [
            len(self.rows),
            self.refused,
            f"{max(self.rows):.1f} s",
            self.answers[HTTPStatus.OK],
            self.answers[HTTPStatus.SERVICE_UNAVAILABLE],
            f"{self.stop:.1f} s",
        ]
        return " | ".join(map(str, cells))


class _Sender:
    """Sends reports of a station on a connection of its own."""

    def __init__(self, url: str, station: Station) -> None:
        """Initialize the sender, a context manager."""
        self._url = url
        self._station = station
        self._signer = Signer(station.mac, station.key)
        self._nonce = ""

    async def send(self, readings: list[dict[str, float]]) -> int:
        """Send a signed report; return the status of the answer."""
        body = json.dumps({"mac": self._station.mac, "readings": readings}).encode()
        while True:
            headers = self._signer.headers(body, self._nonce)
            async with (
                aiohttp.ClientSession(self._url) as session,
                session.post(SIGNED_PATH, data=body, headers=headers) as answer,
            ):
                await answer.read()
                self._nonce = nonce_in(answer.headers.get("Accept-Signature", ""))
                if answer.status != HTTPStatus.UNAUTHORIZED:
                    return answer.status

    async def send_unsigned(self, value: float) -> int:
        """Send an unsigned report; return the status of the answer."""
        path = self._station.report_path(1, f"{value:.4f}")
        async with (
            aiohttp.ClientSession() as session,
            session.get(URL(self._url + path, encoded=True)) as answer,
        ):
            await answer.read()
            return answer.status


async def neighbour(folder: Path, flood: Flood, seconds: float = 20) -> Neighbour:
    """Have a station report while others flood Home Assistant, and wait for its rows.

    Every other of its readings is of the last hour. Raises TimeoutError if a row
    takes ROW_LIMIT.
    """
    result = Neighbour()
    async with under_load(folder, stations=flood.stations + 1) as (
        home_assistant,
        load,
    ):
        *others, station = load.stations
        for each in load.stations:
            # A field must have its sensor before past readings can be timed.
            await _Sender(home_assistant.url, each).send_unsigned(20)
        numbers = iter(range(flood.reports) if flood.reports else count())
        async with asyncio.TaskGroup() as tasks:
            flooding = [
                tasks.create_task(
                    _flood(home_assistant.url, each, flood, numbers, result.answers)
                )
                for each in others
                for _ in range(flood.connections)
            ]
            end = time.monotonic() + seconds
            while time.monotonic() < end or (flood.reports and not flooding[0].done()):
                await _report(home_assistant, station, result)
            for task in flooding:
                task.cancel()
        start = time.monotonic()
        await home_assistant.stop()
        result.stop = time.monotonic() - start
    return result


async def _flood(
    url: str,
    station: Station,
    flood: Flood,
    numbers: Iterator[int],
    answers: Counter[int],
) -> None:
    sender, chance = _Sender(url, station), Random()
    for number in numbers:
        if flood.readings:
            status = await sender.send(
                [
                    {
                        "field": chance.randint(1, flood.fields),
                        "value": 20,
                        "age": chance.uniform(60, PAST),
                    }
                    for _ in range(flood.readings)
                ]
            )
        else:
            status = await sender.send_unsigned(20 + number % 1000 / 1000)
        answers[status] += 1


async def _report(
    home_assistant: HomeAssistant, station: Station, result: Neighbour
) -> None:
    """Report a value, and note when it is in the database."""
    number = len(result.rows) + result.refused + 1
    value = round(20 + number / 100, 4)
    sender = _Sender(home_assistant.url, station)
    if number % 2:
        status = await sender.send_unsigned(value)
    else:
        age = Random().uniform(60, RECENT)
        status = await sender.send([{"field": 1, "value": value, "age": age}])
    if status != HTTPStatus.OK:
        result.refused += 1
        await asyncio.sleep(0.1)
        return
    entity_id = f"sensor.{station.name.lower().replace(' ', '_')}_temperature"
    start = time.monotonic()
    async with asyncio.timeout(ROW_LIMIT):
        while not await asyncio.to_thread(
            _is_stored, home_assistant.database, entity_id, value
        ):
            await asyncio.sleep(0.05)
    result.rows.append(time.monotonic() - start)


def _is_stored(database: Path, entity_id: str, value: float) -> bool:
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT 1 FROM states JOIN states_meta USING (metadata_id)"
            " WHERE states_meta.entity_id = ? AND CAST(state AS REAL) = ?",
            (entity_id, value),
        )
        return rows.fetchone() is not None


FLOODS: Mapping[str, Flood] = {
    "2,014 reports with one old reading each": Flood(reports=2014),
    "one station, 500 old readings in each report": Flood(connections=4, readings=500),
    "one station, 500 old readings of 9 fields in each report": Flood(
        connections=4, readings=500, fields=9
    ),
    "one station, unsigned reports": Flood(connections=20, readings=0),
    "10 stations, 50 old readings in each report": Flood(stations=10, readings=50),
}


def main() -> None:
    """Print the table; words on the command line choose some of its lines."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.neighbour", description=__doc__
    )
    parser.add_argument("words", nargs="*", help="only floods with one of these")
    words = parser.parse_args().words
    print(f"Home Assistant {__version__}, {date.today()}\n")
    print("| flood | rows | refused | slowest row | flood: 200 | 503 | stop |")
    print("|---|---|---|---|---|---|---|")
    for name, flood in FLOODS.items():
        if not words or any(word in name for word in words):
            with tempfile.TemporaryDirectory(prefix="esp_weather-") as folder:
                result = asyncio.run(neighbour(Path(folder), flood))
            print(f"| {name} | {result.cells()} |", flush=True)


if __name__ == "__main__":
    main()
