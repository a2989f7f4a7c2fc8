"""A simulated board goes the whole way with a real Home Assistant (HA).

Without settings at first; a phone fills in its page. Then it finds HA, is paired, gets
another interval, is updated over the air, and goes back from a version that is broken.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.firmware.simulated import Board, simulated_board
from tools.home_assistant import HomeAssistant
from tools.station import OUTDOOR

from .whole_way import (
    BOARD,
    BROKEN,
    LIMIT,
    NEXT,
    UNDONE,
    announced_home_assistant,
    expect_undone,
    release_broken,
    until_interval,
)

UPDATE = "update.outdoor_firmware"
INTERVAL = "number.outdoor_interval"
SENSORS = {
    "sensor.outdoor_temperature": "°C",
    "sensor.outdoor_temperature_2": "°C",
    "sensor.outdoor_humidity": "%",
    "sensor.outdoor_pressure": "hPa",
}


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
    """Return a Home Assistant that announces itself, with a newer firmware."""
    async with announced_home_assistant(tmp_path / "config") as home_assistant:
        yield home_assistant


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
    async with simulated_board(tmp_path / "board", command=BOARD) as board:
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
        await until_interval(board, 1)

        await _until(home_assistant, UPDATE, board, state="on", latest_version=NEXT)
        await _call(home_assistant, "update/install", UPDATE)
        await _until(home_assistant, UPDATE, board, state="off", installed_version=NEXT)

        await release_broken(home_assistant)
        await _until(home_assistant, UPDATE, board, state="on", latest_version=BROKEN)
        await _call(home_assistant, "update/install", UPDATE)
        await _until(
            home_assistant,
            UPDATE,
            board,
            state="on",
            in_progress=False,
            installed_version=NEXT,
            latest_version=BROKEN,
            release_summary=UNDONE,
        )
        expect_undone(board)
        assert board.settings["interval"] == 1
