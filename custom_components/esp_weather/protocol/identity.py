"""The identity of a reading, unique wherever the reading is stored."""

from functools import lru_cache
from hashlib import sha256
from typing import Final

READING_ID_BYTES: Final = 16


# Each step of taking a reading needs it, and a report has up to 500 readings.
@lru_cache(maxsize=512)
def reading_id(mac: str, stream: str, number: int) -> bytes:
    """Return the 16 bytes that identify reading `number` of a station's stream.

    They are the first 16 bytes of the SHA-256 of the text `mac/stream/number`: the
    MAC as normalize_mac returns it, the stream as the station names it, and the
    number in decimal digits. None of the three can hold a slash.
    """
    return sha256(f"{mac}/{stream}/{number}".encode()).digest()[:READING_ID_BYTES]
