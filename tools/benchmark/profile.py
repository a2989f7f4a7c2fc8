"""Profiles Home Assistant (HA): time per report and memory per station."""

import asyncio
from asyncio.subprocess import DEVNULL
from collections import Counter
from pathlib import Path
import re

from .growth import CONNECTIONS, SETTLE, report_all
from .home_assistant import BENCH_VIEW, BenchHomeAssistant, many_stations
from .load import load
from .plan import Plan
from .systems import BENCH_PROGRAMS, STATIONS, System, without_recorder
from .table import table

SAMPLES = 500  # per second
SECONDS = 8
# A sample is attributed to the innermost function in one of these files.
GROUPS = {
    "web server": re.compile(r"\((aiohttp|asyncio)/|\(selectors\.py"),
    "middleware": re.compile(r"\(homeassistant/(components/http/|helpers/http\.py)"),
    "state": re.compile(r"\(homeassistant/(core|helpers/entity|.*/sensor/.*)\.py"),
    "handler": re.compile(r"\(homeassistant/|\((esp_weather|bench_view)/"),
}
FILES = 14
TRACING = {"PYTHONTRACEMALLOC": "1"}


async def profile(plan: Plan, folder: Path) -> str:
    """Sample HA under load, and trace the memory of its stations."""
    few, many = 1, 100
    home_assistant = BenchHomeAssistant(folder / "profile", STATIONS, recorder=False)
    async with home_assistant:
        lines = [
            await _time_line(system, plan.seconds, folder / "samples")
            for system in without_recorder(home_assistant)[:5]
        ]
    held = []
    for domain in (BENCH_VIEW.name, "esp_weather"):
        held.append(Counter[str]())
        for number, sign in ((many, 1), (few, -1)):
            traced = await _traced(folder / f"{domain}-{number}", number, domain)
            for file, size in traced.items():
                held[-1][_short(file)] += round(sign * size / (many - few))
    return f"""\
µs of processor time for a request over {CONNECTIONS} connections, shared out by `py-spy`:

{table(["system", "all", *GROUPS], lines)}

Bytes of memory per station by the file that has allocated them, from `tracemalloc`:

{_memory_table(*held)}"""


async def _time_line(system: System, seconds: int, samples: Path) -> list[str]:
    """Return the processor time of a request, and the share of each group."""
    server = system.server
    await load(server.port, await system.prepare(1), CONNECTIONS, 1)
    requests = await system.prepare(seconds)
    before = server.cpu_seconds()
    loaded = await load(server.port, requests, CONNECTIONS, seconds)
    microseconds = 1e6 * (server.cpu_seconds() - before) / loaded.taken
    requests = await system.prepare(SECONDS + 2)
    loading = asyncio.create_task(load(server.port, requests, CONNECTIONS, SECONDS + 2))
    await asyncio.sleep(1)
    recording = await asyncio.create_subprocess_exec(
        *(BENCH_PROGRAMS / "py-spy", "record", "--pid", str(server.pid)),
        *("--duration", str(SECONDS), "--rate", str(SAMPLES)),
        *("--format", "raw", "--output", samples),
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    await recording.wait()
    await loading
    counts = _counts(samples)
    parts = (microseconds * counts[group] / counts.total() for group in GROUPS)
    return [system.name, f"{microseconds:.0f}", *(f"{part:.0f}" for part in parts)]


def _counts(samples: Path) -> Counter[str]:
    """Return the number of samples of the event loop in each group."""
    counts = Counter[str]()
    for line in samples.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        if "run_forever" in stack:
            functions = reversed(stack.split(";"))
            counts[next(filter(None, map(_group, functions)))] += int(count)
    return counts


def _group(function: str) -> str | None:
    return next(
        (name for name, files in GROUPS.items() if files.search(function)), None
    )


async def _traced(config: Path, number: int, domain: str) -> dict[str, int]:
    """Return the bytes that each file has allocated, after HA's second start."""
    stations = many_stations(number)
    home_assistant = BenchHomeAssistant(
        config, stations, recorder=False, domain=domain, environment=TRACING
    )
    async with home_assistant:
        if domain != BENCH_VIEW.name:
            await report_all(home_assistant, stations)
    async with home_assistant:
        await asyncio.sleep(SETTLE)
        files: dict[str, int] = await home_assistant.rest("GET", "/bench_memory")
    return files


def _short(file: str) -> str:
    """Return the path of a source file within the folder of packages."""
    return re.sub(r".*/(site-packages|custom_components|python3\.\d+)/", "", file)


def _memory_table(plain: Counter[str], ours: Counter[str]) -> str:
    files = [file for file, _ in (plain | ours).most_common(FILES)]
    lines = [[file, f"{plain[file]:,}", f"{ours[file]:,}"] for file in files]
    lines.append(["all files", f"{plain.total():,}", f"{ours.total():,}"])
    return table(["file", "plain entities", "station"], lines)
