"""Measure import and export of readings: python -m tools.history [ROWS].

A real Home Assistant (HA) exports that many rows of its recorder as data.db and as CSV,
and imports both again. Compared with what Python's sqlite3 and csv need to copy the rows
unchanged, or to read the same file.
"""

import asyncio
from collections.abc import Callable
from contextlib import closing
import csv
from datetime import UTC, datetime
from math import sin
from pathlib import Path
import platform
import sqlite3
import sys
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import aiohttp
from yarl import URL

from custom_components.esp_weather.recording.archive import CREATE_TABLE
from homeassistant.const import __version__ as home_assistant_version

from .home_assistant import HomeAssistant, free_port
from .station import OUTDOOR, add_station

ROWS = 10_000_000
INTERVAL = 30  # seconds between two readings
LIMIT = 3600  # seconds for one action
MEGABYTE = 1_000_000
_INSERT = """
INSERT INTO states (state, last_updated_ts, metadata_id, attributes_id, origin_idx)
VALUES (?, ?, ?, ?, 0)
"""


async def measure(rows: int, folder: Path) -> dict[str, tuple[float, float, float]]:
    """Return for each task its seconds, those of plain Python, and its memory in MB.

    Raises AssertionError if readings are missing.
    """
    results: dict[str, tuple[float, float, float]] = {}
    home_assistant = HomeAssistant(folder / "config", free_port())
    async with home_assistant:
        await add_station(home_assistant, OUTDOOR)
        path = OUTDOOR.report_path(1, "20")
        url = URL(home_assistant.url + path, encoded=True)
        async with aiohttp.request("GET", url) as response:
            assert response.status == 200
    await asyncio.to_thread(_fill, home_assistant.database, rows)
    await home_assistant.start()
    try:
        files = {}
        for suffix in ("csv", "db"):
            copy = _copy_csv if suffix == "csv" else _copy_database
            plain = await _time_plain(copy, home_assistant)
            answer, seconds, memory = await _run(
                home_assistant, "export_history", format=suffix
            )
            assert answer["readings"] >= rows
            files[suffix] = Path(answer["path"])
            plain += await _time_plain(copy, home_assistant)
            results[f"export {suffix}"] = seconds, plain / 2, memory
        for suffix, read in (("csv", _read_csv), ("db", _read_database)):
            plain = await _time_plain(read, files[suffix])
            answer, seconds, memory = await _run(
                home_assistant,
                "import_history",
                path=str(files[suffix]),
                overwrite=True,
                dry_run=True,
            )
            taken = answer["entities"][0]["readings"] + answer["readings_too_new"]
            assert taken >= rows
            plain += await _time_plain(read, files[suffix])
            results[f"import {suffix}"] = seconds, plain / 2, memory
    finally:
        await home_assistant.stop()
    return results


def _fill(database: Path, rows: int) -> None:
    """Add rows like those of reports to the recorder, up to an hour ago."""
    with closing(sqlite3.connect(database)) as connection, connection:
        metadata_id, attributes_id = connection.execute(
            "SELECT metadata_id, attributes_id FROM states"
            " JOIN states_meta USING (metadata_id)"
            " WHERE states_meta.entity_id = 'sensor.outdoor_temperature'"
            " AND state = '20.0'"
        ).fetchone()
        last = datetime.now(UTC).timestamp() // 3600 * 3600 - 3600
        connection.executemany(
            _INSERT,
            (
                (
                    # As a sensor that measures 1/16 °C
                    str(round(16 * (20 + 10 * sin(number / 2880))) / 16),
                    last - INTERVAL * number + number % 1000 / 1000,
                    metadata_id,
                    attributes_id,
                )
                for number in range(rows - 1, -1, -1)
            ),
        )


async def _run(
    home_assistant: HomeAssistant, action: str, **data: Any
) -> tuple[Any, float, float]:
    """Return the answer of an action, its seconds, and the memory that it took in MB."""
    process = Path("/proc", str(home_assistant.process.pid))
    await home_assistant.log_in()
    # Reset the peak.
    await asyncio.to_thread((process / "clear_refs").write_text, "5")
    before = await asyncio.to_thread(_memory, process, "VmRSS")
    began = perf_counter()
    async with asyncio.timeout(LIMIT):
        answer = await home_assistant.rest(
            "POST", f"/api/services/esp_weather/{action}?return_response", data
        )
    seconds = perf_counter() - began
    peak = await asyncio.to_thread(_memory, process, "VmHWM")
    return answer["service_response"], seconds, peak - before


def _memory(process: Path, name: str) -> float:
    for line in (process / "status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024 / MEGABYTE
    raise ValueError(name)


async def _time_plain[T](work: Callable[[T], None], what: T) -> float:
    """Return the seconds of what Python does without Home Assistant.

    Measured before and after each action, since other work on the computer slows both.
    """
    began = perf_counter()
    await asyncio.to_thread(work, what)
    return perf_counter() - began


def _read_csv(path: Path) -> None:
    with path.open(newline="") as file:
        for _ in csv.reader(file):
            pass


def _read_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for _ in connection.execute("SELECT date_time, mac, field, data FROM data"):
            pass


def _recorded(connection: sqlite3.Connection) -> sqlite3.Cursor:
    return connection.execute(
        "SELECT state_id, '', last_updated_ts, metadata_id, 1, state FROM states"
        " WHERE metadata_id = (SELECT metadata_id FROM states_meta"
        " WHERE entity_id = 'sensor.outdoor_temperature')"
        " ORDER BY last_updated_ts"
    )


def _copy_csv(home_assistant: HomeAssistant) -> None:
    path = home_assistant.config / "copy.csv"
    with (
        closing(sqlite3.connect(home_assistant.database)) as connection,
        path.open("w", newline="") as file,
    ):
        csv.writer(file).writerows(_recorded(connection))


def _copy_database(home_assistant: HomeAssistant) -> None:
    path = home_assistant.config / "copy.db"
    path.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(home_assistant.database)) as connection,
        closing(sqlite3.connect(path)) as copy,
        copy,
    ):
        copy.execute(CREATE_TABLE)
        copy.executemany(
            "INSERT INTO data VALUES (?, ?, ?, ?, ?, ?)", _recorded(connection)
        )


def main() -> None:
    """Print the table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with TemporaryDirectory() as folder:
        results = asyncio.run(measure(rows, Path(folder)))
    print(
        f"{rows:,} rows, Home Assistant {home_assistant_version}, Python"
        f" {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}\n\n"
        "| | seconds | plainly | ratio | more memory |\n|---|---|---|---|---|"
    )
    for task, (seconds, plain, memory) in results.items():
        print(
            f"| {task} | {seconds:.1f} | {plain:.1f} | {seconds / plain:.1f}"
            f" | {memory:.0f} MB |"
        )


if __name__ == "__main__":
    main()
