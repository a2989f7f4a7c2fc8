"""Runs what is due instead of the station: an update, the portal or the search.

Each has a start of its own, since it takes memory that the station has no room for.
Unloaded when nothing is due.
"""

import os

import machine
from micropython import const

from esp_weather import CONFIG, ORDER
from esp_weather.clock import Clock
from esp_weather.memory import SLEEPS, Memory

# Bits of `Memory.flags`, set by recovery.py
_PORTAL = const(32)
_FIND = const(64)

_SLEEP_MS = const(60_000)


def run(memory: Memory, clock: Clock) -> None:
    """Do what is due and restart; return if nothing is."""
    due = memory.flags
    memory.flags &= ~(_PORTAL | _FIND)
    files = os.listdir()
    is_new = CONFIG not in files and CONFIG + ".new" not in files
    if not (ORDER in files or is_new or due & (_PORTAL | _FIND)):
        return
    memory.starts -= 1  # It has not failed.
    memory.note()
    # A reset would have a battery-powered station begin anew, and never rest.
    is_asleep = memory.flags & SLEEPS
    if ORDER in files:
        from esp_weather import ota  # noqa: PLC0415

        ota.run()
        is_asleep = 0
    elif is_new or due & _PORTAL:
        from esp_weather import portal  # noqa: PLC0415

        if portal.run(due):
            is_asleep = 0
    else:
        from esp_weather import find  # noqa: PLC0415

        find.run(memory, clock)
    memory.tenths = clock.now()
    if is_asleep:
        memory.tenths += _SLEEP_MS // 100
    memory.note()
    if is_asleep:
        machine.deepsleep(_SLEEP_MS)
    machine.reset()
