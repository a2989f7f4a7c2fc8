"""Measures how many reports are taken per second, and how long each takes."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
import time

from .home_assistant import BenchHomeAssistant
from .load import PATIENT, Load, LoadError, load, trickle
from .plan import Plan
from .systems import (
    STATIONS,
    System,
    old_servers,
    unsigned,
    with_recorder,
    without_recorder,
)
from .table import duration, middle, percentile, ratio, table

CONNECTIONS = 8
RATE = 20  # reports per second that many stations send together


@dataclass(frozen=True)
class Measured:
    """A load, and the server's resources until all rows were written."""

    load: Load
    cpu_seconds: float
    rows: int


async def limits(plan: Plan, folder: Path) -> str:
    """Compare with the limit, an empty view, in a Home Assistant without recorder."""
    home_assistant = BenchHomeAssistant(folder / "limits", STATIONS, recorder=False)
    parts = []
    async with home_assistant:
        systems = without_recorder(home_assistant)
        for connections in (1, CONNECTIONS):
            measured = await in_turns(systems, connections, plan.seconds, plan.rounds)
            parts += [
                f"Without recorder, {connections} connection{'s'[: connections - 1]}:",
                _rate_table(systems, measured, reference=systems[0], rows=False),
            ]
    return "\n\n".join(parts)


async def forms(plan: Plan, folder: Path) -> str:
    """Compare the costs of a form report and a legacy report."""
    home_assistant = BenchHomeAssistant(folder / "forms", STATIONS, recorder=False)
    async with home_assistant:
        systems = unsigned(home_assistant)
        measured = await in_turns(systems, 1, plan.seconds, plan.rounds)

    def cost(result: Measured) -> float:
        return 1000 * result.cpu_seconds / result.load.taken

    return (
        f"Reports of one field by {len(STATIONS)} stations, 1 connection:\n\n"
        + table(
            ["system", "requests/s", "CPU s per 1,000", "CPU, ratio"],
            [
                [
                    name,
                    f"{middle(results, lambda m: m.load.rate):,.0f}",
                    f"{middle(results, cost):.3f}",
                    ratio(results, measured[systems[0].name], cost),
                ]
                for name, results in measured.items()
            ],
        )
    )


async def bursts(plan: Plan, folder: Path) -> str:
    """Compare with the alternatives, each with its database."""
    async with _with_alternatives(folder / "bursts") as (ours, old):
        systems = [*ours, *old]
        measured = await in_turns(systems, CONNECTIONS, 1, plan.bursts)
    return (
        f"With recorder, bursts of a second over {CONNECTIONS} connections:\n\n"
        + _rate_table(systems, measured, reference=old[0], rows=True)
    )


async def long_run(plan: Plan, folder: Path) -> str:
    """Compare the rows per second under constant overload."""
    async with _with_alternatives(folder / "long_run") as (ours, old):
        rates = await _long_runs([ours[0], ours[3], old[0]], plan)
    return (
        f"Rows written in the long run, {plan.long_run} s"
        f" over {CONNECTIONS} connections:\n\n"
    ) + table(
        ["system", "rows/s", "ratio"],
        [
            [
                name,
                f"{middle(results, float):,.0f}",
                ratio(results, rates[old[0].name], float),
            ]
            for name, results in rates.items()
        ],
    )


async def single_reports(plan: Plan, folder: Path) -> str:
    """Compare the response times of requests at a constant rate."""
    lines: list[list[str]] = []
    for recorder in (False, True):
        home_assistant = BenchHomeAssistant(
            folder / f"single_reports_{recorder}", STATIONS, recorder=recorder
        )
        async with home_assistant:
            times = await _trickles(without_recorder(home_assistant)[:4], plan)
        limit = percentile(next(iter(times.values())), 99)
        lines.extend(
            [
                name,
                "on" if recorder else "off",
                duration(percentile(answers, 50)),
                duration(percentile(answers, 99)),
                f"{percentile(answers, 99) / limit:.2f}",
            ]
            for name, answers in times.items()
        )
    return f"{RATE} requests per second over one connection:\n\n" + table(
        ["system", "recorder", "p50", "p99", "p99, ratio"], lines
    )


@asynccontextmanager
async def _with_alternatives(
    folder: Path,
) -> AsyncGenerator[tuple[list[System], list[System]]]:
    """Run Home Assistant with its recorder, and the old server."""
    home_assistant = BenchHomeAssistant(folder, STATIONS, recorder=True)
    async with home_assistant, old_servers(folder) as old:
        yield with_recorder(home_assistant), old


async def in_turns(
    systems: Sequence[System], connections: int, seconds: int, rounds: int
) -> dict[str, list[Measured]]:
    """Load the systems in turn, `rounds` times."""
    for system in systems:
        before = system.server.rows()
        requests = await system.prepare(1)
        warm = await load(system.server.port, requests, connections, 1)
        await system.server.wait_for_rows(before + warm.taken * system.readings)
    measured: dict[str, list[Measured]] = {system.name: [] for system in systems}
    for _ in range(rounds):
        for system in systems:
            requests = await system.prepare(seconds)
            rows = system.server.rows()
            cpu = system.server.cpu_seconds()
            result = await load(system.server.port, requests, connections, seconds)
            written = await system.server.wait_for_rows(
                rows + result.taken * system.readings
            )
            used = system.server.cpu_seconds() - cpu
            measured[system.name].append(Measured(result, used, written - rows))
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
        if not any(m.load.taken for m in results):
            raise LoadError(f"{system.name}: all requests were refused")
        refused = sum(m.load.refused for m in results)
        share = refused / sum(m.load.answers for m in results)
        line = [
            f"{system.name}, {share:.0%} refused" if refused else system.name,
            f"{middle(results, lambda m: m.load.rate):,.0f}",
            duration(middle(results, lambda m: m.load.p50)),
            duration(middle(results, lambda m: m.load.p99)),
            f"{middle(results, lambda m: 1000 * m.cpu_seconds / m.load.taken):.3f}",
        ]
        if rows:
            # Requests in flight at the end of the load make rows that were not counted.
            missing = sum(
                max(0, m.load.taken * system.readings - m.rows) for m in results
            )
            line.append(f"{missing:,} missing" if missing else "all")
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
                system.server.port,
                system.requests,
                CONNECTIONS,
                plan.long_run,
                [PATIENT],
            )
            written = await server.wait_for_rows(
                before + result.taken * system.readings
            )
            rates[system.name].append((written - before) / (time.monotonic() - start))
    return rates


async def _trickles(systems: Sequence[System], plan: Plan) -> dict[str, list[float]]:
    """Return the response times of each system."""
    times: dict[str, list[float]] = {system.name: [] for system in systems}
    for _ in range(plan.trickles):
        for system in systems:
            answers = await asyncio.to_thread(
                trickle, system.server.port, system.requests, RATE, plan.trickle * RATE
            )
            times[system.name] += [answer.seconds for answer in answers]
    return times
