"""A kill of a real Home Assistant between rows of the past and their statistics."""

import asyncio
from contextlib import closing
from http import HTTPStatus
import json
from pathlib import Path
import sqlite3
import time
from typing import Any

from tools.home_assistant import HomeAssistant
from tools.station import OUTDOOR, add_station, report_signed

FIELDS = 5
READINGS = 100  # of each field
INTERVAL = 6000  # seconds
PERIOD = 300  # seconds
LIFETIME = 900  # seconds that a value counts
LIMIT = 60  # seconds


def _select(database: Path, sql: str, before: float) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, (before,)).fetchall()


def _notes(home_assistant: HomeAssistant) -> list[Any]:
    file = home_assistant.config / ".storage" / "esp_weather.statistics"
    notes: list[Any] = json.loads(file.read_text())["data"] if file.exists() else []
    return notes


async def test_killed_before_the_statistics(home_assistant: HomeAssistant) -> None:
    """Statistics of a week that a kill left uncorrected are corrected afterwards."""
    await add_station(home_assistant, OUTDOOR)
    fields = range(1, FIELDS + 1)
    now = [{"field": field, "value": 20} for field in fields]
    assert (
        await report_signed(home_assistant.url, OUTDOOR, readings=now) == HTTPStatus.OK
    )
    # By then Home Assistant's other files are on the disk.
    await home_assistant.stop()
    await home_assistant.start()
    past = [
        {"field": field, "value": 20 + number / 10, "age": INTERVAL * (number + 1)}
        for number in range(READINGS)
        for field in fields
    ]
    before = time.time() - INTERVAL / 2
    answer = await report_signed(
        home_assistant.url, OUTDOOR, readings=past, stream="9f3a1c22", first=1
    )
    assert answer == HTTPStatus.OK
    async with asyncio.timeout(LIMIT):
        while _select(
            home_assistant.database,
            "SELECT count(*) FROM states WHERE last_updated_ts < ?",
            before,
        ) != [(len(past),)]:
            await asyncio.sleep(0.005)
    await home_assistant.kill()
    assert _notes(home_assistant)

    await home_assistant.start()
    async with asyncio.timeout(LIMIT):
        while _notes(home_assistant):
            await asyncio.sleep(0.1)
    await home_assistant.stop()

    statistics = _select(
        home_assistant.database,
        "SELECT statistic_id, start_ts, mean FROM statistics_short_term JOIN"
        " statistics_meta ON metadata_id = statistics_meta.id"
        " WHERE statistic_id LIKE 'sensor.outdoor_temperature%'"
        " AND start_ts < ?",
        before,
    )
    states = _select(
        home_assistant.database,
        "SELECT states_meta.entity_id, last_updated_ts, state FROM states JOIN states_meta"
        " USING (metadata_id) WHERE last_updated_ts < ?",
        before,
    )
    expected = {
        (entity_id, period * PERIOD): float(state)
        for entity_id, start, state in states
        for period in range(int(start // PERIOD), int(-(-(start + LIFETIME) // PERIOD)))
    }
    assert len(expected) >= FIELDS * READINGS * LIFETIME / PERIOD
    assert {(entity_id, start) for entity_id, start, _ in statistics} == set(expected)
    for entity_id, start, mean in statistics:
        assert abs(mean - expected[entity_id, start]) < 1e-6
