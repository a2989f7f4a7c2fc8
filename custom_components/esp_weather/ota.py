"""The compiled firmware of a release, which stations fetch over the air."""

from hashlib import sha256
import json
from pathlib import Path
from typing import Final, NamedTuple

from homeassistant.components.http import StaticPathConfig
from homeassistant.core import HomeAssistant

from .const import DOMAIN

# scripts/build puts it here; it is not part of the repository.
_FOLDER: Final = Path(__file__).parent / "firmware"
_PATH: Final = f"/api/{DOMAIN}/firmware"


class Firmware(NamedTuple):
    """A version that stations can install.

    `sha256` is the digest of its manifest, which holds the digests of all files: a
    station that received it in a signed answer need not trust where it downloads the
    files. `notes` are Markdown.
    """

    version: str
    sha256: str
    notes: str


async def async_load_firmware(hass: HomeAssistant) -> Firmware | None:
    """Serve the firmware of this release and return it, None if there is none."""
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
