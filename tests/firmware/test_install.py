"""install.py, with real esptool and mpremote, against stand-ins for a board.

One is a bootloader that takes an image, the other the prompt of a real MicroPython.
"""

import asyncio
from asyncio.subprocess import PIPE, STDOUT
from contextlib import suppress
import hashlib
import json
import os
from pathlib import Path
from signal import SIGINT
import sys
from typing import Any

import aiohttp
from esp32_mock_bootloader import mock_bootloader
from esptool.cmds import attach_flash, detect_chip, run_stub
import pytest

from tools.home_assistant import free_port
from tools.station import OUTDOOR

from .interpreter import CHECKOUT, COMPILER, FIRMWARE
from .serial_port import board_at_port
from .server import report_server

pytestmark = [
    pytest.mark.usefixtures("socket_enabled"),
    # The bootloader leaves a pipe to its process open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

IMAGE_SIZE = 300_000  # bytes


async def _install(
    *arguments: str | Path, answers: str = "", until: str = ""
) -> tuple[int, str]:
    """Run install.py; return its exit code and what it printed.

    Ctrl-C is pressed when it has printed `until`.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", FIRMWARE / "install.py", *arguments),
        env={**os.environ, "PYTHONPATH": str(COMPILER.parents[1])},
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        # Else a password is asked for at the terminal of whoever runs the tests.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    said = ""
    try:
        process.stdin.write(answers.encode())
        process.stdin.close()
        async for line in process.stdout:
            said += line.decode()
            if until and until in said:
                until = ""
                process.send_signal(SIGINT)
        return await process.wait(), said
    finally:
        if process.returncode is None:
            process.kill()


def _image(folder: Path, chip: str) -> Path:
    """Return a file that is an image for a chip, as far as esptool looks at it."""
    content = bytearray(IMAGE_SIZE)
    content[:4] = bytes((0xE9, 1, 2, 0x20))  # DIO, 4 MB
    for start in range(64, IMAGE_SIZE - 32, 32):
        content[start : start + 32] = hashlib.sha256(b"%d" % start).digest()
    path = folder / f"{chip}.bin"
    path.write_bytes(content)
    return path


def _digests(port: str, *ranges: tuple[int, int]) -> list[str]:
    """Return what the chip itself says is the MD5 of each (address, size) of its flash."""
    chip = detect_chip(port)
    try:
        chip = run_stub(chip)
        attach_flash(chip)
        return [chip.flash_md5sum(address, size) for address, size in ranges]
    finally:
        chip._port.close()


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("chip", "offset"), [("esp8266", 0), ("esp32", 0x1000)])
async def test_flash(tmp_path: Path, chip: str, offset: int) -> None:
    """MicroPython is where the chip looks for it, and was verified."""
    image = _image(tmp_path, chip)
    content = image.read_bytes()
    with mock_bootloader(chip) as board:
        refused, said = await _install("--port", board.url(), "--image", image)
        assert refused == 1
        assert "Stopped." in said  # Nobody has answered.
        code, said = await _install("--port", board.url(), "--image", image, "--erase")
        size = len(content) - 4
        written = await asyncio.to_thread(
            _digests, board.url(), (offset + 4, size), (0, offset or 1)
        )
    assert "Hash of data verified." in said
    # The four bytes before may be set for the flash that there is.
    before = b"\xff" * offset or content[:1]
    assert written == [_md5(content[4:]), _md5(before)]
    # This board has a flash and no MicroPython.
    assert code == 1
    assert "MicroPython does not answer. Press the button RESET" in said


async def test_wrong_digest(tmp_path: Path) -> None:
    """An image with another digest is not written."""
    image = _image(tmp_path, "esp8266")
    with mock_bootloader("esp8266") as board:
        code, said = await _install(
            *("--port", board.url(), "--image", image, "--erase"),
            *("--sha256", "0" * 64),
        )
        (flash,) = await asyncio.to_thread(_digests, board.url(), (0, 4096))
        assert flash == _md5(b"\xff" * 4096)
    assert code == 1
    assert "That is not the sha256 that was asked for" in said


def _answers(port: int) -> str:
    return f"Home\nshort\npassword\nhttp://127.0.0.1:{port}\n{OUTDOOR.key}\n"


def _settings(folder: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return settings


def _names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.rglob(pattern))


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    """Return a folder that is the flash of a board, with nothing on it."""
    folder = tmp_path / "flash"
    folder.mkdir()
    return folder


async def test_install(flash: Path) -> None:
    """From a board with MicroPython alone to the first report, and again."""
    async with report_server() as server, board_at_port(flash) as port:
        code, said = await _install("--port", port, answers=_answers(server.port))
        assert code == 0, said
        assert "A password has 8 to 64 characters." in said
        assert f"MAC address: {OUTDOOR.mac}" in said
        assert "field 1 = 21.5" in said
        assert "Done: Home Assistant has taken the first report." in said
        assert _settings(flash) == {
            "interval": 60,
            "sensors": "auto",
            "wifi": {"ssid": "Home", "password": "password"},
            "server": {"host": "127.0.0.1", "port": server.port, "tls": False},
            "key": OUTDOOR.key,
        }
        assert _names(flash, "*.py") == ["main.py", "slots.py"]

        # It is done again without a question, and what is there is not copied.
        code, said = await _install("--port", port)
        assert code == 0, said
        assert "The board keeps its settings (Wi-Fi “Home”" in said
        assert ": 0 of " in said

        # Only the Wi-Fi's name is another one now, which is wrong, as it says.
        code, said = await _install(
            *("--port", port, "--configure"),
            answers="Work\n\n\n\n",
            until="→ Check its name (--configure)",
        )
        assert code == 1
        assert "  Wi-Fi: no such network in reach" in said
        assert "files copied" not in said
        assert _settings(flash)["wifi"] == {"ssid": "Work", "password": "password"}
        assert _settings(flash)["key"] == OUTDOOR.key


async def test_portal(flash: Path) -> None:
    """Without an answer, the rest is done with a phone; it shows the console meanwhile."""
    portal = free_port()
    async with report_server() as server, board_at_port(flash, portal) as port:
        installing = asyncio.create_task(_install("--port", port, answers="\n"))
        form = {
            "ssid": "Home",
            "password": "password",
            "key": OUTDOOR.key,
            "server": f"127.0.0.1:{server.port}",
        }
        while not (flash / "config.json").exists():
            assert not installing.done(), await installing
            with suppress(aiohttp.ClientError):
                async with aiohttp.request(
                    "POST",
                    f"http://127.0.0.1:{portal}/",
                    data=form,
                    headers={"Host": "192.168.4.1"},
                ):
                    pass
            await asyncio.sleep(0.2)
        code, said = await installing
    assert code == 0, said
    assert "opens the Wi-Fi network ESP-Weather-2b0e68" in said
    assert "Portal: join the Wi-Fi" in said
    assert "Done: Home Assistant has taken the first report." in said


@pytest.mark.parametrize("is_right", [True, False])
async def test_published_digest(tmp_path: Path, is_right: bool) -> None:
    """What lies beside an image is what it has to have."""
    image = _image(tmp_path, "esp8266")
    digest = hashlib.sha256(image.read_bytes()).hexdigest() if is_right else "0" * 64
    (tmp_path / "esp8266.bin.sha256").write_text(f"{digest}  esp8266.bin\n")
    with mock_bootloader("esp8266") as board:
        code, said = await _install("--port", board.url(), "--image", image)
    assert code == 1
    assert ("Stopped." in said) is is_right
    assert ("That is not the sha256" in said) is not is_right
    assert "Nothing is there to check" not in said


async def test_other_program(flash: Path) -> None:
    """What is not ours stays, unless the user says otherwise."""
    (flash / "main.py").write_text("print('mine')\n")
    (flash / "boot.py").write_text("print('mine, too')\n")
    async with board_at_port(flash) as port:
        code, said = await _install("--port", port, answers="\n")
    assert code == 1
    assert "a main.py of another program" in said
    assert (flash / "main.py").read_text() == "print('mine')\n"
    assert _names(flash, "*") == ["boot.py", "main.py"]


@pytest.mark.parametrize(
    ("port", "advice"),
    [
        ("/dev/ttyUSB99", "There is no /dev/ttyUSB99. Plug the board in"),
        ("socket://127.0.0.1:9", "socket://127.0.0.1:9 does not answer"),
    ],
)
async def test_no_port(port: str, advice: str) -> None:
    """It says what to do about a port that is not there."""
    code, said = await _install("--port", port)
    assert code == 1
    assert advice in said


async def test_no_image(tmp_path: Path) -> None:
    """It says which file to bring where MicroPython cannot be had."""
    with mock_bootloader("esp32") as board:
        code, said = await _install(
            *("--port", board.url(), "--erase"),
            *("--image", tmp_path / "missing.bin"),
        )
    assert code == 1
    assert "Give another file to --image" in said


async def test_help() -> None:
    """It tells what it does."""
    code, said = await _install("--help")
    assert code == 0
    for option in ("--port", "--image", "--configure", "--erase"):
        assert option in said
    assert str(CHECKOUT) not in said
