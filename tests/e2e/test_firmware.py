"""The firmware, unchanged, under MicroPython reports to a real Home Assistant (HA)."""

import asyncio
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import groupby
import json
from pathlib import Path
from typing import NamedTuple

from tools.home_assistant import HomeAssistant
from tools.station import (
    CHECKOUT,
    INDOOR,
    MICROPYTHON,
    MODULES,
    OUTDOOR,
    SIMULATOR,
    Station,
    add_station,
    run_station,
)

from .helpers import rows

CLOCK = CHECKOUT / "firmware" / "simulator" / "clock"
TEMPERATURE = "sensor.outdoor_temperature"
FLOWS = "/api/config/config_entries/flow"
LIMIT = 60  # seconds for what is waited for
BATCH = 12  # readings in a full report
STORED = "field 1 = "  # says the console of what the server took
TENTH = 0.1  # s, the step of the station's clock


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
        return _numbers(self.console, STORED)

    def rounds(self) -> list[list[float]]:
        """Return the same in lists: what was taken without measuring meanwhile."""
        return [
            _numbers(list(lines), STORED)
            for is_stored, lines in groupby(
                self.console, lambda line: line.startswith(STORED)
            )
            if is_stored
        ]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so. Raises TimeoutError with the console."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LIMIT):
                while not condition():
                    await asyncio.sleep(0.05)
                return
        raise TimeoutError("\n".join(self.console[-20:]))

    async def says(self, text: str, times: int = 1) -> None:
        """Wait for a text on the console."""
        await self.until(lambda: sum(text in line for line in self.console) >= times)

    async def stores(self, more: int) -> None:
        """Wait until that many more readings are stored."""
        before = len(self.stored())
        await self.until(lambda: len(self.stored()) >= before + more)


class Sent(NamedTuple):
    """How old a reading was when it was sent, in s, and what that makes its row's time.

    That is between `first` and `last`, on the clock of HA: reckoned from when the
    board, whose own fast clock stands meanwhile, was connected until it was answered.
    """

    age: float
    first: float
    last: float


def _sent(board: Board) -> dict[float, Sent]:
    """Return how each value was sent that the server took, says outage.py."""
    measured: dict[float, int] = {}
    sent = {}
    clock = begin = end = 0
    for line in board.console:
        match line.split():
            case ["sensor", "gives", value, "at", at]:
                measured[float(value)] = int(at)
            case ["sends", "at", at, "from", moment]:
                clock, begin = int(at), int(moment)
            case ["sent", "until", moment]:
                end = int(moment)
            case ["field", "1", "=", value]:
                age = clock - measured[float(value)]
                sent[float(value)] = Sent(
                    age / 1000, (begin - age) / 1000, (end - age) / 1000
                )
    return sent


def _recorded(home_assistant: HomeAssistant) -> list[tuple[float, float]]:
    """Return the temperatures that are rows, with their times."""
    return [
        (float(state), moment.timestamp())
        for state, moment in rows(home_assistant.database, TEMPERATURE)
        if state != "unavailable"
    ]


def _values(recorded: list[tuple[float, float]]) -> list[float]:
    return [value for value, _ in recorded]


def _rising(values: list[float]) -> tuple[list[float], list[float]]:
    """Return the values that are higher than all before, and the others."""
    rising: list[float] = []
    others: list[float] = []
    for value in values:
        (others if rising and value <= rising[-1] else rising).append(value)
    return rising, others


def _numbers(lines: list[str], prefix: str) -> list[float]:
    return [
        float(line.removeprefix(prefix).split()[0])
        for line in lines
        if line.startswith(prefix)
    ]


@asynccontextmanager
async def _board(
    station: Station, folder: Path, config: dict[str, object]
) -> AsyncGenerator[Board]:
    task = asyncio.create_task(run_station(station, folder, config, rising=True))
    board = Board(folder)
    try:
        await board.until((folder / "console.log").exists)
        yield board
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _start_flow(home_assistant: HomeAssistant) -> str:
    step = await home_assistant.rest("POST", FLOWS, {"handler": "esp_weather"})
    flow_id: str = step["flow_id"]
    return flow_id


async def _step_of(home_assistant: HomeAssistant, flow: str) -> str:
    step: str = (await home_assistant.rest("GET", flow))["step_id"]
    return step


async def test_firmware(home_assistant: HomeAssistant, tmp_path: Path) -> None:
    """Each reading is a row, and neither HA nor the Wi-Fi going away stops that."""
    flow = f"{FLOWS}/{await _start_flow(home_assistant)}"
    shown = await home_assistant.rest("POST", flow, {"next_step_id": "pair"})
    # What the dialog shows needs only the Wi-Fi, as it says.
    config = json.loads(shown["description_placeholders"]["config"])
    config["wifi"] = {"ssid": "Home", "password": "password"}
    config["interval"] = 1

    async with _board(OUTDOOR, tmp_path / "outdoor", config) as board:
        while await _step_of(home_assistant, flow) != "name":
            await asyncio.sleep(0.1)
        await home_assistant.rest("POST", flow, {"name": OUTDOOR.name})
        await board.stores(3)
        async with _board(INDOOR, tmp_path / "indoor", config) as stranger:
            # Nobody has set this one up.
            await stranger.says("The server refuses this station")
            assert stranger.stored() == []
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
        before = _values(_recorded(home_assistant))
        await board.says("The server: no answer")
        await home_assistant.start()
        await board.stores(2)

        # Else HA might have a reading while its answer is lost.
        (board.folder / "no-wifi").touch()
        await board.says("Wi-Fi: no such network in reach", times=2)
    await home_assistant.stop()
    rising, again = _rising(_values(_recorded(home_assistant)))
    stored = board.stored()
    assert stored == board.measured()[: len(stored)]
    assert rising == stored
    # A second row, of the time when HA wrote it, has what HA restored. So may what made
    # the new sensor, if it was a tenth old, and what ended a full report after a restart
    # that took long: there, too, the state cannot be older than the one before.
    rounds = board.rounds()
    full = [value for delivered in rounds for value in delivered[BATCH - 1 :: BATCH]]
    assert before[-1] in again
    assert set(again) <= {rounds[0][:BATCH][-1], before[-1], *full}
    assert len(set(again)) == len(again)


async def test_legacy_firmware(home_assistant: HomeAssistant, tmp_path: Path) -> None:
    """An older config.json, which says nothing of signatures, works as before."""
    await add_station(home_assistant, INDOOR)
    config = INDOOR.config(home_assistant.port, interval=1)
    del config["signed"]
    async with _board(INDOOR, tmp_path / "indoor", config) as board:
        await board.stores(3)
        await _forbid_legacy_reports(home_assistant)
        await board.says("The server refuses this station")


async def _forbid_legacy_reports(home_assistant: HomeAssistant) -> None:
    (entry,) = await home_assistant.rest(
        "GET", "/api/config/config_entries/entry?domain=esp_weather"
    )
    flows = "/api/config/config_entries/options/flow"
    step = await home_assistant.rest("POST", flows, {"handler": entry["entry_id"]})
    flow = f"{flows}/{step['flow_id']}"
    await home_assistant.rest("POST", flow, {"next_step_id": "station"})
    station = {"place": "elsewhere", "timeout": 15, "legacy": False, "archive": False}
    await home_assistant.rest("POST", flow, station)


async def test_outage(home_assistant: HomeAssistant, tmp_path: Path) -> None:
    """What was measured while HA was away for three hours is there, at its time."""
    await add_station(home_assistant, OUTDOOR)
    await _forbid_legacy_reports(home_assistant)
    folder = tmp_path / "outdoor"
    folder.mkdir()
    config = OUTDOOR.config(home_assistant.port, interval=60)
    (folder / "config.json").write_text(json.dumps(config))
    with (folder / "console.log").open("wb") as console:
        process = await asyncio.create_subprocess_exec(
            *(MICROPYTHON, SIMULATOR / "outage.py", OUTDOOR.mac),
            cwd=folder,
            env={"MICROPYPATH": ":".join(map(str, (*MODULES, CLOCK)))},
            stdin=DEVNULL,
            stdout=console,
            stderr=STDOUT,
        )
    board = Board(folder)
    try:
        await board.says("waits for away")
        await home_assistant.stop()
        (folder / "away").touch()
        await board.says("waits for back")
        assert len(board.stored()) == 3
        await home_assistant.start()
        (folder / "back").touch()
        await board.says("is over")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()

    stored = board.stored()
    assert stored == board.measured()
    state = await home_assistant.rest("GET", f"/api/states/{TEMPERATURE}")
    assert float(state["state"]) == stored[-1]

    # What was recorded on the network is worth nothing.
    reader, writer = await asyncio.open_connection("127.0.0.1", home_assistant.port)
    writer.write((folder / "report").read_bytes())
    assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
    writer.close()
    await home_assistant.stop()

    recorded = _recorded(home_assistant)
    times = dict(reversed(recorded))  # of the first row of each value
    assert sorted(times) == stored
    sent = _sent(board)
    assert max(each.age for each in sent.values()) > 3 * 3600 - 120
    # As in test_firmware; but here the console tells one report from another.
    old = {value for *_, value in board.rounds() if sent[value].age}
    again = sorted(_values(recorded))
    for value in times:
        again.remove(value)
    assert {stored[2]} <= set(again) <= {stored[2], *old}
    assert len(set(again)) == len(again)
    for value, at in times.items():
        # The station's clock shows whole tenths of when it measured and when it sent,
        # and each of at most three resets has cost it less than one more.
        assert at > sent[value].first - TENTH
        assert at < sent[value].last + 4 * TENTH
