"""The rows that the recorder writes, read from its SQLite file."""

from contextlib import closing
from pathlib import Path
import sqlite3

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from tests.helpers import Get, entity_id, legacy_url


async def test_each_report_is_a_row(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
    recorder_db_url: str,
) -> None:
    """Each accepted report is one row with its value and time; there are no others."""
    freezer.move_to("2026-11-24 12:00:00.25")
    sent = []
    for value in ("72.3", "72.3", "72.3", "-0.00004", "0", "1e2", "100", "21.123456"):
        assert (await get(legacy_url(value))).status == 200
        sent.append((str(round(float(value), 4) + 0.0), freezer().timestamp()))
        freezer.tick(0.5)
        assert (await get(legacy_url(f"{value}x"))).status == 400
        assert (await get(legacy_url(value, key="wrong"))).status == 403
    # This writes the state again without a report.
    sensor = str(entity_id(hass, "1"))
    er.async_get(hass).async_update_entity_options(
        sensor, "sensor", {"display_precision": 3}
    )
    await async_wait_recording_done(hass)

    database = Path(recorder_db_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT state, last_updated_ts FROM states"
            " JOIN states_meta USING (metadata_id)"
            " WHERE states_meta.entity_id = ? ORDER BY state_id",
            (sensor,),
        ).fetchall()
    assert rows == [(state, pytest.approx(time, abs=1e-6)) for state, time in sent]
