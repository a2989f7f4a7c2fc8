"""Applies the changes that the server asks for. Unloaded when that is done."""

import json
import os
import sys

from esp_weather import CONFIG, ORDER, VERSION

_NEW = CONFIG + ".new"


def change(client, interval: int, longest: int) -> int:  # type: ignore[no-untyped-def]
    """Return the new interval between readings in ms, and store it.

    The request is in `client.settings`; `longest` is in seconds.
    """
    wanted = client.settings.get("interval")
    client.settings = {}
    if not isinstance(wanted, int) or not 1 <= wanted <= longest:
        print("The server wants a wrong interval:", wanted)
        return interval
    if wanted * 1000 != interval:
        print("The server wants one reading every", wanted, "s")
        client.status.interval = wanted
        try:
            _write("interval", wanted)
        except Exception as err:  # noqa: BLE001 # It is valid until the next start.
            print("It cannot be written:", err)
    return wanted * 1000


def order(wanted: dict) -> bool:
    """Order another version for the next start; return whether there is one."""
    version = wanted.get("version")
    digest = wanted.get("sha256")
    if not isinstance(version, str) or not isinstance(digest, str):
        return False
    if version == VERSION or len(digest) != 64 or " " in version:
        return False
    print("The server wants version", version)
    try:
        with open(ORDER, "w") as file:
            file.write(version + " " + digest)
    except OSError as err:
        print("It cannot be ordered:", err)
        return False
    return True


def confirm(client) -> None:  # type: ignore[no-untyped-def]
    """Note that this version works, and that the server knows of the last update."""
    import slots  # noqa: PLC0415 # It is seldom needed.

    try:
        slots.write(client.slot[0])
        client.slot = []
        client.status.update_error = ""
    except OSError as err:
        print("slot:", err)
    del sys.modules["slots"]


def _write(name: str, value: int) -> None:
    with open(CONFIG) as file:
        config = json.load(file)
    config[name] = value
    write(config)


def write(config: dict) -> None:
    """Write the settings atomically: a power cut leaves the old or the new file.

    Raises OSError if the flash is full.
    """
    with open(_NEW, "w") as file:
        json.dump(config, file)
    try:
        os.rename(_NEW, CONFIG)
    except OSError:  # FAT does not replace a file.
        os.remove(CONFIG)
        os.rename(_NEW, CONFIG)
