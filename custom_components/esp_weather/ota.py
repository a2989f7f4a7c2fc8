"""The compiled firmware of a release, which stations fetch over the air."""

from hashlib import sha256
import json
from pathlib import Path
from typing import Final, NamedTuple

from homeassistant.components.http import StaticPathConfig
from homeassistant.core import HomeAssistant

from .const import DOMAIN

# scripts/build puts it here; a checkout of the repository does without.
_FOLDER: Final = Path(__file__).parent / "firmware"
_PATH: Final = f"/api/{DOMAIN}/firmware"


class Firmware(NamedTuple):
    """A version that stations can install.

    `sha256` is that of its manifest, which has those of all files: whoever is told it in
    a signed answer may take the files from anywhere. `notes` are Markdown.
    """

    version: str
    sha256: str
    notes: str


async def async_load_firmware(hass: HomeAssistant) -> Firmware | None:
    """Return the firmware of this release, None if it is not here, and serve its files."""
    firmware = await hass.async_add_executor_job(_read, _FOLDER)
    if firmware is not None:
        await hass.http.async_register_static_paths(
            [StaticPathConfig(_PATH, str(_FOLDER), cache_headers=False)]
        )
    return firmware


def _read(folder: Path) -> Firmware | None:
    try:
        manifest = (folder / "firmware.json").read_bytes()
        notes = (folder / "notes.md").read_text("utf-8")
    except FileNotFoundError:
        return None
    version: str = json.loads(manifest)["version"]
    return Firmware(version, sha256(manifest).hexdigest(), notes)
