"""The Wi-Fi is set over the serial port, with the library that ESP Web Tools uses."""

import asyncio
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
import os
from pathlib import Path
import shutil
from typing import Any

import pytest

from .interpreter import BOARD, CHECKOUT, FIRMWARE, TESTS
from .simulated import COMMAND

LIBRARY = CHECKOUT / "node_modules" / "improv-wifi-serial-sdk" / "dist" / "serial.js"
READY, PROVISIONED = 2, 4

pytestmark = pytest.mark.usefixtures("socket_enabled")


def _environment() -> dict[str, str]:
    return {**os.environ, "MICROPYPATH": f"{FIRMWARE}:{BOARD}"}


async def _provision(folder: Path) -> dict[str, Any]:
    """Return what the library says of a board."""
    process = await asyncio.create_subprocess_exec(
        *("node", TESTS / "improv.mjs", LIBRARY, *COMMAND),
        cwd=folder,
        env=_environment(),
        stdout=PIPE,
    )
    output, _ = await process.communicate()
    result: dict[str, Any] = json.loads(output)
    return result


@pytest.mark.skipif(
    not LIBRARY.exists() or shutil.which("node") is None,
    reason="The library is not there: npm ci gets it (scripts/lint does that)",
)
async def test_provision(tmp_path: Path) -> None:
    """A wrong password is an error; the right one leads to the board's page."""
    result = await _provision(tmp_path)
    assert result["info"] == {
        "firmware": "ESP Weather",
        "version": "0.3.0",
        "chipFamily": "ESP8266",
        "name": "ESP-Weather-2b0e68",
        "osName": None,
        "osVersion": None,
    }
    assert result["before"] == READY
    assert result["networks"] == [{"name": "Home", "rssi": -61, "secured": True}]
    assert result["hostname"] == "error: UNKNOWN_RPC_COMMAND"
    assert result["wrong"] == "error: UNABLE_TO_CONNECT"
    assert result["between"] == READY
    assert result["right"] is None
    assert result["after"] == PROVISIONED
    assert result["url"] == "http://127.0.0.1/"
    assert result["again"] is None
    assert "Portal: join the Wi-Fi" in result["console"]


@asynccontextmanager
async def _board(
    folder: Path,
) -> AsyncGenerator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    """Run a board without settings; give its serial port."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, cwd=folder, env=_environment(), stdin=PIPE, stdout=PIPE, stderr=STDOUT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            yield process.stdin, process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def _packet(kind: int, data: bytes) -> bytes:
    packet = b"IMPROV\x01" + bytes((kind, len(data))) + data
    return packet + bytes((sum(packet) & 0xFF,))


async def test_nonsense(tmp_path: Path) -> None:
    """Bytes that are not a packet are ignored, and the next packet is understood."""
    state = _packet(3, b"\x02\x00")
    junk = (
        b"hello\r\n",
        b"IMPROV",
        b"IMPROIMPROV\x02",
        bytes(range(4, 256)),
        state[:-1] + b"\x00",
        _packet(3, b""),
        _packet(3, b"\x01\x09\xff"),
        _packet(3, b"\x01\x01\x00"),
        _packet(3, b"\x01\x03\x01\xff\x00"),
        _packet(3, b"\x01\x04\x04a\x00b"),
        _packet(3, b"\x63\x00"),
        _packet(9, b"what"),
    )
    for part in junk:
        async with _board(tmp_path) as (board_input, console):
            board_input.write(part + state)
            said = await console.readuntil(_packet(1, b"\x02"))
        assert b"Traceback" not in said, (part, said)


async def test_control_c(tmp_path: Path) -> None:
    """Ctrl-C leads to the prompt, which mpremote needs; in a packet it is a byte."""
    async with _board(tmp_path) as (board_input, console):
        board_input.write(_packet(3, b"\x03\x00"))
        await console.readuntil(b"ESP Weather\x050.3.0")
        board_input.write(b"\r\x03")
        assert b"KeyboardInterrupt" in await console.read()
