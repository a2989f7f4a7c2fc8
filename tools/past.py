"""Generates history for the simulated stations, so that graphs are not empty."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from random import gauss
from runpy import run_path
import sqlite3
import time

import aiohttp
from yarl import URL

from homeassistant.util import slugify

from .home_assistant import HomeAssistant
from .station import ENTRIES, SIMULATOR, Station, find_entry

# The readings of the simulated boards continue it.
_WEATHER = run_path(str(SIMULATOR / "modules" / "weather.py"))
HISTORY = 10 * 24 * 3600  # seconds that HA keeps states
HISTORY_INTERVAL = 300  # seconds between two states
STATISTICS_HOURS = 31 * 24
POLL = 0.2  # seconds between two checks whether the first report is stored


async def add_past(home_assistant: HomeAssistant, station: Station) -> None:
    """Give field 1 of a new station states of 10 days and statistics of a month.

    Reports once, since only a field that has reported has an entity. Home Assistant
    (HA) can import hourly statistics, but neither states nor 5-minute statistics:
    these are written into its database.
    """
    now = time.time()
    path = station.report_path(1, f"{temperature_at(station, now):.2f}")
    url = URL(home_assistant.url + path, encoded=True)
    async with aiohttp.request("GET", url) as response:
        response.raise_for_status()
    entity_id = f"sensor.{slugify(station.name)}_temperature"
    states = list(_states(station, now))
    while not _add_states(home_assistant, entity_id, states):
        await asyncio.sleep(POLL)
    await home_assistant.websocket(
        "recorder/import_statistics",
        metadata={
            "has_sum": False,
            "mean_type": 1,
            "name": None,
            "source": "recorder",
            "statistic_id": entity_id,
            "unit_class": "temperature",
            "unit_of_measurement": "°C",
        },
        stats=list(_statistics(station, now)),
    )
    while not _add_short_statistics(home_assistant, entity_id, states):
        await asyncio.sleep(POLL)
    entry = await find_entry(home_assistant, station)
    await home_assistant.rest("POST", f"{ENTRIES}/{entry}/reload")


def temperature_at(station: Station, time: float) -> float:
    """Return the temperature, with some noise, at a time in seconds."""
    exact: float = _WEATHER["temperature"](station.mean, station.swing, time)
    return exact + gauss(sigma=0.05)


def _states(station: Station, now: float) -> Iterator[tuple[str, float]]:
    start = now - now % HISTORY_INTERVAL - HISTORY
    for at in range(int(start), int(now) - HISTORY_INTERVAL, HISTORY_INTERVAL):
        yield f"{temperature_at(station, at):.2f}", at


def _statistics(station: Station, now: float) -> Iterator[dict[str, float | str]]:
    last_hour = now - now % 3600
    for hour in range(STATISTICS_HOURS, 0, -1):
        start = last_hour - hour * 3600
        values = [
            temperature_at(station, start + minute * 60) for minute in range(0, 60, 5)
        ]
        yield {
            "start": datetime.fromtimestamp(start, UTC).isoformat(),
            "mean": sum(values) / len(values),
            "min": min(values),
            "max": max(values),
        }


def _add_states(
    home_assistant: HomeAssistant, entity_id: str, states: list[tuple[str, float]]
) -> bool:
    """Add states with the attributes of the recorded one; return False without one."""
    with closing(sqlite3.connect(home_assistant.database)) as connection, connection:
        lender = connection.execute(
            "SELECT metadata_id, attributes_id FROM states"
            " JOIN states_meta USING (metadata_id)"
            " WHERE states_meta.entity_id = ? AND attributes_id IS NOT NULL",
            (entity_id,),
        ).fetchone()
        if lender is None:
            return False
        connection.executemany(
            "INSERT INTO states (metadata_id, attributes_id, state, last_updated_ts)"
            " VALUES (?, ?, ?, ?)",
            ((*lender, state, at) for state, at in states),
        )
    return True


def _add_short_statistics(
    home_assistant: HomeAssistant, entity_id: str, states: list[tuple[str, float]]
) -> bool:
    """Add 5-minute statistics; return False until HA has imported the hourly ones."""
    with closing(sqlite3.connect(home_assistant.database)) as connection, connection:
        taken = connection.execute(
            "SELECT id FROM statistics_meta WHERE statistic_id = ?", (entity_id,)
        ).fetchone()
        if taken is None:
            return False
        # HA may have some of the last minutes already.
        connection.executemany(
            "INSERT OR IGNORE INTO statistics_short_term"
            " (metadata_id, created_ts, start_ts, mean, min, max)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            ((*taken, at, at, *[float(state)] * 3) for state, at in states),
        )
    return True
