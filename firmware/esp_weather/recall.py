"""Loads what survived a sleep or a reset. Unloaded when that is done."""

from hashlib import sha256
from struct import unpack_from

import machine

from esp_weather.buffer import SIZE, Buffer
from esp_weather.memory import (
    CAPACITY,
    CHECKSUM,
    FILE,
    FORMAT,
    HEADER,
    IN_FILE,
    LAYOUT,
    NAMES,
    Memory,
    checksum_of,
    tidy,
)


def load(memory: Memory) -> None:
    """Load the state from the memory of the RTC, or zeros if it is not valid."""
    try:
        cause = machine.reset_cause()
        memory.is_power_on = cause == machine.PWRON_RESET
        record = machine.RTC().memory()
        is_kept = (
            not memory.is_power_on
            and len(record) == len(memory.record)
            and record[CHECKSUM + 7] == LAYOUT
            and checksum_of(record[CHECKSUM:]) == record[:CHECKSUM]
        )
    except Exception as err:  # noqa: BLE001 # The station does without.
        print("RTC:", err)
        is_kept = False
    if is_kept:
        memory.record[:] = record
        memory.is_woken = cause == machine.DEEPSLEEP_RESET
    else:
        memory.record[CHECKSUM + 7] = LAYOUT
        tidy()
    values = unpack_from(FORMAT, memory.record, CHECKSUM)
    for name, value in zip(NAMES, values):
        setattr(memory, name, value)
    memory.nonce = values[-1].rstrip(b"\0").decode()


def restore(memory: Memory, buffer: Buffer) -> None:
    """Fill the buffer; if there are too many readings, the oldest are left out."""
    count = memory.count
    kept = 0
    if memory.flags & IN_FILE:
        try:
            kept = _read_file(buffer, count)
        except Exception as err:  # noqa: BLE001 # The rest has to go on.
            print(FILE, err)
    if not kept:
        kept = min(count, CAPACITY, buffer.capacity)
        end = HEADER + min(count, CAPACITY) * SIZE
        view = memoryview(memory.record)
        buffer.data[: kept * SIZE] = view[end - kept * SIZE : end]
    buffer.count = kept
    buffer.number = memory.number + count - kept & 0xFFFFFFFF
    buffer.taken = max(0, memory.taken - (count - kept))


def _read_file(buffer: Buffer, count: int) -> int:
    """Read readings; return how many, 0 if the checksum of the file is wrong."""
    checksum = sha256()
    kept = min(count, buffer.capacity)
    data = memoryview(buffer.data)[: kept * SIZE]
    with open(FILE, "rb") as file:
        for _ in range(count - kept):
            checksum.update(file.read(SIZE))
        file.readinto(data)
        checksum.update(data)
        return kept if file.read() == checksum.digest()[:CHECKSUM] else 0
