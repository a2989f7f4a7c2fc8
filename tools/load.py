"""Many simulated stations, and the outcome of each of their reports."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
import json
from math import ceil
import time

import aiohttp
import sqlalchemy
from yarl import URL

from .home_assistant import HomeAssistant
from .signature import SIGNED_PATH, Signer, nonce_in
from .station import Station, add_station

NO_ANSWER = 0  # in place of a status
STEP = 0.0001  # °C; the smallest step that is stored, so that each report has its own value
FIRST = 200_000  # values start at 20 °C, so that fields are guessed to be temperatures
TIMEOUT = 20  # seconds until a report counts as not answered


@dataclass
class Outcome:
    """The outcome of the reports: the values that were taken, and all answers."""

    taken: set[float] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    without_retry_after: int = 0

    @property
    def sent(self) -> int:
        """Return how many reports were sent."""
        return self.answers.total()

    def percentile(self, percent: float) -> float:
        """Return the seconds that `percent` of the answers did not exceed."""
        ordered = sorted(self.seconds)
        return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


class Load:
    """Stations that report at a steady rate, each report with a value of its own.

    Sends `rate` reports a second, all stations and fields in turn, on no more
    than `connections` connections at a time; fewer a second if the answers are
    slow. As boards do, each report makes a connection of its own, unless
    `keep_alive`: that allows for more of them. The reports are legacy ones or
    `signed`; every other one of these has its reading from a second before.
    """

    def __init__(
        self,
        url: str,
        stations: Sequence[Station],
        rate: float,
        *,
        fields: int = 1,
        connections: int = 50,
        keep_alive: bool = False,
        signed: bool = False,
    ) -> None:
        """Initialize with the stations and their rate; nothing is sent yet."""
        self.outcome = Outcome()
        self.stations = stations
        self._send = self._send_signed if signed else self._send_legacy
        self._nonces: deque[str] = deque()
        self._url = url
        self._sources = [
            (station, number + 1) for station in stations for number in range(fields)
        ]
        self._rate = rate
        self._connections = connections
        self._keep_alive = keep_alive
        self._numbers = count()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Outcome]:
        """Send for as long as the context lasts, and wait for the last answers."""
        self._numbers = count(next(self._numbers))
        start = time.monotonic() - next(self._numbers) / self._rate
        done = asyncio.Event()
        connector = aiohttp.TCPConnector(
            limit=self._connections, force_close=not self._keep_alive
        )
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for _ in range(self._connections):
                tasks.create_task(self._work(session, start, done))
            try:
                yield self.outcome
            finally:
                done.set()

    async def _work(
        self, session: aiohttp.ClientSession, start: float, done: asyncio.Event
    ) -> None:
        while True:
            number = next(self._numbers)
            wait = start + number / self._rate - time.monotonic()
            try:
                async with asyncio.timeout(max(0.0, wait)):
                    await done.wait()
            except TimeoutError:
                await self._report(session, number)
            else:
                return

    async def _report(self, session: aiohttp.ClientSession, number: int) -> None:
        station, field_number = self._sources[number % len(self._sources)]
        value = round((FIRST + number) * STEP, 4)
        sent = time.monotonic()
        try:
            age = number // len(self._sources) % 2
            status = await self._send(session, station, field_number, value, age)
        except aiohttp.ClientError, TimeoutError:
            status = NO_ANSWER
        else:
            self.outcome.seconds.append(time.monotonic() - sent)
        self.outcome.answers[status] += 1
        if status == HTTPStatus.OK:
            self.outcome.taken.add(value)

    async def _send_legacy(
        self,
        session: aiohttp.ClientSession,
        station: Station,
        field: int,
        value: float,
        _age: int,
    ) -> int:
        path = station.report_path(field, f"{value:.4f}")
        async with session.get(URL(self._url + path, encoded=True)) as response:
            return await self._read(response)

    async def _send_signed(
        self,
        session: aiohttp.ClientSession,
        station: Station,
        field: int,
        value: float,
        age: int,
    ) -> int:
        reading = {"field": field, "value": value, "age": age}
        body = json.dumps({"mac": station.mac, "readings": [reading]}).encode()
        signer = Signer(station.mac, station.key)
        while True:
            nonce = self._nonces.popleft() if self._nonces else ""
            async with session.post(
                self._url + SIGNED_PATH, data=body, headers=signer.headers(body, nonce)
            ) as response:
                status = await self._read(response)
                if (offer := response.headers.get("Accept-Signature")) is not None:
                    self._nonces.append(nonce_in(offer))
                if status != HTTPStatus.UNAUTHORIZED:
                    return status

    async def _read(self, response: aiohttp.ClientResponse) -> int:
        await response.read()
        unavailable = response.status == HTTPStatus.SERVICE_UNAVAILABLE
        if unavailable and "Retry-After" not in response.headers:
            self.outcome.without_retry_after += 1
        return response.status


async def add_stations(home_assistant: HomeAssistant, number: int) -> list[Station]:
    """Set up that many stations, called Load 1 and so on, and return them."""
    stations = [
        Station(
            f"Load {index + 1}", f"02:00:00:00:{index // 256:02x}:{index % 256:02x}"
        )
        for index in range(number)
    ]
    for station in stations:
        await add_station(home_assistant, station)
    return stations


def stored_values(url: str) -> list[float]:
    """Return the value of each report of such stations in a recorder's database.

    `url` is the database's in SQLAlchemy's form, such as `sqlite:///file`.
    """
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            return [
                float(state)
                for (state,) in connection.execute(
                    sqlalchemy.text(
                        "SELECT state FROM states JOIN states_meta"
                        " ON states.metadata_id = states_meta.metadata_id"
                        " WHERE states_meta.entity_id LIKE 'sensor.load_%_temperature%'"
                        " AND state NOT IN ('unavailable', 'unknown')"
                    )
                )
            ]
    finally:
        engine.dispose()
