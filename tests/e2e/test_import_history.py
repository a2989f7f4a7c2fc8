"""Import old readings into the long-term statistics of a real Home Assistant."""

import asyncio
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
import sqlite3
from time import monotonic
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.old_server import OldServer
from tools.home_assistant import HomeAssistant
from tools.station import OUTDOOR, add_station

START = datetime(2019, 5, 1, 11, 30, tzinfo=UTC)


async def test_import_history(home_assistant: HomeAssistant) -> None:
    """The readings that the old server stored become statistics."""
    await add_station(home_assistant, OUTDOOR)
    report = URL(home_assistant.url + OUTDOOR.report_path(1, "20"), encoded=True)
    async with aiohttp.request("GET", report) as response:
        assert response.status == 200
    folder = home_assistant.config / "www"
    folder.mkdir(exist_ok=True)
    old_server = OldServer(folder / "data.db", OUTDOOR.key, [OUTDOOR.mac])
    for minute in range(60):
        assert old_server.update(
            OUTDOOR.key,
            OUTDOOR.mac,
            "1",
            f"{minute / 7}",
            START + timedelta(minutes=minute),
        )

    answer = await home_assistant.rest(
        "POST",
        "/api/services/esp_weather/import_history?return_response",
        {"path": "www/data.db"},
    )

    assert answer["service_response"]["lines"] == 60
    await home_assistant.stop()
    with closing(sqlite3.connect(home_assistant.database)) as connection:
        rows = connection.execute(
            "SELECT start_ts, round(mean, 4), min, max, unit_of_measurement"
            " FROM statistics"
            " JOIN statistics_meta ON statistics_meta.id = statistics.metadata_id"
            " WHERE statistic_id = 'sensor.outdoor_temperature' ORDER BY start_ts"
        ).fetchall()
    hour = START.replace(minute=0).timestamp()
    assert rows == [
        (hour, 2.0714, 0.0, 4.1429, "°C"),
        # The value from before counts until the first one of the hour; the last one
        # for 15 minutes.
        (hour + 3600, 7.0476, 4.1429, 8.4286, "°C"),
    ]


@pytest.mark.timeout(300)
async def test_stop(home_assistant: HomeAssistant) -> None:
    """Home Assistant stops without waiting for the end of a long file."""
    importing = await _start_import(
        home_assistant,
        (
            (START + timedelta(seconds=60 * number), OUTDOOR.mac, 1, number % 7)
            for number in range(2_000_000)
        ),
    )
    await asyncio.sleep(1)
    assert not importing.done()

    await _terminate(home_assistant)
    importing.cancel()


@pytest.mark.timeout(300)
async def test_stop_while_hours_are_imported(home_assistant: HomeAssistant) -> None:
    """Home Assistant stops between two hours of an import and keeps the imported ones."""
    hours = 120_000
    start = datetime(2012, 1, 1, tzinfo=UTC)
    importing = await _start_import(
        home_assistant,
        (
            (start + timedelta(hours=hour), OUTDOOR.mac, 1, hour % 7)
            for hour in range(hours)
        ),
    )
    while not (imported := _imported(home_assistant)):
        await asyncio.sleep(0.05)
        assert not importing.done()
    assert imported < hours

    await _terminate(home_assistant)
    importing.cancel()
    assert imported <= _imported(home_assistant) < hours


async def _start_import(
    home_assistant: HomeAssistant, readings: Iterable[tuple[datetime, str, int, float]]
) -> asyncio.Task[Any]:
    """Start to import a data.db with these readings into a station that has reported."""
    await add_station(home_assistant, OUTDOOR)
    report = URL(home_assistant.url + OUTDOOR.report_path(1, "20"), encoded=True)
    async with aiohttp.request("GET", report) as response:
        assert response.status == 200
    folder = home_assistant.config / "www"
    folder.mkdir(exist_ok=True)
    OldServer(folder / "data.db", OUTDOOR.key, [OUTDOOR.mac]).fill(readings)
    return asyncio.create_task(
        home_assistant.rest(
            "POST",
            "/api/services/esp_weather/import_history?return_response",
            {"path": "www/data.db"},
        )
    )


def _imported(home_assistant: HomeAssistant) -> int:
    """Return how many hours have statistics."""
    with closing(sqlite3.connect(home_assistant.database)) as connection:
        found: int = connection.execute("SELECT count(*) FROM statistics").fetchone()[0]
    return found


async def _terminate(home_assistant: HomeAssistant) -> None:
    """Stop Home Assistant within 5 seconds, doubled for a busy machine."""
    began = monotonic()
    home_assistant.process.terminate()
    assert await home_assistant.process.wait() == 0
    assert monotonic() - began < 10
