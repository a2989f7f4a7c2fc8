"""Each sender of docs/senders.md reports to a real Home Assistant.

Client libraries run unmodified. What runs on a board only is sent byte by byte, in the
format of its source; our own sketches run as they stand in examples/, with the lines
filled in that their user fills in.
"""

import asyncio
from asyncio.subprocess import PIPE, STDOUT
from base64 import b64encode
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
import json
import os
from pathlib import Path
import shutil
from typing import Any

import pytest
import thingspeak

from tools.home_assistant import HomeAssistant, HomeAssistantError, free_port
from tools.station import CHECKOUT, MICROPYTHON, SIMULATOR, Station, add_station

from .helpers import rows

SENDERS = Path(__file__).parent / "senders"
EXAMPLES = CHECKOUT / "examples"
ESPEASY = "127.0.0.2"  # the address of a board, also of this computer
LIMIT = 120  # seconds that a sender may take

STATION = Station("Garden", "5c:cf:7f:0e:08:a8", key="PHDNGI2345KLMNOP")


@pytest.fixture
async def garden(tmp_path: Path, socket_enabled: None) -> AsyncGenerator[HomeAssistant]:
    """Return a Home Assistant with a station that was added manually.

    It takes ESPEasy for a reverse proxy, as docs/senders.md says.
    """
    proxies = {"use_x_forwarded_for": True, "trusted_proxies": [f"{ESPEASY}/32"]}
    async with HomeAssistant(
        tmp_path / "config", free_port(), http=proxies
    ) as home_assistant:
        await add_station(home_assistant, STATION)
        yield home_assistant


async def _state(home_assistant: HomeAssistant, name: str) -> float | None:
    try:
        state = await home_assistant.rest("GET", f"/api/states/sensor.garden_{name}")
    except HomeAssistantError:
        return None
    return float(state["state"])


async def _run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command and return what it prints. Fails with that if the command does."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        async with asyncio.timeout(LIMIT):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    printed = output.decode()
    assert process.returncode == 0, printed
    return printed


async def _send(
    home_assistant: HomeAssistant, *segments: str, sender: str = "127.0.0.1"
) -> tuple[int, str]:
    """Send a request byte by byte; return status and body as a small board reads them.

    As the Arduino library does: the status behind `HTTP/1.1`, then `Content-Length:`
    spelt like this, then as many bytes behind the empty line.
    """
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", home_assistant.port, local_addr=(sender, 0)
    )
    for segment in segments:
        writer.write(segment.encode())
        await writer.drain()
        # Without a pause, TCP would join them.
        await asyncio.sleep(0.1)
    async with asyncio.timeout(LIMIT):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        protocol, status, _ = head.split(maxsplit=2)
        assert protocol in ("HTTP/1.1", "HTTP/1.0")
        _, _, length = head.partition("Content-Length:")
        body = await reader.readexactly(int(length.split()[0]))
    writer.close()
    return int(status), body.decode()


async def test_thingspeak_of_pypi(garden: HomeAssistant) -> None:
    """The package thingspeak of PyPI, with another server and our key."""
    for fmt, answer in (("txt", "1"), ("json", 2)):
        channel = thingspeak.Channel(
            1, api_key=STATION.key, fmt=fmt, server_url=garden.url
        )
        data = {"field1": 20.5, "field2": 48.2}
        updated = await asyncio.to_thread(channel.update, data)
        if fmt == "json":
            updated = json.loads(updated)["entry_id"]
        assert updated == answer
    assert await _state(garden, "temperature") == 20.5

    wrong = thingspeak.Channel(1, api_key="wrong", fmt="txt", server_url=garden.url)
    with pytest.raises(Exception, match="401 Client Error"):
        await asyncio.to_thread(wrong.update, {"field1": 1})


@pytest.mark.skipif(
    not shutil.which("npm"), reason="npm, which has thingspeakclient, is not installed"
)
async def test_thingspeakclient_of_npm(garden: HomeAssistant, tmp_path: Path) -> None:
    """The package thingspeakclient of npm, with another server and our key."""
    folder = tmp_path / "npm"
    shutil.copytree(SENDERS / "npm", folder)
    await _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    for key, fields, entry in (
        (STATION.key, {"field1": 20.5, "field2": 48.2}, "1"),
        (STATION.key, {"field1": 21.5}, "2"),
        ("wrong", {"field1": 1}, "0"),
    ):
        printed = await _run(
            *("node", "send.js", garden.url, key, json.dumps(fields)), cwd=folder
        )
        # The library uses deprecated parts of Node.js, which print warnings.
        assert printed.splitlines()[-1] == entry
    assert await _state(garden, "temperature") == 21.5


def _arduino_library(form: str, key: str = STATION.key) -> list[str]:
    """Return what ThingSpeak's library for Arduino sends, one string per print()."""
    return [
        "POST /update HTTP/1.1\r\n",
        "Host: api.thingspeak.com\r\n",
        "User-Agent: tslib-arduino/2.1.1 (ESP8266)\r\n",
        f"X-THINGSPEAKAPIKEY: {key}\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        f"Content-Length: {len(form)}\r\n\r\n",
        form,
    ]


async def test_arduino_library(garden: HomeAssistant) -> None:
    """ThingSpeak's library for Arduino, whose client connects to Home Assistant."""
    # writeField() has a number with five decimals, and turns an entry of 0 into -401.
    status, entry = await _send(
        garden, *_arduino_library("field1=20.50000&headers=false")
    )
    assert (status, int(entry)) == (200, 1)
    # setField(), setStatus() and setCreatedAt() before writeFields()
    created_at = f"{datetime.now(UTC) - timedelta(minutes=3):%Y-%m-%d %H:%M:%S}"
    fields = "field1=19.5&field2=48.20000&lat=48.21&long=16.37&elevation=151.00"
    status, entry = await _send(
        garden,
        *_arduino_library(
            f"{fields}&status=fine&created_at={created_at}&headers=false"
        ),
    )
    assert (status, int(entry)) == (200, 2)
    # Older versions of the library
    status, entry = await _send(
        garden,
        *(
            segment.replace("X-THINGSPEAK", "THINGSPEAK")
            for segment in _arduino_library("field1=21.50000&headers=false")
        ),
    )
    assert (status, int(entry)) == (200, 3)
    assert await _state(garden, "temperature") == 21.5

    status, _ = await _send(garden, *_arduino_library("field1=1&headers=false", "x"))
    assert status == 401

    await garden.stop()
    recorded = rows(garden.database, "sensor.garden_temperature")
    # The late update has its own time.
    assert [state for state, _ in recorded] == ["19.5", "20.5", "21.5"]


def _espeasy(form: str, port: int, headers: str = "") -> str:
    """Return what ESPEasy's ThingSpeak controller sends."""
    return (
        "POST /update HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\n"
        "User-Agent: ESP Easy/20116/Oct 19 2024 20:40:01\r\n"
        "Accept-Encoding: identity;q=1,chunked;q=0.1,*;q=0\r\n"
        f"{headers}"
        "Connection: close\r\n"
        "Accept: */*;q=0.1\r\n"
        f"X-Forwarded-For: {ESPEASY}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(form)}\r\n\r\n{form}"
    )


async def test_espeasy(garden: HomeAssistant) -> None:
    """ESPEasy's ThingSpeak controller: a task's values are the fields from its IDX on."""
    form = f"api_key={STATION.key}&field1=20.5&field2=48.2"
    # With something entered for "ThingHTTP Name", it logs in with that and the key.
    login = b64encode(f"name:{STATION.key}".encode()).decode()
    for entry, request in enumerate(
        (
            _espeasy(form, garden.port),
            _espeasy(form, garden.port, f"Authorization: Basic {login}\r\n"),
            # A task of texts
            _espeasy(f"api_key={STATION.key}&status=fine", garden.port),
        ),
        start=1,
    ):
        assert await _send(garden, request, sender=ESPEASY) == (200, str(entry))
    assert await _state(garden, "temperature") == 20.5
    # A board that is not a trusted proxy
    status, _ = await _send(garden, _espeasy(form, garden.port), sender="127.0.0.3")
    assert status == 400


async def test_tasmota(garden: HomeAssistant) -> None:
    """A rule of Tasmota that does WebSend or WebQuery."""
    head = (
        f"HTTP/1.1\r\nHost: 127.0.0.1:{garden.port}\r\nUser-Agent: ESP8266HTTPClient\r\n"
        "Accept-Encoding: identity;q=1,chunked;q=0.1,*;q=0\r\nConnection: keep-alive\r\n"
    )
    mac = STATION.mac.upper().replace(":", "")
    query = f"/update?api_key={STATION.key}&mac={mac}&field1=20.5"
    request = f"GET {query} {head}Content-Length: 0\r\n\r\n"
    assert await _send(garden, request) == (200, "1")
    form = f"api_key={STATION.key}&field2=48.2"
    request = f"POST /update {head}Content-Length: {len(form)}\r\n\r\n"
    assert await _send(garden, request, form) == (200, "2")
    assert await _state(garden, "temperature") == 20.5


def _filled_in(example: str, home_assistant: HomeAssistant, **more: str) -> str:
    """Return a file of examples/ with the lines that its user fills in."""
    text = (EXAMPLES / example).read_text()
    for before, after in {
        "http://192.168.1.10:8123": home_assistant.url,
        '("192.168.1.10", 8123)': f'("127.0.0.1", {home_assistant.port})',
        "PHDNGI2345": STATION.key,
        **more,
    }.items():
        text = text.replace(before, after)
    return text


@pytest.mark.skipif(not shutil.which("c++"), reason="there is no C++ compiler")
async def test_arduino_sketch(garden: HomeAssistant, tmp_path: Path) -> None:
    """Our sketch, compiled for this computer against the calls of an ESP8266."""
    folder = tmp_path / "arduino"
    shutil.copytree(SENDERS / "arduino", folder)
    sketch = _filled_in("arduino/esp_weather/esp_weather.ino", garden)
    assert garden.url in sketch
    (folder / "sketch.ino").write_text(sketch)
    await _run("c++", "-std=c++17", "-Wall", "-Werror", "-I.", "main.cpp", cwd=folder)
    board = {"MAC": STATION.mac.upper(), "TEMPERATURE": "20.5", "HUMIDITY": "48.2"}
    assert await _run("./a.out", cwd=folder, **board) == "200 1\n"
    # The values of a DHT22 that does not answer are refused.
    printed = await _run(
        "./a.out", cwd=folder, **{**board, "TEMPERATURE": "nan", "HUMIDITY": "nan"}
    )
    assert printed.startswith("400 ")
    assert await _state(garden, "temperature") == 20.5


async def test_micropython(garden: HomeAssistant, tmp_path: Path) -> None:
    """Our main.py for MicroPython, on a simulated board."""
    (tmp_path / "main.py").write_text(
        _filled_in("micropython/main.py", garden).replace(
            "time.sleep(INTERVAL)", "raise SystemExit"
        )
    )
    printed = await _run(
        *(MICROPYTHON, SENDERS / "board.py", STATION.mac),
        cwd=tmp_path,
        MICROPYPATH=f".:{SIMULATOR / 'modules'}",
    )
    assert " 200" in printed
    assert await _state(garden, "temperature") == 21.5


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_shell_script(garden: HomeAssistant, tmp_path: Path) -> None:
    """Our shell script, on this computer."""
    (tmp_path / "address").write_text(f"{STATION.mac}\n")
    (tmp_path / "temp").write_text("20512\n")
    script = _filled_in(
        "shell/report.sh",
        garden,
        **{
            "/sys/class/net/$interface/address": str(tmp_path / "address"),
            "/sys/class/thermal/thermal_zone0/temp": str(tmp_path / "temp"),
        },
    )
    (tmp_path / "report.sh").write_text(script)
    assert await _run("sh", "report.sh", cwd=tmp_path) == "1"
    assert await _state(garden, "temperature") == 20.5


@pytest.mark.parametrize("path", ["bulk_update.json", "bulk_update.csv"])
async def test_bulk_update(garden: HomeAssistant, path: str) -> None:
    """A sketch that collects readings and sends them together."""
    content: dict[str, Any] = {
        "write_api_key": STATION.key,
        "updates": [{"delta_t": 60, "field1": 20 + number} for number in range(4)],
    }
    body = json.dumps(content)
    if path.endswith("csv"):
        body = (
            f"write_api_key={STATION.key}&time_format=relative"
            "&updates=60,20|60,21|60,22|60,23"
        )
    status, answer = await _send(
        garden,
        f"POST /channels/1/{path} HTTP/1.1\r\nHost: api.thingspeak.com\r\n"
        "User-Agent: mw.doc.bulk-update (Arduino ESP8266)\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}",
    )
    assert (status, json.loads(answer)) == (202, {"success": True})
    assert await _state(garden, "temperature") == 23

    await garden.stop()
    recorded = rows(garden.database, "sensor.garden_temperature")
    assert [state for state, _ in recorded] == ["20.0", "21.0", "22.0", "23.0"]
    for (_, earlier), (_, later) in pairwise(recorded):
        assert (later - earlier).total_seconds() == pytest.approx(60, abs=2)


async def test_no_key_in_the_log(garden: HomeAssistant) -> None:
    """No log has a part of the key, whatever is sent and however TCP splits it."""
    rest = f"{STATION.key}/mac={STATION.mac}/field=1/data= 21.50 HTTP/1.1\r\n\r\n"
    requests = [
        [f"GET /update/API_key={rest}"],
        ["GET /update/API_key=", rest],
        [f"GET /update/API_key= {rest}"],
        ["GET /update/API_", f"key={rest}"],
        *([f"GET /update/API_key={rest[:at]}", rest[at:]] for at in (1, 3, 6, 9, 15)),
        [f"GET /update/%41PI_key={rest}"],
        [f"GET /update/api-key={rest}"],
        [f"GET /update?api_key={STATION.key}&field1= 21.5 HTTP/1.1\r\n\r\n"],
        [
            f"GET /update?api_key={STATION.key}&field1=../../1 HTTP/1.1\r\nHost: h\r\n\r\n"
        ],
        ["POST /update HTTP/1.1\r\nX-THINGSPEAKAPIKEY: ", f"{STATION.key}\0\r\n\r\n"],
    ]
    for request in requests:
        status, _ = await _send(garden, *request)
        assert status == 400
    await garden.stop()
    logged = garden.log.read_text()
    assert "Error handling request" in logged
    for start in range(len(STATION.key) - 3):
        assert STATION.key[start : start + 4] not in logged
