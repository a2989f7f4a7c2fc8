"""Fixtures of the tests of recording/."""

from contextlib import closing
from pathlib import Path
import sqlite3
from typing import Any

import pytest

from custom_components.esp_weather.recording import journal
from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import STORAGE_DIR

from .helpers import Select, async_recorded


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Let Home Assistant write files."""
    Path(hass_tmp_config_dir, STORAGE_DIR).mkdir()
    return hass_tmp_config_dir


@pytest.fixture
def persistent_database() -> bool:
    """Have the recorder write to a file."""
    return True


@pytest.fixture
def mock_recorder_before_hass(async_test_recorder: Any) -> None:
    """Prepare the recorder before Home Assistant."""


@pytest.fixture(autouse=True)
def _past_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Record backfilled readings even while the clock stands still."""
    monkeypatch.setattr(journal, "_CHECK_PAST_EVERY", 0)


@pytest.fixture
def select(
    hass: HomeAssistant, recorder_mock: Recorder, recorder_db_url: str
) -> Select:
    """Return a function that queries the database once everything is written."""

    async def _select(sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        await async_recorded(hass)
        database = Path(recorder_db_url.removeprefix("sqlite:///"))
        with closing(sqlite3.connect(database)) as connection:
            return connection.execute(sql, parameters).fetchall()

    return _select
