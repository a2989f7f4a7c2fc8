"""The unchanged firmware in MicroPython reports to a real Home Assistant (HA)."""

import asyncio
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import groupby
import json
from pathlib import Path
from typing import NamedTuple

import pytest

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

from .helpers import rows_by_reading

CLOCK = CHECKOUT / "firmware" / "simulator" / "clock"
TEMPERATURE = "sensor.outdoor_temperature"
FLOWS = "/api/config/config_entries/flow"
LIMIT = 60  # seconds
BATCH = 12  # readings in a full report
MOST = 5000  # readings in a test
STORED = "field 1 = "  # printed on the console for a reading that the server took
DERIVED = ("dew_point", "absolute_humidity", "signal_strength")  # of no field
TENTH = 0.1  # s, the step of the station's clock


class Board:
    """A running board and its console."""

    def __init__(self, folder: Path) -> None:
        """Initialize with the board's folder."""
        self.folder = folder

    @property
    def console(self) -> list[str]:
        """Return the lines of the console."""
        return (self.folder / "console.log").read_text().splitlines()

    def measured(self) -> list[float]:
        """Return the values that the sensor gave."""
        return _numbers(self.console, "sensor gives ")

    def stored(self, field: int = 1) -> list[float]:
        """Return the values of a field that the server took, as the console says.

        After a restart of the server, readings not confirmed by it are sent again.
        """
        return _numbers(self.console, f"field {field} = ")

    def rounds(self) -> list[list[float]]:
        """Return the values in groups, between which the station measured."""
        return [
            _numbers(list(lines), STORED)
            for is_stored, lines in groupby(
                self.console, lambda line: line.startswith(STORED)
            )
            if is_stored
        ]

    async def stream(self) -> str:
        """Return the name under which the station numbers its readings."""

        def sent() -> bytes:
            return (self.folder / "report").read_bytes().partition(b"\r\n\r\n")[2]

        # The file may be about to be written.
        await self.until(lambda: sent().endswith(b"}"))
        name: str = json.loads(sent())["stream"]
        return name

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds. Raises TimeoutError with the console."""
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
    """Return how each value was sent that the server took, as outage.py logs it."""
    measured: dict[float, int] = {}
    sent: dict[float, Sent] = {}
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
                # A repeated reading is the same row.
                sent.setdefault(
                    float(value),
                    Sent(age / 1000, (begin - age) / 1000, (end - age) / 1000),
                )
    return sent


class Recorded(NamedTuple):
    """The recorded states of an entity, except unavailable."""

    # The rows that are readings, in the order of their numbers, with their times
    readings: list[tuple[float, float]]
    # The rows that Home Assistant wrote itself, as after a restart
    others: list[float]

    @property
    def values(self) -> list[float]:
        """Return the values of the readings."""
        return [value for value, _ in self.readings]


def _recorded(
    home_assistant: HomeAssistant, stream: str, entity_id: str = TEMPERATURE
) -> Recorded:
    readings, others = rows_by_reading(
        home_assistant.database, entity_id, OUTDOOR.mac, stream, MOST
    )
    return Recorded(
        [(float(state), time.timestamp()) for _, state, time in readings],
        [float(state) for state in others if state not in ("unavailable", "unknown")],
    )


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
    """Each reading is a row, despite outages of HA and of the Wi-Fi."""
    flow = f"{FLOWS}/{await _start_flow(home_assistant)}"
    shown = await home_assistant.rest("POST", flow, {"next_step_id": "pair"})
    # The config.json of the dialog only lacks the Wi-Fi.
    config = json.loads(shown["description_placeholders"]["config"])
    config["wifi"] = {"ssid": "Home", "password": "password"}
    config["interval"] = 1
    config["signed"] = True  # not the default of an ESP8266

    async with _board(OUTDOOR, tmp_path / "outdoor", config) as board:
        while await _step_of(home_assistant, flow) != "name":
            await asyncio.sleep(0.1)
        await home_assistant.rest(
            "POST", flow, {"name": OUTDOOR.name, "place": OUTDOOR.place}
        )
        await board.stores(3)
        async with _board(INDOOR, tmp_path / "indoor", config) as stranger:
            # This one is not set up.
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

        stream = await board.stream()
        await home_assistant.stop()
        before = _recorded(home_assistant, stream).values
        await board.says("The server: no answer")
        await home_assistant.start()
        await board.stores(2)

        # Otherwise HA might have a reading whose answer is lost.
        (board.folder / "no-wifi").touch()
        await board.says("Wi-Fi: no such network in reach", times=2)
        assert await board.stream() == stream
    await home_assistant.stop()
    recorded = _recorded(home_assistant, stream)
    # None is lost, none is there twice.
    taken = sorted(set(board.stored()))
    assert recorded.values == taken == board.measured()[: len(taken)]
    # A row that is no reading, of the time when HA wrote it, has what HA restored. So
    # may what ended a full report after a restart that took long: there, too, the state
    # cannot be older than the one before.
    full = [each for round_ in board.rounds() for each in round_[BATCH - 1 :: BATCH]]
    assert before[-1] in recorded.others
    assert set(recorded.others) <= {before[-1], *full}
    assert len(set(recorded.others)) == len(recorded.others)


WEATHER = [
    {"type": "bme280", "field": 1, "scl": 5, "sda": 4},
    {"type": "dht22", "field": 4, "pin": 13},
    {"type": "pulse", "field": 6, "pin": 14, "per_pulse": 0.2794},
]
# Entity, unit, device class and state class of each field, and its values
SHOWN = {
    1: ("temperature", "°C", "temperature", "measurement"),
    2: ("humidity", "%", "humidity", "measurement"),
    3: ("pressure", "hPa", "atmospheric_pressure", "measurement"),
    4: ("temperature_4", "°C", "temperature", "measurement"),
    5: ("humidity_5", "%", "humidity", "measurement"),
    6: ("rain", "mm", "precipitation", "total_increasing"),
}


async def test_weather_station(home_assistant: HomeAssistant, tmp_path: Path) -> None:
    """A BME280, a DHT22 and a rain gauge are right from the first reading on.

    Home Assistant was told nothing but name and place.
    """
    flow = f"{FLOWS}/{await _start_flow(home_assistant)}"
    shown = await home_assistant.rest("POST", flow, {"next_step_id": "pair"})
    config = json.loads(shown["description_placeholders"]["config"])
    config["wifi"] = {"ssid": "Home", "password": "password"}
    config["interval"] = 3  # A DHT22 needs 2.
    config["signed"] = True
    config["sensors"] = WEATHER

    async with _board(OUTDOOR, tmp_path / "outdoor", config) as board:
        while await _step_of(home_assistant, flow) != "name":
            await asyncio.sleep(0.1)
        step = await home_assistant.rest(
            "POST", flow, {"name": OUTDOOR.name, "place": OUTDOOR.place}
        )
        assert step["type"] == "create_entry"
        await board.stores(2)
        states = await _fields(home_assistant)
        assert {
            name: (unit, device_class, state_class)
            for name, (_, unit, device_class, state_class) in states.items()
        } == {name: tuple(rest) for name, *rest in SHOWN.values()}
        assert states["temperature"][0] == 25.08
        assert states["pressure"][0] == pytest.approx(1006.5325, abs=0.001)
        assert (states["temperature_4"][0], states["humidity_5"][0]) == (21.5, 48.2)
        assert states["rain"][0] in [round(0.2794 * tips, 4) for tips in range(1, 30)]
        assert await _issues(home_assistant) == []

        stream = await board.stream()
        await home_assistant.stop()
        await board.says("The server: no answer")
        await home_assistant.start()
        await board.stores(3)
        assert set(await _fields(home_assistant)) == set(states)
        (board.folder / "no-wifi").touch()
        await board.says("Wi-Fi: no such network in reach")
        assert await board.stream() == stream
    await home_assistant.stop()
    counts = set()
    for field, (name, *_) in SHOWN.items():
        recorded = _recorded(home_assistant, stream, f"sensor.outdoor_{name}")
        # The console shows more decimals than are sent.
        assert set(recorded.values) == {round(each, 4) for each in board.stored(field)}
        counts.add(len(recorded.values))
        if name == "rain":
            # Each is one tip more: none is lost, none is stored twice.
            tips = [round(value / 0.2794) for value in recorded.values]
            assert tips == list(range(tips[0], tips[0] + len(tips)))
            assert tips[0] <= 2
    assert len(counts) == 1


async def _fields(
    home_assistant: HomeAssistant,
) -> dict[str, tuple[float, str, str, str]]:
    """Return state, unit and classes of each field, by the end of its entity ID."""
    return {
        state["entity_id"].removeprefix("sensor.outdoor_"): (
            float(state["state"]),
            *(
                state["attributes"].get(name)
                for name in ("unit_of_measurement", "device_class", "state_class")
            ),
        )
        for state in await home_assistant.rest("GET", "/api/states")
        if "state_class" in state["attributes"]
        and state["entity_id"].startswith("sensor.outdoor_")
        and not state["entity_id"].endswith(DERIVED)
    }


async def _issues(home_assistant: HomeAssistant) -> list[str]:
    """Return the repair issues of the integration."""
    listed = await home_assistant.websocket("repairs/list_issues")
    return [
        issue["issue_id"]
        for issue in listed["issues"]
        if issue["domain"] == "esp_weather"
    ]


async def test_legacy_firmware(home_assistant: HomeAssistant, tmp_path: Path) -> None:
    """An older config.json, without the setting for signatures, works as before."""
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
    """Readings from three hours without HA are stored with their times."""
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

    # The last ones before the outage were not confirmed yet, and are sent again.
    delivered = board.stored()
    taken = sorted(set(delivered))
    assert taken == board.measured()
    assert delivered == taken[:3] + taken[len(taken) - len(delivered) + 3 :]
    state = await home_assistant.rest("GET", f"/api/states/{TEMPERATURE}")
    assert float(state["state"]) == taken[-1]

    # A recorded report cannot be replayed.
    reader, writer = await asyncio.open_connection("127.0.0.1", home_assistant.port)
    writer.write((folder / "report").read_bytes())
    assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
    writer.close()
    await home_assistant.stop()

    recorded = _recorded(home_assistant, await board.stream())
    # None is lost, none is there twice.
    assert recorded.values == taken
    sent = _sent(board)
    assert max(each.age for each in sent.values()) > 3 * 3600 - 120
    # As in test_firmware, but here the console tells the reports apart.
    old = {value for *_, value in board.rounds() if sent[value].age}
    assert {taken[2]} <= set(recorded.others) <= {taken[2], *old}
    assert len(set(recorded.others)) == len(recorded.others)
    for value, at in recorded.readings:
        # The station's clock shows whole tenths of when it measured and when it sent,
        # and each of at most three resets has cost it less than one more.
        assert at > sent[value].first - TENTH
        assert at < sent[value].last + 4 * TENTH
