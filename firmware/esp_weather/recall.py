"""Loads the readings that survived a sleep or a reset into an empty buffer.

Unloaded when that is done.
"""

from hashlib import sha256

from esp_weather.buffer import SIZE, Buffer
from esp_weather.memory import CAPACITY, CHECKSUM, FILE, HEADER, IN_FILE, Memory


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
