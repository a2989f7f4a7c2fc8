"""The dashboard strategy as it is served to browsers."""

from http import HTTPStatus
from pathlib import Path
import re
from typing import Any
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.esp_weather import dashboard
from custom_components.esp_weather.const import DOMAIN
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

FOLDER = Path(dashboard.__file__).parent / "frontend"
MODULE = re.compile(rf'import\("(/{DOMAIN}/[0-9a-f]+/)esp-weather\.js"\)')


@pytest.fixture(autouse=True)
async def _set_up(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    enable_custom_integrations: None,
) -> None:
    """Open the dialog that adds a station, with a frontend and an owner."""
    hass_storage["onboarding"] = {
        "version": 4,
        "data": {"done": ["user", "core_config", "analytics", "integration"]},
    }
    assert await async_setup_component(hass, "frontend", {})
    await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})


async def test_browsers_load_it(hass_client_no_auth: ClientSessionGenerator) -> None:
    """Home Assistant's page names the module, and a browser may keep its files.

    There is no station yet.
    """
    client = await hass_client_no_auth()

    page = await (await client.get("/")).text()

    module = MODULE.search(page)
    assert module is not None
    files = list(FOLDER.iterdir())
    assert FOLDER / "esp-weather.js" in files
    for file in files:
        response = await client.get(module[1] + file.name)
        assert response.status == HTTPStatus.OK
        assert "max-age" in response.headers["Cache-Control"]
        assert await response.read() == file.read_bytes()
        assert "javascript" in response.headers["Content-Type"]


async def test_changed_files_have_another_address(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator, tmp_path: Path
) -> None:
    """A browser that has cached the files of an older version loads the new ones."""
    for file in FOLDER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes() + b"\n")

    with patch.object(dashboard, "_FOLDER", tmp_path):
        await dashboard.async_register_dashboard(hass)

    client = await hass_client_no_auth()
    page = await (await client.get("/")).text()
    assert len(set(MODULE.findall(page))) == 2
