"""install.py, with real esptool and mpremote, against stand-ins for a board.

One is a bootloader that takes an image, the other the prompt of a real MicroPython.
"""

import ast
import asyncio
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
import fcntl
import hashlib
import json
import os
from pathlib import Path
import re
import shutil
from signal import SIG_DFL, SIGINT, signal
import sys
from typing import Any

import aiohttp
from esp32_mock_bootloader import mock_bootloader
from esptool.cmds import attach_flash, detect_chip, run_stub
import pytest

from tools.home_assistant import free_port
from tools.station import OUTDOOR

from .interpreter import CHECKOUT, COMPILER, FIRMWARE, INTERPRETER
from .micropython_org import micropython_org
from .serial_port import board_at_port
from .server import report_server

pytestmark = [
    pytest.mark.usefixtures("socket_enabled"),
    # The bootloader leaves a pipe to its process open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

IMAGE_SIZE = 300_000  # bytes


async def _install(
    *arguments: str | Path,
    answers: str = "",
    until: str = "",
    program: Sequence[str | Path] = (FIRMWARE / "install.py",),
    wrapper: Sequence[str] = (),
    **environment: str,
) -> tuple[int, str]:
    """Run install.py; return its exit code and what it printed.

    Ctrl-C is pressed when it has printed `until`.
    """
    process = await asyncio.create_subprocess_exec(
        *(*wrapper, sys.executable, "-u", *program, *arguments),
        env={
            **os.environ,
            "PYTHONPATH": str(COMPILER.parents[1]),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        },
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        # Else a password is asked for at the terminal of whoever runs the tests.
        start_new_session=True,
        preexec_fn=_take_ctrl_c,
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


def _take_ctrl_c() -> None:
    """Have Ctrl-C end this process, also where the tests run in the background.

    A shell has its background jobs ignore it, and so would all that they start.
    """
    signal(SIGINT, SIG_DFL)


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
    assert "That is not the sha256 that it has to be" in said


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


@pytest.mark.timeout(300)
async def test_download(tmp_path: Path) -> None:
    """What is fetched has the digest that was pinned; a page is no image."""
    # A checkout in which a maintainer has pinned the digests
    checkout = tmp_path / "checkout"
    shutil.copytree(FIRMWARE, checkout / "firmware")
    pin = checkout / "scripts" / "pin-micropython"
    pin.parent.mkdir()
    shutil.copy(CHECKOUT / "scripts" / "pin-micropython", pin)
    content = _image(tmp_path, "esp8266").read_bytes()
    version = "20250911-v1.26.1"
    names = ["ESP8266_GENERIC", "ESP8266_GENERIC-FLASH_1M", "ESP32_GENERIC"]
    names += [f"ESP32_GENERIC_{chip}" for chip in ("C3", "C6", "S2", "S3")]
    images = {f"{name}-{version}.bin": content + name.encode() for name in names}
    fetched = f"ESP8266_GENERIC-{version}.bin"
    program = (checkout / "firmware" / "install.py",)
    async with micropython_org(tmp_path, images) as environment:
        with mock_bootloader("esp8266") as board:

            async def install() -> str:
                code, said = await _install(
                    "--port", board.url(), program=program, **environment
                )
                assert code == 1  # Nobody answers whether to write it.
                assert f"/resources/firmware/{fetched}" in said
                return said

            right = images[fetched]
            images[fetched] = b"<html>Welcome to our Wi-Fi</html>"
            said = await install()
            assert "Nothing is there to check that with" in said
            assert "That is no image for a chip" in said

            images[fetched] = right
            pinning = await asyncio.create_subprocess_exec(
                pin, env={**os.environ, **environment}
            )
            assert await pinning.wait() == 0
            said = await install()
            assert "Nothing is there to check that with" not in said
            assert "Erase it and install MicroPython?" in said

            images[fetched] = content
            said = await install()
            assert "That is not the sha256 that it has to be" in said


async def test_no_network(tmp_path: Path) -> None:
    """It says which file to bring."""
    with mock_bootloader("esp32") as board:
        code, said = await _install(
            *("--port", board.url(), "--erase"), https_proxy="http://127.0.0.1:9"
        )
    assert code == 1
    assert "MicroPython cannot be fetched" in said
    assert (
        "Get the newest .bin from https://micropython.org/download/ESP32_GENERIC/"
        in (said)
    )
    assert "--image FILE" in said


async def test_no_boot_mode() -> None:
    """It says which buttons to press."""
    with _silent_port() as port:
        code, said = await _install("--port", port, "--erase")
    assert code == 1
    assert "Hold the button BOOT (also FLASH or GPIO0) down" in said


async def test_no_permission() -> None:
    """It says which group to join."""
    other = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    with _silent_port() as port:
        port.chmod(0)
        group = port.group()
        # Root may use each port.
        wrapper = other if os.geteuid() == 0 else ()
        code, said = await _install("--port", port, wrapper=wrapper)
    assert code == 1
    assert f"You may not use {port}: it belongs to the group “{group}”" in said
    assert f"sudo usermod -a -G {group} $USER" in said


async def test_busy_port() -> None:
    """It says what may be using the port."""
    with _silent_port() as port, port.open("rb") as terminal:
        fcntl.flock(terminal, fcntl.LOCK_EX)
        code, said = await _install("--port", str(port))
    assert code == 1
    assert "Close what else uses it: Thonny" in said


async def test_unplugged(flash: Path) -> None:
    """It says so, and goes on from there when it is started again."""
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(board_at_port(flash))
        installing = asyncio.create_task(_install("--port", port))
        while len(_names(flash, "*.mpy")) < 3:
            assert not installing.done(), await installing
            await asyncio.sleep(0.05)
        await stack.aclose()
        code, said = await installing
    assert code == 1
    assert "The board has gone, or does not answer any more" in said
    assert "Traceback" not in said
    copied = len(_names(flash, "*.mpy"))
    async with board_at_port(flash) as port:
        code, said = await _install("--port", port)
    (count, of) = re.findall(r"(\d+) of (\d+) files copied", said)[0]
    # The one that was being written may be half of one.
    assert int(of) - copied <= int(count) <= int(of) - copied + 1


@contextmanager
def _silent_port() -> Iterator[Path]:
    """Return a port at which nobody answers."""
    end, port = os.openpty()
    try:
        yield Path(os.ttyname(port))
    finally:
        os.close(port)
        os.close(end)


@pytest.mark.parametrize(
    ("ports", "answers", "advice"),
    [
        ((), "", "Plug it in with a USB cable that carries data"),
        (("/dev/ttyUSB98",), "", "There is no /dev/ttyUSB98"),
        (("/dev/ttyUSB98", "/dev/ttyUSB99"), "2\n", "There is no /dev/ttyUSB99"),
        (("/dev/ttyUSB98", "/dev/ttyUSB99"), "3\n", "Start again with --port"),
        (("/dev/ttyUSB98", "/dev/ttyUSB99"), "usb\n", "Start again with --port"),
    ],
)
async def test_find_port(ports: Sequence[str], answers: str, advice: str) -> None:
    """It takes the only USB port, or asks; other serial ports of a PC are none."""
    program = f"""
import runpy, sys
from serial.tools import list_ports, list_ports_common
found = [list_ports_common.ListPortInfo(name) for name in {(*ports, "/dev/ttyS0")!r}]
for port in found:
    port.vid = None if port.device == "/dev/ttyS0" else 0x10C4
list_ports.comports = lambda: found
sys.path.insert(0, {str(FIRMWARE)!r})
runpy.run_path({str(FIRMWARE / "install.py")!r}, run_name="__main__")
"""
    code, said = await _install(program=("-c", program), answers=answers)
    assert code == 1
    assert advice in said
    assert "Traceback" not in said


async def test_old_micropython(flash: Path) -> None:
    """It asks once whether to replace one that is too old; without a yes, all stays."""
    (flash / "data.txt").write_text("mine")
    async with board_at_port(flash, 0, "1.19.1") as port:
        code, said = await _install("--port", port, "--configure")
        assert (code, "This board has no firmware yet" in said) == (1, True)
        code, said = await _install("--port", port)
    assert code == 1
    assert "It has MicroPython 1.19.1" in said
    # The chip of this board does not answer.
    assert "Hold the button BOOT" in said
    assert _names(flash, "*") == ["data.txt"]


ODD = {"ssid": " \U0001f3e0 Café", "password": ' pä$$"\\w\u00f6rd '}


async def test_configure(flash: Path, tmp_path: Path) -> None:
    """Settings that somebody has broken, odd letters, and a file instead of answers."""
    config = flash / "config.json"
    file = tmp_path / "settings.json"
    file.write_text(
        json.dumps({**OUTDOOR.config(1, interval=60), "wifi": ODD}), "utf-8-sig"
    )
    async with board_at_port(flash) as port:
        (flash / "slots.py").touch()
        for broken in ("{", "[]", '{"wifi": "Home", "server": [1], "key": 5}'):
            config.write_text(broken)
            # It goes on with the answers that it got, and misses the next one.
            code, said = await _install("--port", port, "--configure", answers="Home\n")
            assert (code, "Traceback" in said) == (1, False), said
            code, said = await _install(
                *("--port", port, "--configure", "--config", file),
                answers="\n",
                until="MAC address",
            )
            assert "Replace the settings on the board" in said
            assert config.read_text() == broken
        (flash / "slots.py").unlink()
        code, said = await _install("--port", port, "--configure")
        assert (code, "This board has no firmware yet" in said) == (1, True)
        (flash / "slots.py").touch()

        # A password may begin and end with blanks, and an open network has none.
        for password, known in (
            (ODD["password"], ODD["password"]),
            ("", ODD["password"]),
            ("-", ""),
        ):
            ssid = "Café \U0001f3e0"
            answers = (
                f"{ssid}\n{password}\nftp://x\n[::1]\n127.0.0.1:1\n{OUTDOOR.key}\n"
            )
            await _install(
                *("--port", port, "--configure"),
                answers=answers,
                until="config.json is written.",
            )
            assert await _as_micropython_reads(flash) == {
                "ssid": ssid,
                "password": known,
            }
        await _install(
            *("--port", port, "--configure", "--config", file),
            answers="y\n",
            until="config.json is written.",
        )
        assert await _as_micropython_reads(flash) == ODD


async def _as_micropython_reads(folder: Path) -> Any:
    program = "import json; print(repr(json.load(open('config.json'))['wifi']))"
    process = await asyncio.create_subprocess_exec(
        *(INTERPRETER, "-c", program), cwd=folder, stdout=PIPE
    )
    output, _ = await process.communicate()
    return ast.literal_eval(output.decode())


async def test_help() -> None:
    """It tells what it does."""
    code, said = await _install("--help")
    assert code == 0
    for option in ("--port", "--image", "--configure", "--erase"):
        assert option in said
    assert str(CHECKOUT) not in said
