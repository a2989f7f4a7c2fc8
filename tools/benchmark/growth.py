"""Measures how the cost grows with the number of stations, each with two fields."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
import time

import aiohttp
from yarl import URL

from tools.station import Station

from .home_assistant import BENCH_VIEW, BenchHomeAssistant, many_stations
from .load import Load, load
from .plan import Plan
from .server import memory
from .systems import reports, state_writes
from .table import duration, middle, ratio, table

FIELDS = (1, 2)
CONNECTIONS = 8
SETTLE = 3  # seconds of idling before the memory of HA is read


@dataclass
class Plain:
    """A Home Assistant (HA) with a number of stations, and the memory that it holds."""

    home_assistant: BenchHomeAssistant
    stations: Sequence[Station]
    memory: int


@dataclass
class Grown(Plain):
    """One with ESP Weather, and how it started."""

    setup: float
    running: float
    first_report: float


async def growth(plan: Plan, folder: Path) -> str:
    """Start an HA for each number of stations, and load them in turn.

    Beside them two with plain entities: the least that as many would cost.
    """
    ends = plan.stations[0], plan.stations[-1]
    async with AsyncExitStack() as stack:
        grown = []
        for number in plan.stations:
            grown.append(await _grow(folder / f"stations-{number}", number))
            stack.push_async_callback(grown[-1].home_assistant.stop)
        plain = []
        for number in ends:
            plain.append(await _grow_plain(folder / f"plain-{number}", number))
            stack.push_async_callback(plain[-1].home_assistant.stop)
        loads: list[list[Load]] = [[] for _ in (*grown, *plain)]
        requests = [reports(one.stations, FIELDS) for one in grown]
        requests += [state_writes(one.stations, FIELDS) for one in plain]
        for _ in range(plan.rounds):
            for one, request, results in zip(
                (*grown, *plain), requests, loads, strict=True
            ):
                port = one.home_assistant.port
                results.append(await load(port, request, CONNECTIONS, plan.seconds))

    def memory_per_station(one: Sequence[Plain]) -> str:
        return f"{(one[-1].memory - one[0].memory) / (ends[1] - ends[0]) / 1000:.1f} kB"

    plain_ratio = ratio(loads[-1], loads[-2], lambda r: r.rate)
    return f"""\
Stations with two fields each, without recorder, {CONNECTIONS} connections:

{_table(grown, loads[: len(grown)])}

Of the view that only writes states of plain entities, with as many entities as {ends[1]:,} stations
have, against {ends[0]}: {plain_ratio}.

Memory per station: {memory_per_station(grown)}. Of a config entry with four entities that do nothing: \
{memory_per_station(plain)}."""


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
    """Return an HA after its second start, whose stations have reported before."""
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
        held,
        next(one["seconds"] for one in setup if one["domain"] == "esp_weather"),
        running - started,
        reported.result() - started,
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


async def _grow_plain(config: Path, number: int) -> Plain:
    """Return an HA with plain entities, after its second start."""
    stations = many_stations(number)
    home_assistant = BenchHomeAssistant(
        config, stations, recorder=False, domain=BENCH_VIEW.name
    )
    async with home_assistant:
        pass
    await home_assistant.start()
    await asyncio.sleep(SETTLE)
    return Plain(home_assistant, stations, memory(home_assistant.process.pid))
