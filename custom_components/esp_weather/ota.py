"""The compiled firmware of a release, which stations fetch over the air."""

from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiohttp import web

from homeassistant.core import HomeAssistant
from homeassistant.helpers.http import HomeAssistantView

from .const import DOMAIN

# scripts/build puts it here; it is not part of the repository.
_FOLDER: Final = Path(__file__).parent / "firmware"
_MANIFEST: Final = "firmware.json"


class Firmware(NamedTuple):
    """A version that stations can install.

    `sha256` is the digest of its manifest, which holds the digests of all files: a
    station that received it in a signed answer need not trust where it downloads the
    files. `notes` are Markdown.
    """

    version: str
    sha256: str
    notes: str


class FirmwareView(HomeAssistantView):
    """The manifest and the files of the firmware, for anybody.

    They are in memory, so that they cost little however often a stranger asks.
    """

    name = f"{DOMAIN}:firmware"
    requires_auth = False
    url = f"/api/{DOMAIN}/firmware/{{file}}"

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Initialize with the contents of the files, by name."""
        self._files = files

    async def get(self, request: web.Request, file: str) -> web.Response:
        """Return a file."""
        if (content := self._files.get(file)) is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        return web.Response(body=content)


async def async_load_firmware(hass: HomeAssistant) -> Firmware | None:
    """Serve the firmware of this release and return it, None if there is none."""
    read = await hass.async_add_executor_job(_read, _FOLDER)
    if read is None:
        return None
    firmware, files = read
    hass.http.register_view(FirmwareView(files))
    return firmware


def _read(folder: Path) -> tuple[Firmware, dict[str, bytes]] | None:
    try:
        manifest = (folder / _MANIFEST).read_bytes()
        notes = (folder / "notes.md").read_text("utf-8")
    except FileNotFoundError:
        return None
    content: dict[str, Any] = json.loads(manifest)
    files = {name: (folder / name).read_bytes() for name in content["files"]}
    return (
        Firmware(content["version"], sha256(manifest).hexdigest(), notes),
        {_MANIFEST: manifest, **files},
    )
