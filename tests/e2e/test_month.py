"""A station and Home Assistant (HA) over a long time, with outages and resets.

DAYS sets its length: DAYS=30 scripts/test tests/e2e/test_month.py.
"""

import asyncio
from asyncio.subprocess import PIPE, STDOUT
import json
import os
from pathlib import Path

import pytest

from tools.home_assistant import HomeAssistant
from tools.station import (
    CHECKOUT,
    MICROPYTHON,
    MODULES,
    OUTDOOR,
    SIMULATOR,
    add_station,
)

from .helpers import rows_by_reading

CLOCK = CHECKOUT / "firmware" / "simulator" / "clock"
DAYS = int(os.getenv("DAYS") or 3)
SEED = os.getenv("SEED") or "1"
INTERVAL = 600  # s
LIMIT = 40 * DAYS + 60  # s, for all


class Console:
    """The output of the board, as far as this test needs it."""

    def __init__(self) -> None:
        """Initialize before the first start."""
        self.lines: list[str] = []
        self.streams: list[str] = []
        self.measured: list[int] = []
        self.taken: set[int] = set()
        self.forgotten: set[int] = set()  # by a brown-out

    def add(self, line: str) -> None:
        """Add a line."""
        self.lines.append(line)
        match line.split():
            case ["measured", value]:
                self.measured.append(int(value))
            case ["field", "1", "=", value]:
                self.taken.add(round(float(value)))
            case ["stream", name]:
                self.streams.append(name)
            case ["brown-out"]:
                self.forgotten |= set(self.measured) - self.taken

    def count(self, text: str) -> int:
        """Return how many lines begin with this text."""
        return sum(line.startswith(text) for line in self.lines)


async def _obey(home_assistant: HomeAssistant, name: str) -> None:
    """Stop, kill or start HA."""
    match name.split("-", maxsplit=1)[0]:
        case "stop":
            await home_assistant.stop()
        case "kill":
            await home_assistant.kill()
        case "start":
            await home_assistant.start()


async def _live(home_assistant: HomeAssistant, folder: Path) -> Console:
    """Run the board, and do to HA what it commands."""
    process = await asyncio.create_subprocess_exec(
        *(MICROPYTHON, SIMULATOR / "month.py", OUTDOOR.mac, str(DAYS), SEED),
        cwd=folder,
        env={"MICROPYPATH": ":".join(map(str, (*MODULES, CLOCK)))},
        stdout=PIPE,
        stderr=STDOUT,
    )
    assert process.stdout is not None
    console = Console()
    try:
        async with asyncio.timeout(LIMIT):
            async for line in process.stdout:
                text = line.decode().rstrip()
                console.add(text)
                if text.startswith("waits for "):
                    name = text.removeprefix("waits for ")
                    await _obey(home_assistant, name)
                    (folder / name).touch()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    assert console.lines[-1] == "is over", "\n".join(console.lines[-20:])
    return console


@pytest.mark.timeout(LIMIT + 60)
async def test_month(
    home_assistant: HomeAssistant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each reading that the board did not forget is in the database once."""
    await add_station(home_assistant, OUTDOOR)
    folder = tmp_path / "outdoor"
    folder.mkdir()
    config = OUTDOOR.config(home_assistant.port, interval=INTERVAL)
    config["sensors"] = [{"type": "analog", "field": 1, "pin": 0, "full_scale": 65535}]
    (folder / "config.json").write_text(json.dumps(config))
    console = await _live(home_assistant, folder)
    entities = await home_assistant.websocket("config/entity_registry/list")
    (entity,) = (each for each in entities if each["unique_id"] == f"{OUTDOOR.mac}_1")
    await home_assistant.stop()

    recorded: list[int] = []
    for stream in console.streams:
        readings, _ = rows_by_reading(
            home_assistant.database,
            entity["entity_id"],
            OUTDOOR.mac,
            stream,
            len(console.measured) + 1,
        )
        recorded += [round(float(value)) for _, value, _ in readings]
    lost = set(console.measured) - set(recorded)
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{DAYS} days, {len(console.measured)} readings:"
            f" {len(lost - console.forgotten)} lost,"
            f" {len(recorded) - len(set(recorded))} recorded twice,"
            f" {len(lost & console.forgotten)} forgotten in"
            f" {console.count('brown-out')} brown-outs;"
            f" {console.count('waits for kill')} kills and"
            f" {console.count('waits for stop')} stops of Home Assistant,"
            f" {console.count('reset')} resets"
        )
    assert len(console.measured) > DAYS * 24 * 3600 / INTERVAL * 0.97
    assert sorted(recorded) == sorted(set(recorded))
    assert not lost - console.forgotten, "\n".join(console.lines[-200:])
