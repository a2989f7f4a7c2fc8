"""The archive in tests: a station that is archived, and the rows of its file."""

from collections.abc import Mapping
from contextlib import closing
import sqlite3
from typing import Any, Final

from custom_components.esp_weather.data import DATA
from homeassistant.core import HomeAssistant

# A calibration, which the archive does without
ARCHIVED: Final[Mapping[str, Any]] = {
    "archive": True,
    "fields": {"1": {"kind": "temperature", "offset": 1}},
}


async def write_archive(hass: HomeAssistant) -> None:
    """Write everything that waits, as before a backup."""
    await hass.data[DATA].archive.async_lock()
    hass.data[DATA].archive.async_unlock()


def archive_rows(hass: HomeAssistant) -> list[tuple[Any, ...]]:
    """Return the rows of the archive, in order."""
    with closing(sqlite3.connect(hass.data[DATA].archive.path)) as database:
        return database.execute("SELECT * FROM data ORDER BY Id").fetchall()
