"""Stations that report during a test."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from tools.station import Station, run_station

INTERVAL = 0.5  # seconds between two reports


@asynccontextmanager
async def firmware(
    station: Station, folder: Path, config: Mapping[str, Any]
) -> AsyncGenerator[None]:
    """Run the firmware with this config.json until the block ends."""
    board = asyncio.create_task(run_station(station, folder, config))
    try:
        yield
    finally:
        board.cancel()
        with suppress(asyncio.CancelledError):
            await board


@dataclass
class Reporter:
    """Reports a field of a station to the Home Assistant (HA) at `url`.

    It keeps reporting whatever HA answers, as the old stations do, so that a report
    arrives when HA asks for another one during pairing.
    """

    url: str
    station: Station
    temperature: float
    field: int = 1

    @asynccontextmanager
    async def switched_on(self) -> AsyncGenerator[None]:
        """Report until the block ends."""
        reporting = asyncio.create_task(self._report())
        try:
            yield
        finally:
            reporting.cancel()
            with suppress(asyncio.CancelledError):
                await reporting

    async def _report(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                path = self.station.report_path(self.field, f"{self.temperature:.2f}")
                async with session.get(URL(self.url + path, encoded=True)):
                    await asyncio.sleep(INTERVAL)
