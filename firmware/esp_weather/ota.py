"""Fetches another version of the firmware, in a start of its own.

It goes into a folder that is not in use. Nothing of it counts until all of it is there
as the manifest says, whose digest came in a signed answer. Then one rename switches.
"""

from binascii import hexlify
from hashlib import sha256
import json
import os
import sys
import time

from micropython import const
import slots

from esp_weather import CONFIG, ORDER, VERSION
from esp_weather.client import Client
from esp_weather.watchdog import Watchdog
from esp_weather.wifi import Wifi

_PATH = "/api/esp_weather/firmware/"
_MANIFEST = "firmware.json"
_WIFI_LIMIT_MS = const(60_000)
_LOOK_MS = const(100)
_ATTEMPTS = const(3)  # at each file
_PAUSE_MS = const(5_000)
_LONGEST_MANIFEST = const(16_384)  # bytes
_SPARE = const(8)  # blocks of the flash that the station needs for itself
_FOLDER = const(0x4000)


class UpdateError(Exception):
    """The update failed; the text is the error code for Home Assistant."""


def run() -> None:
    """Fetch the ordered version. If that fails, the current one stays and reports why."""
    slot = slots.read()[0]
    with open(ORDER, "rb") as file:
        content = file.read()
    os.remove(ORDER)  # It is ordered again if the power is cut now.
    words = content.decode().split()
    if len(words) != 2:
        return
    version, digest = words
    watchdog = Watchdog(lambda: None)
    watchdog.start()
    other = "b" if slot == "a" else "a"
    try:
        print("Update to", version)
        _fetch(digest, other, watchdog)
        slots.write(other, str(slots.TRIES), slot)
        print("The next start is one of the new firmware")
    except UpdateError as err:
        print("No update:", err)
        _clear(other)  # What was fetched takes room that readings may need.
        slots.write(slot, "-", str(err))
    finally:
        watchdog.stop()


def _fetch(digest: str, slot: str, watchdog: Watchdog) -> None:
    """Fill a folder with the version whose manifest has this digest."""
    with open(CONFIG + ".checked") as file:
        config = json.load(file)
    wifi = Wifi(config["wifi"]["ssid"], config["wifi"]["password"], bytes(4))
    download = _Download(config["server"])
    config = None
    end = time.ticks_add(time.ticks_ms(), _WIFI_LIMIT_MS)
    while not wifi.is_connected():
        if time.ticks_diff(end, time.ticks_ms()) <= 0:
            raise UpdateError("no_wifi")
        wifi.connect()
        time.sleep_ms(_LOOK_MS)
    try:
        _clear(slot)
        os.mkdir(slot)
        folder = slot + "/esp_weather/"
        os.mkdir(folder[:-1])
    except OSError:
        raise UpdateError("no_space")
    manifest = slot + "/" + _MANIFEST
    download.get(_MANIFEST, manifest, _LONGEST_MANIFEST, digest, watchdog)
    with open(manifest) as file:
        content = json.load(file)
    if content["bytecode"] != sys.implementation._mpy & 0xFF:  # noqa: SLF001
        raise UpdateError("micropython_too_old")
    files = content["files"]
    state = os.statvfs(".")
    blocks = sum([-(-size // state[0]) for size, _ in files.values()])
    if state[3] < blocks + _SPARE:
        raise UpdateError("no_space")
    for name in files:
        size, right = files[name]
        download.get(name, folder + name, size, right, watchdog)


def _clear(path: str) -> None:
    """Remove a folder and its content, if it exists. Raises OSError."""
    try:
        entries = list(os.ilistdir(path))
    except OSError:
        return
    for entry in entries:
        inner = path + "/" + entry[0]
        if entry[1] == _FOLDER:
            _clear(inner)
        else:
            os.remove(inner)
    os.rmdir(path)


class _Download(Client):
    """Downloads files from the server."""

    TIMEOUT = 60_000  # ms, for a file

    def get(
        self, name: str, target: str, size: int, digest: str, watchdog: Watchdog
    ) -> None:
        """Download a file of at most `size` bytes and check its digest.

        Raises UpdateError.
        """
        self._name = name
        self._target = target
        self._size = size
        for attempt in range(_ATTEMPTS):
            if attempt:
                watchdog.sleep(_PAUSE_MS)
            watchdog.feed()
            self._error = "no_answer"
            status = self._ask()
            if status == 200 and self._digest == digest:
                print(name)
                return
            print(name, self.answer)
            if status == 200:
                self._error = "wrong_digest"
            if self._error == "no_space":
                break
        raise UpdateError(self._error)

    def _pieces(self):  # type: ignore[no-untyped-def]
        # HTTP/1.0: the answer comes in one piece.
        yield "GET " + _PATH + self._name + " HTTP/1.0\r\nHost: "
        yield "%s:%d\r\nUser-Agent: esp-weather/%s\r\n\r\n" % (
            self._host,
            self._port,
            VERSION,
        )

    def _read(self) -> int:
        status = self._status()
        length = -1
        while True:
            line = self._line().strip()
            if not line:
                break
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if status == 200:
            self._save(length)
        return status

    def _save(self, length: int) -> None:
        """Write the content of an answer into the file."""
        seen = sha256()
        room = self._size
        try:
            with open(self._target, "wb") as file:
                while length:
                    piece = self._some(length if length > 0 else 64)
                    if not piece:
                        break
                    length -= len(piece)
                    room -= len(piece)
                    if room < 0:  # A wrong server could fill the flash.
                        break
                    seen.update(piece)
                    try:
                        file.write(piece)
                    except OSError:
                        self._error = "no_space"
                        raise
        except OSError as err:
            if err.errno == 28:  # ENOSPC
                self._error = "no_space"
            raise
        self._digest = hexlify(seen.digest()).decode()
