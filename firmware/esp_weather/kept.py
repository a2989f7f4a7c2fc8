"""What the station knows still after a deep sleep, or after it has reset itself."""

import os
from struct import pack, unpack_from

import machine
from micropython import const

from esp_weather import buffer

# The memory of the RTC: a mark and what Kept has, then the readings
_FORMAT = "<HHBBHI48s"
_HEADER = const(60)
_MARK = const(0xE5B2)
# ports/esp8266/machine_rtc.c: 492 bytes
CAPACITY = (492 - _HEADER) // buffer.SIZE

_FILE = "readings.bin"  # what does not fit there


class Kept:
    """What outlasts a sleep."""

    def __init__(self) -> None:
        """Know nothing."""
        self.is_woken = False  # out of a deep sleep
        self.wakes = 0  # how often
        self.failures = 0  # how often in a row there was no answer
        self.skips = 0  # how often it shall wake without reporting
        self.missing = 0  # a bit for each sensor that cannot be read
        self.tenths = 0  # what the clock shows
        self.nonce = ""
        self.readings = b""  # as Buffer.dump() returns them

    def recall(self) -> None:
        """Take over what was kept, once: later it would have a wrong time."""
        rtc = machine.RTC()
        memory = rtc.memory()
        rtc.memory(b"")
        readings = b""
        try:
            with open(_FILE, "rb") as file:
                readings = file.read()
            os.remove(_FILE)
        except OSError:
            pass
        cause = machine.reset_cause()
        if cause == machine.PWRON_RESET or len(memory) < _HEADER:
            return
        mark, wakes, failures, skips, missing, tenths, nonce = unpack_from(
            _FORMAT, memory
        )
        if mark != _MARK:
            return
        self.missing = missing
        self.tenths = tenths
        self.nonce = nonce.rstrip(b"\0").decode()
        self.readings = readings + memory[_HEADER:]
        if cause == machine.DEEPSLEEP_RESET:
            self.is_woken = True
            self.wakes = wakes + 1 & 0xFFFF
            self.failures = failures
            self.skips = skips

    def save(self) -> None:
        """Keep it; readings that are too many for the RTC go into the flash."""
        readings = self.readings
        if len(readings) > CAPACITY * buffer.SIZE:
            with open(_FILE, "wb") as file:
                file.write(readings)
            readings = b""
        machine.RTC().memory(
            pack(
                _FORMAT,
                _MARK,
                self.wakes,
                self.failures,
                self.skips,
                self.missing,
                self.tenths & 0xFFFFFFFF,
                self.nonce.encode(),
            )
            + readings
        )
