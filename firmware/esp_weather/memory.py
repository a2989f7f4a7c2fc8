"""State that survives a deep sleep or a reset.

It is stored in the memory of the RTC, which survives all but a power cut, and written
in each round. Readings that do not fit there go into a file before each reset that the
station makes itself.
"""

from hashlib import sha256
import os
from struct import pack_into

import machine
from micropython import const

from esp_weather.buffer import SIZE, Buffer

# A checksum, a mark, the names below, and the newest readings
FORMAT = "<HBBBBBBHIIHH4s4s48s"
NAMES = (
    "wakes",  # out of a deep sleep
    "failures",  # rounds in a row without an answer, of a station that sleeps
    "skips",  # remaining wake-ups without a report
    "starts",  # starts in a row without a finished round
    "resets",  # resets in a row because of missing answers
    "flags",
    "layout",
    "missing",  # a bit for each field whose sensor cannot be read
    "tenths",  # reading of the clock
    "number",  # of the oldest reading
    "taken",  # readings that the server has in memory
    "count",  # number of all readings, of which the newest are here
    "stream",  # its random name
    "wifi",  # a checksum of what the Wi-Fi was configured with
    "nonce",  # for the next report
)
LAYOUT = const(4)  # changes with the format of these
CHECKSUM = const(4)
HEADER = const(82)
# ports/esp8266/machine_rtc.c: 492 bytes
CAPACITY = const(51)  # (492 - HEADER) // SIZE

# Bits of `flags`
SLEEPS = const(1)  # Deep sleep is configured.
RESTED = const(2)  # The pause after failed starts is over.
DECLARED = const(4)  # The server knows the fields.
CHECKED = const(8)  # The settings were checked in the last start.
IN_FILE = const(16)

FILE = "readings.bin"


class Memory:
    """The state in the memory of the RTC."""

    wakes: int
    failures: int
    skips: int
    starts: int
    resets: int
    flags: int
    missing: int
    tenths: int
    number: int
    taken: int
    count: int
    stream: bytes
    wifi: bytes

    def __init__(self) -> None:
        """Load the stored state if it is valid."""
        self.is_woken = False  # out of a deep sleep
        self.is_power_on = False  # what caused this start
        self.record = bytearray(HEADER + CAPACITY * SIZE)
        self.nonce = ""
        from esp_weather import rtc  # noqa: PLC0415 # It is not needed again.

        rtc.load(self)

    def save(self, buffer: Buffer, in_file: bool = False) -> None:
        """Store the readings of a buffer, and the state.

        With `in_file`, the readings that do not fit into the RTC are stored in a file.
        """
        self.number = buffer.number
        self.taken = buffer.taken
        self.count = buffer.count
        position = HEADER
        for piece in buffer.pieces(min(buffer.count, CAPACITY)):
            self.record[position : position + len(piece)] = piece
            position += len(piece)
        had_file = self.flags & IN_FILE
        self.flags &= ~IN_FILE
        if in_file and buffer.count > CAPACITY:
            try:
                _write(buffer)
                self.flags |= IN_FILE
            except Exception as err:  # noqa: BLE001 # What fits is kept all the same.
                print(FILE, err)
        self.note()
        if had_file and not self.flags & IN_FILE:
            tidy()

    def note(self) -> None:
        """Store the state; the stored readings remain."""
        self.tenths &= 0xFFFFFFFF
        record = self.record
        pack_into(FORMAT, record, CHECKSUM, *[getattr(self, name) for name in NAMES])
        record[:CHECKSUM] = checksum_of(memoryview(record)[CHECKSUM:])
        try:
            machine.RTC().memory(record)
        except Exception as err:  # noqa: BLE001 # The station does without.
            print("RTC:", err)


def checksum_of(data: bytes | memoryview) -> bytes:
    """Return the checksum of the data."""
    digest: bytes = sha256(data).digest()
    return digest[:CHECKSUM]


def _write(buffer: Buffer) -> None:
    """Write all readings and a checksum of them into the file."""
    checksum = sha256()
    with open(FILE, "wb") as file:
        for piece in buffer.pieces(buffer.count):
            checksum.update(piece)
            file.write(piece)
        file.write(checksum.digest()[:CHECKSUM])


def tidy() -> None:
    """Remove the file: its readings are stored elsewhere, or their time is lost."""
    try:
        os.remove(FILE)
    except OSError:
        pass  # There is none.
