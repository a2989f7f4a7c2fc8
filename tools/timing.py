"""Compares how long a real Home Assistant (HA) takes to refuse a report.

Whoever tries keys must not learn from it which MAC exists, or how much of a key is
right. Run `python -m tools.timing` for the figures of docs/security-and-reliability.md.
"""

import asyncio
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from statistics import median
import tempfile
import time

from homeassistant.const import __version__

from .home_assistant import HomeAssistant, free_port
from .station import OUTDOOR, Station, add_station

ROUNDS = 5000
RESAMPLES = 500

WRONG = {
    "unknown MAC": Station("", "02:00:00:00:00:01", key="XXXXXXXXXX"),
    "wrong key": Station("", OUTDOOR.mac, key="XXXXXXXXXX"),
    "all but the last letter right": Station(
        "", OUTDOOR.mac, key=f"{OUTDOOR.key[:-1]}X"
    ),
}


def _measure(port: int) -> dict[str, list[float]]:
    """Return the microseconds that each refusal took, in turn and in random order."""
    random = Random(5)
    connection = HTTPConnection("127.0.0.1", port)
    taken: dict[str, list[float]] = {name: [] for name in WRONG}
    for _ in range(ROUNDS):
        for name in random.sample(list(WRONG), len(WRONG)):
            path = WRONG[name].report_path(1, "21.5")
            start = time.perf_counter()
            connection.request("GET", path)
            connection.getresponse().read()
            taken[name].append(1e6 * (time.perf_counter() - start))
    connection.close()
    return taken


def _difference(first: list[float], second: list[float]) -> str:
    """Return the difference of the medians with its 95 % interval (bootstrap)."""
    random = Random(5)
    differences = sorted(
        median(random.choices(second, k=len(second)))
        - median(random.choices(first, k=len(first)))
        for _ in range(RESAMPLES)
    )
    low, high = differences[RESAMPLES // 40], differences[-RESAMPLES // 40]
    return f"{median(second) - median(first):+.2f} µs ({low:+.2f} to {high:+.2f})"


async def _main() -> None:
    with tempfile.TemporaryDirectory(prefix="esp_weather-") as folder:
        async with HomeAssistant(Path(folder), free_port()) as home_assistant:
            await add_station(home_assistant, OUTDOOR)
            taken = await asyncio.to_thread(_measure, home_assistant.port)
    print(f"Home Assistant {__version__}, {ROUNDS} refusals of each kind\n")
    first, *others = taken
    print(f"{first}: median {median(taken[first]):.1f} µs")
    for name in others:
        print(f"{name}: {_difference(taken[first], taken[name])}")


if __name__ == "__main__":
    asyncio.run(_main())
