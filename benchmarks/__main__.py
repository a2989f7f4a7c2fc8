"""Run the benchmark and print its tables."""

import argparse
import asyncio
from datetime import date
import os
from pathlib import Path
import platform
import sqlite3
import tempfile

import aiohttp

from homeassistant.const import __version__

from .growth import growth
from .plan import FULL, QUICK
from .rates import bursts_and_long_run, limits
from .start import start
from .whole import whole

PARTS = {
    "limits": limits,
    "recorder": bursts_and_long_run,
    "whole": whole,
    "growth": growth,
    "start": start,
}


def main() -> None:
    """Measure everything, one part after the other."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="take two minutes and show rough ratios"
    )
    parser.add_argument("--part", choices=PARTS, help="measure only this part")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    print(_machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="esp_weather_bench_") as folder:
        for name, part in PARTS.items():
            if arguments.part in (None, name):
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
