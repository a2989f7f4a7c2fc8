"""Serves the dashboard strategy and has the frontend load it."""

from hashlib import sha256
from pathlib import Path
from typing import Final

from homeassistant.components.frontend import add_extra_js_url
from homeassistant.components.http import StaticPathConfig
from homeassistant.core import HomeAssistant

from ..const import DOMAIN

_FOLDER: Final = Path(__file__).parent / "frontend"


async def async_register_dashboard(hass: HomeAssistant) -> None:
    """Register the dashboard strategy with the frontend.

    Does nothing without a frontend: the stations can report
    all the same.
    """
    if "frontend" not in hass.config.components:
        return
    # Browsers cache the files for a month; a changed file has another URL.
    url = f"/{DOMAIN}/{await hass.async_add_executor_job(_version)}"
    await hass.http.async_register_static_paths([StaticPathConfig(url, str(_FOLDER))])
    add_extra_js_url(hass, f"{url}/esp-weather.js")


def _version() -> str:
    digest = sha256()
    for file in sorted(_FOLDER.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
