"""How many reports are taken in a second, and how long each of them takes."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
import time

from dev.station import OUTDOOR

from .home_assistant import BenchHomeAssistant
from .load import Load, load, trickle
from .plan import Plan
from .systems import System, old_servers, with_recorder, without_recorder
from .table import duration, middle, percentile, ratio, table

RATE = 20  # reports per second that many stations send together


@dataclass(frozen=True)
class Measured:
    """A load, and what it did to the server until all rows were written."""

    load: Load
    cpu_seconds: float
    rows: int


async def limits(plan: Plan, folder: Path) -> str:
    """Compare with an empty view, the limit: a Home Assistant without recorder."""
    home_assistant = BenchHomeAssistant(folder / "limits", [OUTDOOR], recorder=False)
    parts = []
    async with home_assistant:
        systems = without_recorder(home_assistant)
        for connections in (1, 8):
            measured = await _in_turns(systems, connections, plan.seconds, plan.rounds)
            parts += [
                f"Without recorder, {connections} connection{'s'[: connections - 1]}:",
                _rate_table(systems, measured, reference=systems[0], rows=False),
            ]
    return "\n\n".join(parts)


async def bursts_and_long_run(plan: Plan, folder: Path) -> str:
    """Compare with what people would use instead: everything with its database."""
    home_assistant = BenchHomeAssistant(folder / "recorder", [OUTDOOR], recorder=True)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(home_assistant)
        old = await stack.enter_async_context(old_servers(folder))
        systems = [*with_recorder(home_assistant), *old]
        bursts = await _in_turns(systems, 8, 1, plan.bursts)
        long = await _long_runs([systems[0], systems[1], old[0]], plan)
        steady = await _trickles(home_assistant, plan)
    return "\n\n".join(
        [
            "With recorder, bursts of a second over 8 connections:",
            _rate_table(systems, bursts, reference=old[0], rows=True),
            f"Rows written in the long run, {plan.long_run} s over 8 connections:",
            table(
                ["system", "rows/s", "ratio"],
                [
                    [
                        name,
                        f"{middle(rates, float):.0f}",
                        ratio(rates, long[old[0].name], float),
                    ]
                    for name, rates in long.items()
                ],
            ),
            f"With recorder, {RATE} reports per second:",
            steady,
        ]
    )


async def _in_turns(
    systems: Sequence[System], connections: int, seconds: int, rounds: int
) -> dict[str, list[Measured]]:
    """Load the systems one after the other, `rounds` times."""
    for system in systems:
        before = system.server.rows()
        warm = await load(system.server.port, system.requests, connections, 1)
        await system.server.wait_for_rows(before + warm.taken)
    measured: dict[str, list[Measured]] = {system.name: [] for system in systems}
    for _ in range(rounds):
        for system in systems:
            rows = system.server.rows()
            cpu = system.server.cpu_seconds()
            result = await load(
                system.server.port, system.requests, connections, seconds
            )
            written = await system.server.wait_for_rows(rows + result.taken) - rows
            used = system.server.cpu_seconds() - cpu
            measured[system.name].append(Measured(result, used, written))
    return measured


def _rate_table(
    systems: Sequence[System],
    measured: dict[str, list[Measured]],
    *,
    reference: System,
    rows: bool,
) -> str:
    head = ["system", "requests/s", "p50", "p99", "CPU s per 1,000"]
    lines = []
    for system in systems:
        results = measured[system.name]
        line = [
            system.name,
            f"{middle(results, lambda m: m.load.rate):,.0f}",
            duration(middle(results, lambda m: m.load.p50)),
            duration(middle(results, lambda m: m.load.p99)),
            f"{middle(results, lambda m: 1000 * m.cpu_seconds / m.load.taken):.3f}",
        ]
        if rows:
            missing = sum(m.load.taken - m.rows for m in results)
            line.append("all" if not missing else f"{-missing:+,}")
        line.append(ratio(results, measured[reference.name], lambda m: m.load.rate))
        lines.append(line)
    return table([*head, *(["rows"] if rows else []), "ratio"], lines)


async def _long_runs(systems: Sequence[System], plan: Plan) -> dict[str, list[float]]:
    """Return the rows per second of each system, until the last row is committed."""
    rates: dict[str, list[float]] = {system.name: [] for system in systems}
    for _ in range(plan.long_runs):
        for system in systems:
            server = system.server
            before = server.rows()
            start = time.monotonic()
            result = await load(
                server.port, system.requests, 8, plan.long_run, patient=True
            )
            written = await server.wait_for_rows(before + result.taken) - before
            rates[system.name].append(written / (time.monotonic() - start))
    return rates


async def _trickles(home_assistant: BenchHomeAssistant, plan: Plan) -> str:
    """Return how long single requests take that come at a constant rate."""
    empty = without_recorder(home_assistant)[0]
    ours = with_recorder(home_assistant)[0]
    times: dict[str, list[float]] = {empty.name: [], ours.name: []}
    for _ in range(plan.trickles):
        for system in (empty, ours):
            answers = await asyncio.to_thread(
                trickle, system.server.port, system.requests, RATE, plan.trickle * RATE
            )
            times[system.name] += [answer.seconds for answer in answers]
    return table(
        ["system", "p50", "p99", "p99, ratio"],
        [
            [
                name,
                duration(percentile(measured, 50)),
                duration(percentile(measured, 99)),
                f"{percentile(measured, 99) / percentile(times[empty.name], 99):.2f}",
            ]
            for name, measured in times.items()
        ],
    )
