"""Simulated stations that report to Home Assistant (HA) over the legacy URL."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from math import cos, pi
from random import gauss
import time

import aiohttp
from yarl import URL

from .station import INDOOR, OUTDOOR, Station

INTERVAL = 5  # seconds between two reports of a station
DAY = 3600  # seconds of a simulated day: short enough to watch the curve
COLDEST = 5 / 24  # when in the day


@dataclass(frozen=True)
class Climate:
    """The temperatures of a place in °C."""

    mean: float
    swing: float

    def temperature(self, now: float) -> float:
        """Return the temperature at a time in seconds, with a sensor's noise."""
        phase = 2 * pi * (now / DAY - COLDEST)
        return self.mean - self.swing * cos(phase) + gauss(sigma=0.05)


CLIMATES = {OUTDOOR: Climate(12, 7), INDOOR: Climate(21, 1)}


async def simulate(url: str, climates: Mapping[Station, Climate] = CLIMATES) -> None:
    """Report the temperature of each station to the HA at `url`, until cancelled.

    A station whose report is not taken says so once and reports on.
    """
    taken = dict.fromkeys(climates, True)
    async with aiohttp.ClientSession() as session:
        while True:
            for station, climate in climates.items():
                value = f"{climate.temperature(time.time()):.2f}"
                address = URL(url + station.report_path(1, value), encoded=True)
                try:
                    async with session.get(address) as response:
                        answer = f"{response.status} {await response.text()}".strip()
                        now_taken = response.status == HTTPStatus.OK
                except aiohttp.ClientError, TimeoutError:
                    answer, now_taken = "no answer", False
                if now_taken != taken[station]:
                    print(f"{station.name}: {'reports again' if now_taken else answer}")
                taken[station] = now_taken
            await asyncio.sleep(INTERVAL)
