"""The firmware, unchanged, under MicroPython reports to a real Home Assistant (HA)."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
import json
from pathlib import Path

from dev.home_assistant import HomeAssistant
from dev.station import INDOOR, OUTDOOR, Station, add_station, run_station

from .conftest import rows

TEMPERATURE = "sensor.outdoor_temperature"
LIMIT = 60  # seconds for what is waited for


class Board:
    """A running board and what its console shows."""

    def __init__(self, folder: Path) -> None:
        """Look into the board's folder."""
        self.folder = folder

    @property
    def console(self) -> list[str]:
        """Return the lines of the console."""
        return (self.folder / "console.log").read_text().splitlines()

    def measured(self) -> list[float]:
        """Return what the sensor gave."""
        return _numbers(self.console, "sensor gives ")

    def stored(self) -> list[float]:
        """Return what the server took, says the station."""
        return _numbers(self.console, "field 1 = ")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so. Raises TimeoutError with the console."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LIMIT):
                while not condition():
                    await asyncio.sleep(0.05)
                return
        raise TimeoutError("\n".join(self.console[-20:]))

    async def says(self, text: str) -> None:
        """Wait for a text on the console."""
        await self.until(lambda: any(text in line for line in self.console))

    async def stores(self, more: int) -> None:
        """Wait until that many more readings are stored."""
        before = len(self.stored())
        await self.until(lambda: len(self.stored()) >= before + more)


def _numbers(lines: list[str], prefix: str) -> list[float]:
    return [
        float(line.removeprefix(prefix)) for line in lines if line.startswith(prefix)
    ]


@asynccontextmanager
async def _board(
    station: Station, folder: Path, config: dict[str, object]
) -> AsyncGenerator[Board]:
    task = asyncio.create_task(run_station(station, folder, config))
    board = Board(folder)
    try:
        await board.until((folder / "console.log").exists)
        yield board
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_firmware(home_assistant: HomeAssistant, tmp_path: Path) -> None:
    """Each reading is a row, and neither HA nor the Wi-Fi going away stops that."""
    shown = await add_station(home_assistant, OUTDOOR)
    # What the last step shows needs only the Wi-Fi, as it says.
    config = json.loads(shown["description_placeholders"]["config"])
    config["wifi"] = {"ssid": "Home", "password": "password"}
    config["interval"] = 1

    async with _board(INDOOR, tmp_path / "indoor", config) as board:
        # Nobody has set this one up.
        await board.says("The server refuses this station")
        assert board.stored() == []

    async with _board(OUTDOOR, tmp_path / "outdoor", config) as board:
        await board.stores(3)
        state = await home_assistant.rest("GET", f"/api/states/{TEMPERATURE}")
        assert float(state["state"]) in board.measured()[-2:]

        (board.folder / "no-wifi").touch()
        await board.says("Wi-Fi: no such network in reach")
        (board.folder / "no-wifi").unlink()
        await board.stores(2)

        (board.folder / "no-sensor").touch()
        await board.says("mcp9808 of field 1 cannot be read")
        (board.folder / "no-sensor").unlink()
        await board.stores(2)

        await home_assistant.stop()
        await board.says("The server: no answer")
        await home_assistant.start()
        await board.stores(2)
        await home_assistant.stop()

    recorded = [
        float(state)
        for state, _ in rows(home_assistant.database, TEMPERATURE)
        if state != "unavailable"
    ]
    # All that the station calls stored are rows, in their order …
    remaining = iter(recorded)
    assert all(value in remaining for value in board.stored())
    # … and there are no others but what HA restores at its start, and the one on
    # whose way HA went away, each time.
    assert len(recorded) <= len(board.stored()) + 3
    assert set(recorded) <= set(board.measured())
