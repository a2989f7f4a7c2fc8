"""Starts MicroPython with the firmware and a fake board."""

from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
FIRMWARE = CHECKOUT / "firmware"
TESTS = CHECKOUT / "tests" / "firmware"

MICROPYTHON = CHECKOUT / ".tools" / "micropython"
# What `-X heapsize=36wk` of a 64-bit host holds is what 36 kB of an ESP8266 hold:
# the w scales by the size of a word.
HEAP = 36


def environment(*folders: Path) -> dict[str, str]:
    """Return the environment in which MicroPython finds modules in these folders."""
    return {"MICROPYPATH": ":".join(str(folder) for folder in folders)}
