"""Run the benchmark and print its tables."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import date
import os
from pathlib import Path
import platform
import sqlite3
import tempfile
from typing import Any

import aiohttp

from homeassistant.const import __version__

from .growth import growth
from .plan import FULL, QUICK, Plan
from .profile import profile
from .rates import bursts, forms, limits, long_run, single_reports
from .refusals import refusals
from .start import start
from .whole import whole

type Part = Callable[[Plan, Path], Coroutine[Any, Any, str]]

PARTS: Sequence[Part] = (
    limits,
    forms,
    refusals,
    single_reports,
    bursts,
    long_run,
    whole,
    growth,
    start,
)
QUICK_PARTS: Sequence[Part] = (limits, forms, bursts)


def main() -> None:
    """Measure everything, one part after the other."""
    names = {part.__name__: part for part in (*PARTS, profile)}
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="show some ratios roughly, within minutes"
    )
    parser.add_argument("--part", choices=names, help="measure only this")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    parts = QUICK_PARTS if arguments.quick else PARTS
    print(_machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="esp_weather_bench_") as folder:
        for part in [names[arguments.part]] if arguments.part else parts:
            print(f"\n{asyncio.run(part(plan, Path(folder)))}", flush=True)


def _machine() -> str:
    """Return what the figures depend on."""
    return (
        f"{date.today()}, {os.cpu_count()} cores of {_processor()},"
        f" Linux {platform.release()}, Home Assistant {__version__},"
        f" Python {platform.python_version()}, aiohttp {aiohttp.__version__},"
        f" SQLite {sqlite3.sqlite_version}"
    )


def _processor() -> str:
    """Return the name of the processor as Linux knows it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
