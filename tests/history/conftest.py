"""Fixtures of the tests of history/."""

from pathlib import Path
import tempfile

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.core import HomeAssistant
from tests.helpers import INDOOR, KEY, OUTDOOR, Get, legacy_url, station_entry
from tests.old_server import OldServer


@pytest.fixture
def _folder_of_uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Separate the uploads from those of other Home Assistants on this computer."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
async def indoor(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> MockConfigEntry:
    """Return the second station; both stations have reported field 1."""
    entry = station_entry(INDOOR, "Indoor")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    for mac in (OUTDOOR, INDOOR):
        assert (await get(legacy_url("20", mac=mac))).status == 200
    return entry


@pytest.fixture
def old_server(hass: HomeAssistant, tmp_path: Path) -> OldServer:
    """Return an old server of both stations, in a folder that HA may read."""
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    return OldServer(tmp_path / "data.db", KEY, (OUTDOOR, INDOOR))
