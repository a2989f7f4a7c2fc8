"""How the cost grows with the number of stations, each with two fields."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
import time

import aiohttp
from yarl import URL

from dev.station import Station

from .home_assistant import BENCH_VIEW, BenchHomeAssistant, many_stations
from .load import Load, load
from .plan import Plan
from .server import memory
from .systems import reports
from .table import duration, middle, ratio, table

FIELDS = (1, 2)
CONNECTIONS = 8
SETTLE = 3  # seconds that HA is left alone before its memory is read


@dataclass
class Grown:
    """A Home Assistant (HA) with a number of stations, and what it was like."""

    home_assistant: BenchHomeAssistant
    stations: Sequence[Station]
    setup: float
    running: float
    first_report: float
    memory: int


async def growth(plan: Plan, folder: Path) -> str:
    """Start a HA for each number of stations, and load them all in turns."""
    floors = [
        await _memory_of_plain_entities(folder / f"plain-{number}", number)
        for number in (1, plan.stations[-1])
    ]
    async with AsyncExitStack() as stack:
        grown = []
        for number in plan.stations:
            grown.append(await _grow(folder / f"stations-{number}", number))
            stack.push_async_callback(grown[-1].home_assistant.stop)
        loads: list[list[Load]] = [[] for _ in grown]
        for _ in range(plan.rounds):
            for one, results in zip(grown, loads, strict=True):
                results.append(
                    await load(
                        one.home_assistant.port,
                        reports(one.stations, FIELDS),
                        CONNECTIONS,
                        plan.seconds,
                    )
                )

    def memory_per_station(few: int, many: int) -> str:
        added = plan.stations[-1] - plan.stations[0]
        return f"{(many - few) / added / 1000:.1f} kB"

    ours = memory_per_station(grown[0].memory, grown[-1].memory)
    floor = memory_per_station(*floors)
    return f"""\
Stations with two fields each, without recorder, {CONNECTIONS} connections:

{_table(grown, loads)}

Memory per station: {ours}. Of a config entry with four entities that do nothing: {floor}."""


def _table(grown: Sequence[Grown], loads: Sequence[Sequence[Load]]) -> str:
    head = [
        "stations",
        "requests/s",
        "p99",
        "ratio",
        "set-up",
        "HA running after",
        "first report after",
        "memory of HA",
    ]
    return table(
        head,
        [
            [
                f"{len(one.stations):,}",
                f"{middle(results, lambda r: r.rate):,.0f}",
                duration(middle(results, lambda r: r.p99)),
                ratio(results, loads[0], lambda r: r.rate),
                duration(one.setup),
                duration(one.running),
                duration(one.first_report),
                f"{one.memory / 1e6:.0f} MB",
            ]
            for one, results in zip(grown, loads, strict=True)
        ],
    )


async def _grow(config: Path, number: int) -> Grown:
    """Return a HA in its second start, so with stations that have reported before."""
    stations = many_stations(number)
    home_assistant = BenchHomeAssistant(config, stations, recorder=False)
    async with home_assistant:
        await report_all(home_assistant, stations)
    started = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        reported = tasks.create_task(_first_report(home_assistant, stations[-1]))
        await home_assistant.start()
        running = time.monotonic()
    setup = await home_assistant.websocket("integration/setup_info")
    await asyncio.sleep(SETTLE)
    held = memory(home_assistant.process.pid)
    return Grown(
        home_assistant,
        stations,
        next(one["seconds"] for one in setup if one["domain"] == "esp_weather"),
        running - started,
        reported.result() - started,
        held,
    )


async def report_all(
    home_assistant: BenchHomeAssistant, stations: Sequence[Station]
) -> None:
    """Have each station report each of its fields once."""
    async with aiohttp.ClientSession() as session:
        for field in FIELDS:
            for station in stations:
                await _report(session, home_assistant, station.report_path(field, "20"))


async def _first_report(home_assistant: BenchHomeAssistant, station: Station) -> float:
    """Return when the first report was taken."""
    path = station.report_path(FIELDS[-1], "20")
    async with aiohttp.ClientSession() as session:
        while True:
            with suppress(aiohttp.ClientError):
                await _report(session, home_assistant, path)
                return time.monotonic()
            await asyncio.sleep(0.01)


async def _report(
    session: aiohttp.ClientSession, home_assistant: BenchHomeAssistant, path: str
) -> None:
    url = URL(home_assistant.url + path, encoded=True)
    async with session.get(url, raise_for_status=True) as response:
        await response.read()


async def _memory_of_plain_entities(config: Path, number: int) -> int:
    """Return the memory of a HA with entities that do nothing, in its second start."""
    home_assistant = BenchHomeAssistant(
        config, many_stations(number), recorder=False, domain=BENCH_VIEW.name
    )
    async with home_assistant:
        pass
    async with home_assistant:
        await asyncio.sleep(SETTLE)
        return memory(home_assistant.process.pid)
