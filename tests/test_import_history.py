"""Importing the history of an old server, through to the recorder's database."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from math import sin
from pathlib import Path
import sqlite3
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.esp_weather.const import DOMAIN
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.statistics import (
    StatisticsRow,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant

from .conftest import INDOOR, KEY, OUTDOOR, Get, entity_id, legacy_url, station_entry
from .old_server import OldServer, Report

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("recorder_mock")


@pytest.fixture
def persistent_database() -> bool:
    """Let the recorder write to a file, as it does at home."""
    return True


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


@pytest.fixture
async def indoor(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> MockConfigEntry:
    """Return the second station; both have reported their first field."""
    entry = station_entry(INDOOR, "Indoor")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    for mac in (OUTDOOR, INDOOR):
        assert (await get(legacy_url("20", mac=mac))).status == 200
    return entry


@pytest.fixture
def old_server(hass: HomeAssistant, tmp_path: Path) -> OldServer:
    """Return an old server of both stations, whose folder may be read."""
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    return OldServer(tmp_path / "data.db", KEY, (OUTDOOR, INDOOR))


async def _import(
    hass: HomeAssistant, path: Path | None = None, **data: Any
) -> dict[str, Any]:
    """Run the action and return its report."""
    if path is not None:
        data["path"] = str(path)
    report = await hass.services.async_call(
        DOMAIN, "import_history", data, blocking=True, return_response=True
    )
    assert report is not None
    return report


async def _statistics(hass: HomeAssistant, statistic_id: str) -> list[StatisticsRow]:
    """Return the statistics of all hours of an entity, in the unit of its state."""
    found = await get_instance(hass).async_add_executor_job(
        statistics_during_period,
        hass,
        datetime(2001, 1, 1, tzinfo=UTC),
        None,
        {statistic_id},
        "hour",
        None,
        {"mean", "min", "max"},
    )
    return found.get(statistic_id, [])


def _year(minutes: int = 525_600) -> Iterator[Report]:
    """Return a year of minutes of both stations, up to two days ago."""
    start = NOW.replace(minute=0) - timedelta(days=2) - minutes * MINUTE
    for minute in range(minutes):
        time = start + minute * MINUTE + timedelta(microseconds=minute)
        yield time, OUTDOOR, 1, 10 + 20 * sin(minute / 700) + sin(minute * 7.3)
        yield time + timedelta(seconds=20), INDOOR, 1, 20 + 3 * sin(minute / 1200)


def _hour_by_hour(database: Path, mac: str) -> list[tuple[float, float, float, float]]:
    """Return start, mean, minimum and maximum of each hour, as SQL finds them."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(
            "SELECT unixepoch(substr(date_time, 1, 13) || ':00'),"
            " avg(data), min(data), max(data)"
            " FROM data WHERE mac = ? GROUP BY 1 ORDER BY 1",
            (mac,),
        ).fetchall()


async def test_year(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """A year of minutes of two stations gives the statistics of each hour."""
    old_server.fill(_year())

    report = await _import(hass, old_server.database)

    assert report["lines"] == 1_051_200
    assert report["bad_lines"] == 0
    for mac, entity in zip((OUTDOOR, INDOOR), report["entities"], strict=True):
        assert entity["entity_id"] == entity_id(hass, "1", mac=mac)
        assert entity["readings"] == 525_600
        assert (entity["hours_imported"], entity["hours_kept"]) == (8760, 0)
        expected = _hour_by_hour(old_server.database, mac)
        found = await _statistics(hass, entity["entity_id"])
        assert [(row["start"], row["min"], row["max"]) for row in found] == [
            (start, minimum, maximum) for start, _, minimum, maximum in expected
        ]
        assert [row["mean"] for row in found] == pytest.approx(
            [mean for _, mean, _, _ in expected], rel=1e-12
        )
