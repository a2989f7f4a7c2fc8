"""Many stations report to a real Home Assistant (HA) for a long time."""

import argparse
import asyncio
from pathlib import Path
import tempfile
import time

from homeassistant.const import __version__

from .home_assistant import HomeAssistant, free_port
from .load import Load, add_stations, stored_values
from .process import memory, open_files

STATIONS = 200
FIELDS = 2
RATE = 1  # reports a second of all stations together


async def soak(home_assistant: HomeAssistant, minutes: float) -> None:
    """Print HA's resource usage each minute, and the lost reports at the end."""
    stations = await add_stations(home_assistant, STATIONS)
    load = Load(home_assistant.url, stations, RATE, fields=FIELDS, connections=4)
    process = home_assistant.process.pid
    start = time.monotonic()
    end = start + 60 * minutes
    print("| minute | memory, MB | open files | reports | slowest 1 %, ms |")
    print("|---|---|---|---|---|")
    async with load.running() as outcome:
        while (now := time.monotonic()) < end:
            await asyncio.sleep(min(60, end - now))
            print(
                f"| {(time.monotonic() - start) / 60:.0f}"
                f" | {memory(process) / 1e6:.1f} | {open_files(process)}"
                f" | {outcome.sent} | {1000 * outcome.percentile(99):.1f} |",
                flush=True,
            )
    await home_assistant.stop()
    stored = stored_values(f"sqlite:///{home_assistant.database}")
    print(f"\nHome Assistant {__version__}, {STATIONS} stations with {FIELDS} fields")
    print(f"answers: {dict(outcome.answers)} (0: none)")
    print(f"rows lost: {len(outcome.taken - set(stored))}, rows: {len(stored)}")
    print(f"p50 {1000 * outcome.percentile(50):.1f} ms", end=", ")
    print(f"p99 {1000 * outcome.percentile(99):.1f} ms", end=", ")
    print(f"slowest {1000 * max(outcome.seconds):.1f} ms")


async def _main(minutes: float) -> None:
    with tempfile.TemporaryDirectory(prefix="esp_weather-") as folder:
        async with HomeAssistant(Path(folder), free_port()) as home_assistant:
            await soak(home_assistant, minutes)


def main() -> None:
    """Run for the given time."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="how long (20)")
    asyncio.run(_main(parser.parse_args().minutes))


if __name__ == "__main__":
    main()
