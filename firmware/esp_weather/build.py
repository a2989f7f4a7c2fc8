"""Loads the modules that the settings require. Unloaded when that is done."""

from binascii import hexlify
import gc
from hashlib import sha256
import json
import sys

import machine
from micropython import const

from esp_weather import CONFIG, VERSION, SettingsError
from esp_weather.memory import CHECKED, Memory
from esp_weather.start import forget

_FIND = const(64)  # a bit of `Memory.flags`, for errand.py


def parts(memory: Memory) -> tuple:
    """Return the class of the station that the settings describe, and its arguments."""
    settings = _settings(memory)
    if not settings["server"]["host"]:
        memory.flags |= _FIND
        memory.starts -= 1  # This start does not count as failed.
        memory.note()
        machine.reset()
    settings["slot"] = _slot()
    from esp_weather import led  # noqa: PLC0415

    try:
        lamp = led.switch_off(settings["led"])
    except ValueError as err:
        raise SettingsError("%s: led: %s" % (CONFIG, err))
    forget("led")
    # Import only the classes that are needed, the larger modules first: compiling one
    # takes more memory than running it.
    if settings["signed"]:
        from esp_weather.signed import ReportClient  # noqa: PLC0415
    else:
        from esp_weather.legacy import ReportClient  # type: ignore[assignment] # noqa: PLC0415
    gc.collect()
    if settings["deep_sleep"]:
        from esp_weather.asleep import Station  # noqa: PLC0415
    else:
        from esp_weather.awake import Station  # type: ignore[assignment] # noqa: PLC0415
    return Station, settings, lamp, ReportClient


def _slot() -> list[str]:
    """Return what is known of the last update, [] if it is over."""
    import slots  # noqa: PLC0415

    words = slots.read()
    del sys.modules["slots"]
    return words if len(words) > 1 else []


def _settings(memory: Memory) -> dict:
    """Return the checked settings.

    They are checked in a separate start when they or the firmware have changed, or when
    sensors have to be detected.
    """
    seal = _seal()
    was_checked = memory.flags & CHECKED
    memory.flags &= ~CHECKED
    try:
        with open(CONFIG + ".checked") as file:
            settings: dict = json.load(file)
        if settings["seal"] == seal and (
            was_checked or not (memory.is_power_on and settings["is_auto"])
        ):
            return settings
    except Exception:  # noqa: BLE001 # They are checked anew.
        pass
    from esp_weather import config  # noqa: PLC0415

    settings = config.load()
    settings["seal"] = seal
    if config.write(settings) and not was_checked:
        memory.flags |= CHECKED
        memory.starts -= 1  # This start does not count as failed.
        memory.note()
        machine.reset()
    return settings


def _seal() -> str:
    """Return a checksum of the settings and the firmware version."""
    seal = sha256(VERSION.encode())
    try:
        with open(CONFIG, "rb") as file:
            while piece := file.read(64):
                seal.update(piece)
    except OSError:
        pass  # The settings check reports this.
    return hexlify(seal.digest()[:8]).decode()
