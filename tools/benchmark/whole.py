"""Measures the way from a report to the state in a browser and the row on disk."""

import asyncio
from contextlib import aclosing
from pathlib import Path
import time

from .home_assistant import BenchHomeAssistant, many_stations
from .load import trickle
from .plan import Plan
from .rates import RATE
from .server import Server
from .systems import recorded, reports
from .table import duration, percentile, table

SENSOR = "sensor.station_0_temperature"


async def whole(plan: Plan, folder: Path) -> str:
    """Send reports at a constant rate, and time each one's state and row."""
    stations = many_stations(1)
    requests = reports(stations)
    home_assistant = BenchHomeAssistant(folder / "whole", stations, recorder=True)
    async with home_assistant, asyncio.TaskGroup() as tasks:
        server = recorded(home_assistant, SENSOR)
        # The first report creates the entity.
        await asyncio.to_thread(trickle, server.port, requests, RATE, 1)
        await server.wait_for_rows(1)
        shown = tasks.create_task(_watch_states(home_assistant, plan.reports))
        stored = tasks.create_task(_watch_rows(server, plan.reports))
        await asyncio.sleep(1)
        answers = await asyncio.to_thread(
            trickle, server.port, requests, RATE, plan.reports
        )
        moments = {
            "the answer": [answer.sent + answer.seconds for answer in answers],
            "the state change on a websocket": await shown,
            "the committed row": await stored,
        }
    lines = []
    for what, arrived in moments.items():
        times = [
            moment - answer.sent
            for moment, answer in zip(arrived, answers, strict=True)
        ]
        lines.append(
            [what, duration(percentile(times, 50)), duration(percentile(times, 99))]
        )
    return "\n\n".join(
        [
            f"From the request to what comes of it, {RATE} reports per second:",
            table(["until", "p50", "p99"], lines),
        ]
    )


async def _watch_states(home_assistant: BenchHomeAssistant, number: int) -> list[float]:
    """Return when each of the next states was received."""
    moments: list[float] = []
    async with aclosing(home_assistant.states(SENSOR)) as states:
        async for _ in states:
            moments.append(time.monotonic())
            if len(moments) == number:
                break
    return moments


async def _watch_rows(server: Server, number: int) -> list[float]:
    """Return when each of the next rows could be read."""
    before = server.rows()
    moments: list[float] = []
    while len(moments) < number:
        moments += [time.monotonic()] * (server.rows() - before - len(moments))
        await asyncio.sleep(0.02)
    return moments
