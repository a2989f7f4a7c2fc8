"""Sets up and runs stations, such as the two of scripts/develop."""

import asyncio
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

import aiohttp

from .home_assistant import HomeAssistant, HomeAssistantError, ending_with_this_process
from .signature import SIGNED_PATH, Signer, nonce_in

CHECKOUT = Path(__file__).parents[1]
MICROPYTHON = CHECKOUT / ".tools" / "micropython" / "bin" / "micropython"
CONSOLE = "console.log"
ENTRIES = "/api/config/config_entries/entry"
SIMULATOR = CHECKOUT / "firmware" / "simulator"
MODULES = (CHECKOUT / "firmware", SIMULATOR / "modules")


@dataclass(frozen=True)
class Station:
    """A station: its credentials, and the temperature around it in °C."""

    name: str
    mac: str
    mean: float = 20
    swing: float = 5
    key: str = "PHDNGI2345"
    place: str = "outside"

    def report_path(self, field: int, value: str) -> str:
        """Return the path of the legacy report of a reading."""
        return f"/update/API_key={self.key}/mac={self.mac}/field={field}/data={value}"

    def config(self, port: int, interval: int) -> dict[str, Any]:
        """Return the settings of a board that reports to a port of this machine."""
        return {
            "wifi": {"ssid": "Home", "password": "password"},
            "server": {"host": "127.0.0.1", "port": port, "tls": False},
            "key": self.key,
            "interval": interval,
            "deep_sleep": False,
            "signed": True,
            "sensors": [
                {"type": "mcp9808", "field": 1, "scl": 5, "sda": 4, "address": 24}
            ],
        }


OUTDOOR = Station("Outdoor", "5c:cf:7f:2b:0e:68", mean=20, swing=6)
INDOOR = Station("Indoor", "5c:cf:7f:3b:0d:a8", mean=23, swing=1, place="inside")


async def add_station(home_assistant: HomeAssistant, station: Station) -> Any:
    """Set up a station through the config flow unless it is set up already.

    Returns what the flow's last step shows, or None if the station was set up.
    Raises HomeAssistantError if the flow goes another way.
    """
    flows = "/api/config/config_entries/flow"
    step = await home_assistant.rest("POST", flows, {"handler": "esp_weather"})
    flow = f"{flows}/{step['flow_id']}"
    await home_assistant.rest("POST", flow, {"next_step_id": "manual"})
    shown = await home_assistant.rest(
        "POST",
        flow,
        {
            "name": station.name,
            "mac": station.mac,
            "api_key": station.key,
            "place": station.place,
        },
    )
    if shown.get("reason") == "already_configured":
        return None
    if shown.get("type") != "create_entry":
        raise HomeAssistantError(f"{station.name} was not set up: {shown}")
    return shown


async def find_entry(home_assistant: HomeAssistant, station: Station) -> str:
    """Return the ID of the config entry of a station that is set up."""
    entries = await home_assistant.rest("GET", f"{ENTRIES}?domain=esp_weather")
    (found,) = (each["entry_id"] for each in entries if each["title"] == station.name)
    return str(found)


async def report_signed(url: str, station: Station, **report: Any) -> int:
    """Send a signed report of a station; return the status of the answer.

    `report` holds the members of the report beside the MAC.
    """
    body = json.dumps({"mac": station.mac, "readings": [], **report}).encode()
    async with aiohttp.ClientSession(url) as session:
        async with session.post(SIGNED_PATH) as refusal:
            nonce = nonce_in(refusal.headers["Accept-Signature"])
        headers = Signer(station.mac, station.key).headers(body, nonce)
        async with session.post(SIGNED_PATH, data=body, headers=headers) as answer:
            return answer.status


async def open_on_dashboard(home_assistant: HomeAssistant, **options: Any) -> None:
    """Make the stations' dashboard HA's first page, with its `options`."""
    await home_assistant.websocket(
        "lovelace/config/save",
        config={"strategy": {"type": "custom:esp-weather", **options}},
    )


async def run_station(
    station: Station, folder: Path, config: Mapping[str, Any], *, rising: bool = False
) -> None:
    """Run the firmware in MicroPython on a simulated board, until cancelled.

    Its config.json and its console are in `folder`. If `rising`, each measurement is
    higher than all before, starting at the station's mean. Raises HomeAssistantError
    if the board fails.
    """
    with _prepare(folder, config).open("wb") as console:
        process = await asyncio.create_subprocess_exec(
            *ending_with_this_process(
                *(str(MICROPYTHON), str(SIMULATOR / "board.py")),
                *(station.mac, str(station.mean), str(station.swing)),
                *(["rising"] if rising else []),
            ),
            cwd=folder,
            env={"MICROPYPATH": ":".join(str(module) for module in MODULES)},
            stdin=DEVNULL,
            stdout=console,
            stderr=STDOUT,
            # Ctrl-C in a terminal must only reach scripts/develop, which ends the board.
            start_new_session=True,
        )
    try:
        await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    raise HomeAssistantError(f"{station.name} has ended: see {folder}/{CONSOLE}")


def _prepare(folder: Path, config: Mapping[str, Any]) -> Path:
    """Create a board's folder; return the file for its console."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    return folder / CONSOLE
