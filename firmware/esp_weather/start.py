"""Starts the station and handles all errors.

Each start does one thing: here, running the station. What is needed seldom and takes
much memory runs in a start of its own.
"""

import gc
import sys
import time

import machine
from micropython import const

from esp_weather import VERSION, SettingsError
from esp_weather.clock import Clock
from esp_weather.memory import RESTED, Memory

_STAY_MS = const(10_000)  # for mpremote to get in
_QUICK = const(3)  # failed starts before there is a pause before the next


def main() -> None:
    """Run the station for ever; if that fails, restart."""
    print("ESP Weather", VERSION)
    gc.threshold(1024)  # Very often: what stays has to lie close together.
    memory = Memory()
    forget("rtc")
    if memory.starts >= _QUICK and not memory.flags & RESTED:
        from esp_weather import trouble  # noqa: PLC0415

        trouble.pause(memory, memory.starts - _QUICK)
        forget("trouble")
    memory.flags &= ~RESTED
    memory.starts = min(memory.starts + 1, 255)
    memory.note()
    clock = Clock(memory.tenths)
    try:
        from esp_weather import errand  # noqa: PLC0415

        errand.run(memory, clock)
        del errand
        forget("errand")
        from esp_weather import build  # noqa: PLC0415

        kind, *parts = build.parts(memory)
        del build
        forget("build")
        gc.collect()
        station = kind(*parts, memory, clock)
        del parts
        gc.threshold(2048)  # Often, to avoid fragmentation
        station.run()
    except SettingsError as err:
        from esp_weather import trouble  # noqa: PLC0415

        trouble.complain(err, memory)
    except Exception as err:  # noqa: BLE001 # It must not end at the prompt.
        sys.print_exception(err)
    gc.collect()
    time.sleep_ms(_STAY_MS)
    memory.tenths = clock.now()
    memory.note()
    machine.reset()


def forget(name: str) -> None:
    """Unload a module and free its memory."""
    sys.modules.pop("esp_weather." + name, None)
    package = sys.modules["esp_weather"]
    if hasattr(package, name):
        delattr(package, name)
