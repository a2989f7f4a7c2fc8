"""A simulated board is updated over the air by a real Home Assistant (HA), and goes back."""

import asyncio
from contextlib import suppress
import json
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tools.home_assistant import HomeAssistant
from tools.station import CHECKOUT, OUTDOOR, add_station, run_station

INTEGRATION = CHECKOUT / "custom_components" / "esp_weather"
LIBRARY = CHECKOUT / ".tools" / "micropython" / "lib"
UPDATE = "update.outdoor_firmware"
INTERVAL = "number.outdoor_interval"
SAY = 'print("ESP Weather", VERSION)'
LIMIT = 90  # seconds


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
    home_assistant: HomeAssistant, entity: str, board: Path, **wanted: object
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
    console = (board / "console.log").read_text().splitlines()
    raise TimeoutError(f"{found}\n" + "\n".join(console[-30:]))


async def _call(
    home_assistant: HomeAssistant, service: str, entity: str, **data: object
) -> None:
    await home_assistant.rest(
        "POST", f"/api/services/{service}", {"entity_id": entity, **data}
    )


@pytest.mark.timeout(400)
async def test_update(home_assistant: HomeAssistant, tmp_path: Path) -> None:
    """An update, another interval, and the rollback from a broken version."""
    await add_station(home_assistant, OUTDOOR)
    await home_assistant.stop()
    await asyncio.to_thread(_release, home_assistant, "8.0.0", SAY)
    await home_assistant.start()
    board = tmp_path / "board"
    config = OUTDOOR.config(home_assistant.port, interval=2)
    task = asyncio.create_task(run_station(OUTDOOR, board, config))
    try:
        await _until(home_assistant, UPDATE, board, state="on", latest_version="8.0.0")
        await _call(home_assistant, "update/install", UPDATE)
        await _until(
            home_assistant, UPDATE, board, state="off", installed_version="8.0.0"
        )
        assert (board / "slot").read_text() == "a\n"

        await _until(home_assistant, INTERVAL, board, state="2")
        await _call(home_assistant, "number/set_value", INTERVAL, value=1)
        while json.loads((board / "config.json").read_text())["interval"] != 1:
            await asyncio.sleep(0.1)

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
        console = (board / "console.log").read_text()
        assert console.count("ESP Weather 9.0.0\n") == 4
        assert (board / "slot").read_text() == "a\n"
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
