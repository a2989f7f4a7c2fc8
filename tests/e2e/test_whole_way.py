"""A simulated board goes the whole way with a real Home Assistant (HA).

Without settings at first; a phone fills in its page. Then it finds HA, is paired, gets
another interval, is updated over the air, and goes back from a version that is broken.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.firmware.simulated import COMMAND, Board, simulated_board
from tools.home_assistant import HomeAssistant, free_port
from tools.seed import seed, store
from tools.station import CHECKOUT, OUTDOOR

INTEGRATION = CHECKOUT / "custom_components" / "esp_weather"
LIBRARY = CHECKOUT / ".tools" / "micropython" / "lib"
UPDATE = "update.outdoor_firmware"
INTERVAL = "number.outdoor_interval"
SAY = 'print("ESP Weather", VERSION)'
# Home Assistant, which leaves the loopback out when it announces itself
ANNOUNCING = """
import sys
from zeroconf import IPVersion
from homeassistant.components import zeroconf
loopback = {"ip_version": IPVersion.V4Only, "interfaces": ["127.0.0.1"]}
zeroconf._async_get_zc_args = lambda hass: loopback
from homeassistant.__main__ import main
sys.exit(main())
"""
LIMIT = 120  # seconds for what is waited for
SENSORS = {
    "sensor.outdoor_temperature": "°C",
    "sensor.outdoor_temperature_2": "°C",
    "sensor.outdoor_humidity": "%",
    "sensor.outdoor_pressure": "hPa",
}


def _release(home_assistant: HomeAssistant, version: str, start: str) -> None:
    """Give HA an integration with another version of the firmware.

    `start` is what the firmware does when it starts, instead of saying its version.
    """
    target = home_assistant.config / "custom_components" / "esp_weather"
    if target.is_symlink():
        target.unlink()
        left_out = shutil.ignore_patterns("firmware", "__pycache__")
        shutil.copytree(INTEGRATION, target, ignore=left_out)
    source = home_assistant.config / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(CHECKOUT / "firmware", source)
    package = source / "esp_weather"
    text = (package / "__init__.py").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VERSION"))
    (package / "__init__.py").write_text(text.replace(line, f'VERSION = "{version}"'))
    text = (package / "start.py").read_text()
    assert SAY in text
    (package / "start.py").write_text(text.replace(SAY, start))
    subprocess.run(
        [sys.executable, source / "build.py", target / "firmware"],
        check=True,
        env={"PYTHONPATH": str(LIBRARY)},
    )
    (target / "firmware" / "notes.md").write_text(f"## {version}\n")


async def _until(
    home_assistant: HomeAssistant, entity: str, board: Board, **wanted: object
) -> dict[str, Any]:
    """Return an entity when its state and attributes are so. Raises TimeoutError."""
    found: dict[str, Any] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(LIMIT):
            while True:
                for each in await home_assistant.rest("GET", "/api/states"):
                    if each["entity_id"] == entity:
                        found = {"state": each["state"], **each["attributes"]}
                if wanted.items() <= found.items():
                    return found
                await asyncio.sleep(0.2)
    console = board.console.splitlines()
    raise TimeoutError(f"{found}\n" + "\n".join(console[-30:]))


async def _call(
    home_assistant: HomeAssistant, service: str, entity: str, **data: object
) -> None:
    await home_assistant.rest(
        "POST", f"/api/services/{service}", {"entity_id": entity, **data}
    )


@pytest.fixture
async def home_assistant(
    tmp_path: Path, socket_enabled: None
) -> AsyncGenerator[HomeAssistant]:
    """Return a real Home Assistant that announces itself on this machine alone."""
    config = tmp_path / "config"
    port = free_port()
    await asyncio.to_thread(_prepare, config, port)
    async with HomeAssistant(
        config, port, program=("-c", ANNOUNCING)
    ) as home_assistant:
        yield home_assistant


def _prepare(config: Path, port: int) -> None:
    seed(config, port)
    store(config, "core.network", 1, {"configured_adapters": ["lo"]})
    with (config / "configuration.yaml").open("a") as file:
        file.write("\nzeroconf:\n")


async def _fill_in(board: Board, key: str) -> None:
    """Fill in the board's page, as a phone does that was led to it."""
    status, location, _ = await board.request("/generate_204", host="example.org")
    assert (status, location) == (302, "http://192.168.4.1/")
    form = {"ssid": "Home", "password": "wrong password", "key": key, "server": ""}
    await board.request(form=form)
    await board.says("Portal: wrong_password")
    _, _, text = await board.request(language="de")
    assert "Das Passwort des WLANs ist falsch." in text
    await board.request(form=form | {"password": "password"})


async def _next(home_assistant: HomeAssistant, flow: str, step: str) -> Any:
    """Return the step of a dialog when it is this one. Raises TimeoutError."""
    async with asyncio.timeout(LIMIT):
        while True:
            shown = await home_assistant.rest("GET", flow)
            if shown["step_id"] == step:
                return shown
            await asyncio.sleep(0.2)


@pytest.mark.timeout(600)
async def test_whole_way(home_assistant: HomeAssistant, tmp_path: Path) -> None:
    """From a board without settings to a broken update that is undone."""
    flows = "/api/config/config_entries/flow"
    menu = await home_assistant.rest("POST", flows, {"handler": "esp_weather"})
    flow = f"{flows}/{menu['flow_id']}"
    shown = await home_assistant.rest("POST", flow, {"next_step_id": "board"})
    (field,) = shown["data_schema"]
    code = parse_qs(urlsplit(field["selector"]["qr_code"]["data"]).fragment)
    assert code["host"] == ["127.0.0.1"]
    assert code["port"] == [str(home_assistant.port)]
    command = (*COMMAND, "esp32")
    async with simulated_board(tmp_path / "board", command=command) as board:
        await _fill_in(board, code["key"][0])
        await board.says("Home Assistant is at 127.0.0.1")
        await home_assistant.rest("POST", flow, {})
        named = await _next(home_assistant, flow, "name")
        assert [each["name"] for each in named["data_schema"]] == [
            *("name", "place", "kind_1", "kind_2", "kind_3", "kind_4")
        ]
        done = await home_assistant.rest(
            "POST", flow, {"name": OUTDOOR.name, "place": OUTDOOR.place}
        )
        assert done["type"] == "create_entry"
        for entity, unit in SENSORS.items():
            await _until(home_assistant, entity, board, unit_of_measurement=unit)
        assert board.settings is not None
        assert board.settings["server"]["port"] == home_assistant.port

        await _until(home_assistant, INTERVAL, board, state="60")
        await _call(home_assistant, "number/set_value", INTERVAL, value=1)
        await _until_interval(board, 1)

        await home_assistant.stop()
        await asyncio.to_thread(_release, home_assistant, "8.0.0", SAY)
        await home_assistant.start()
        await _until(home_assistant, UPDATE, board, state="on", latest_version="8.0.0")
        await _call(home_assistant, "update/install", UPDATE)
        await _until(
            home_assistant, UPDATE, board, state="off", installed_version="8.0.0"
        )
        assert _slot(board) == "a\n"

        await home_assistant.stop()
        broken = f"{SAY}; machine.reset()"
        await asyncio.to_thread(_release, home_assistant, "9.0.0", broken)
        await home_assistant.start()
        await _until(home_assistant, UPDATE, board, state="on", latest_version="9.0.0")
        await _call(home_assistant, "update/install", UPDATE)
        undone = "The last update was undone: the new version could not report."
        found = await _until(
            home_assistant,
            UPDATE,
            board,
            state="on",
            in_progress=False,
            installed_version="8.0.0",
            release_summary=f"{undone} The previous version is running.",
        )
        assert found["latest_version"] == "9.0.0"
        assert board.console.count("ESP Weather 9.0.0\n") == 4
        assert _slot(board) == "a\n"
        assert board.settings["interval"] == 1


def _slot(board: Board) -> str:
    return (board.folder / "slot").read_text()


async def _until_interval(board: Board, interval: int) -> None:
    async with asyncio.timeout(LIMIT):
        while (board.settings or {})["interval"] != interval:
            await asyncio.sleep(0.1)
