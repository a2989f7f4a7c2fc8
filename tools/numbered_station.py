"""A station that numbers its readings and keeps each until it is stored.

Written from docs/protocol.md, independently of the integration and the firmware.
"""

import asyncio
from collections.abc import Collection, Mapping
from hashlib import sha256
from http import HTTPStatus
from itertools import takewhile
import json
import time
from typing import Any

import aiohttp

from .signature import SIGNED_PATH, Signer, nonce_in
from .station import Station

BATCH = 12  # readings in a report
MEASURE_EVERY = 0.05  # seconds
TIMEOUT = 3  # seconds until a report counts as not answered
STEP = 0.001  # °C


class NumberedStation:
    """Keeps measuring, and reports all unconfirmed readings to the server at `url`."""

    def __init__(
        self,
        station: Station,
        url: str,
        stream: str = "9f3a1c22",
        every: float = MEASURE_EVERY,
    ) -> None:
        """Initialize the station, which measures `every` so many seconds."""
        self.url = url
        self.confirmed = -1  # the number up to which everything is confirmed
        self.measured: dict[int, float] = {}  # all readings ever taken
        self.statuses: list[int] = []
        self.unsigned = 0  # unsigned answers, which it does not believe
        self._station = station
        self._stream = stream
        self._every = every
        self._waiting: dict[
            int, float
        ] = {}  # times of the readings that are not confirmed
        self._taken = 0  # of these, the ones that the server took
        self._nonce = ""

    @property
    def is_done(self) -> bool:
        """Return whether everything is stored."""
        return not self._waiting

    def identity(self, number: int) -> bytes:
        """Return the context ID of a reading's row."""
        text = f"{self._station.mac}/{self._stream}/{number}"
        return sha256(text.encode()).digest()[:16]

    async def run(self, *, measure: bool = True) -> None:
        """Measure and report until cancelled or, without measuring, until done."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            asyncio.TaskGroup() as tasks,
        ):
            if measure:
                tasks.create_task(self._measure())
            while measure or not self.is_done:
                try:
                    await self._report(session)
                except aiohttp.ClientError, TimeoutError:
                    await asyncio.sleep(0.1)
                await asyncio.sleep(0.02)

    async def _measure(self) -> None:
        while True:
            number = len(self.measured)
            # Every fifth value equals the one before.
            self.measured[number] = round(20 + (number - (number % 5 == 0)) * STEP, 4)
            self._waiting[number] = time.monotonic()
            await asyncio.sleep(self._every)

    async def _report(self, session: aiohttp.ClientSession) -> None:
        numbers = list(self._waiting)[self._taken : self._taken + BATCH]
        if not numbers and self._waiting:
            # An empty report asks what is stored by now.
            await asyncio.sleep(0.5)
        now = time.monotonic()
        readings = [
            {
                "field": 1,
                "value": self.measured[number],
                "age": round(now - self._waiting[number], 3),
            }
            for number in numbers
        ]
        report: dict[str, Any] = {"mac": self._station.mac, "readings": readings}
        report |= {"stream": self._stream, "first": numbers[0] if numbers else 0}
        report["fields"] = {"1": {"kind": "temperature"}}
        body = json.dumps(report).encode()
        signer = Signer(self._station.mac, self._station.key)
        headers = signer.headers(body, self._nonce)
        async with session.post(
            self.url + SIGNED_PATH, data=body, headers=headers
        ) as answer:
            content = await answer.read()
        status = answer.status
        self.statuses.append(status)
        if not signer.has_signed(status, content, answer.headers, headers):
            # Another server, a proxy, or Home Assistant that has not started.
            self.unsigned += 1
            await asyncio.sleep(0.2)
            return
        self._nonce = nonce_in(answer.headers["Accept-Signature"])
        if status == HTTPStatus.OK:
            self._take_answer(numbers, json.loads(content))
        elif status == HTTPStatus.UNAUTHORIZED:
            # The server may have restarted: it only has what is stored.
            self._taken = 0
        else:
            await asyncio.sleep(0.2)

    def _take_answer(self, numbers: list[int], answer: Mapping[str, Any]) -> None:
        self._taken += len(numbers)
        stored = int(answer.get("stored", -1))
        for number in list(takewhile(lambda each: each <= stored, self._waiting)):
            self._taken = max(0, self._taken - 1)
            del self._waiting[number]
        self.confirmed = max(self.confirmed, stored)

    @property
    def values(self) -> Mapping[bytes, float]:
        """Return every value by its reading's identity."""
        return {self.identity(each): value for each, value in self.measured.items()}

    @property
    def confirmed_identities(self) -> Collection[bytes]:
        """Return the identities of the confirmed readings."""
        return [self.identity(number) for number in range(self.confirmed + 1)]
