"""Runs Home Assistant with clocks that can be put forward, as a separate program.

The seconds to add are a double in the file that ESP_WEATHER_LATE names.
"""

from collections.abc import Callable
import mmap
import os
from pathlib import Path
import runpy
import struct
import sys
import time

VARIABLE = "ESP_WEATHER_LATE"
PROGRAM = (str(Path(__file__).absolute()),)
_SECONDS = struct.Struct("d")


def put_forward(file: Path, seconds: float) -> None:
    """Set how many seconds the clocks are ahead."""
    with file.open("r+b") as opened:
        opened.write(_SECONDS.pack(seconds))


def create(file: Path) -> None:
    """Create the file, with correct clocks."""
    file.write_bytes(_SECONDS.pack(0))


def _run() -> None:
    with Path(os.environ[VARIABLE]).open("rb") as opened:
        ahead = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)

    def late(clock: Callable[[], float]) -> Callable[[], float]:
        return lambda: clock() + _SECONDS.unpack_from(ahead)[0]

    def late_ns(clock: Callable[[], int]) -> Callable[[], int]:
        return lambda: clock() + int(_SECONDS.unpack_from(ahead)[0] * 1e9)

    time.time = late(time.time)
    time.monotonic = late(time.monotonic)
    time.time_ns = late_ns(time.time_ns)
    time.monotonic_ns = late_ns(time.monotonic_ns)
    del sys.path[0]  # The folder of this file, whose names HA must not find
    runpy.run_module("homeassistant", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _run()
