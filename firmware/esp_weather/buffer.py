"""The readings that wait for their delivery."""

from struct import pack_into, unpack_from

from micropython import const

# A field and the time of its measurement in one number, and the value. The time is
# that of the station's clock, which goes around in these bits after 310 days.
_FORMAT = "<If"
SIZE = const(8)
_TIME_BITS = const(28)
_TIME = const(0x0FFFFFFF)


class Buffer:
    """Holds so many readings. For each one more it forgets the oldest."""

    def __init__(self, capacity: int) -> None:
        """Take all the memory that it will ever need."""
        self.count = 0
        self._capacity = capacity
        self._first = 0
        self._data = bytearray(capacity * SIZE)

    def append(self, field: int, value: float, time: int) -> None:
        """Add a reading of now."""
        if self.count == self._capacity:
            self.drop(1)
        elif self.count == self._capacity - 1:
            print("The memory is full: the oldest readings will be lost")
        pack_into(
            _FORMAT,
            self._data,
            self._place(self.count),
            field << _TIME_BITS | time & _TIME,
            value,
        )
        self.count += 1

    def drop(self, count: int) -> None:
        """Forget the oldest readings."""
        self._first = (self._first + count) % self._capacity
        self.count -= count

    def oldest(self, limit: int, now: int) -> list[tuple[int, float, int]]:
        """Return the oldest readings: field, value, and age in tenths of a second."""
        readings = []
        for number in range(min(limit, self.count)):
            key, value = unpack_from(_FORMAT, self._data, self._place(number))
            readings.append((key >> _TIME_BITS, value, now - key & _TIME))
        return readings

    def dump(self) -> bytes:
        """Return all readings, SIZE bytes for each, the oldest first."""
        start = self._first * SIZE
        data = self._data[start:] + self._data[:start]
        return bytes(data[: self.count * SIZE])

    def load(self, content: bytes) -> None:
        """Take over what dump() returned, into an empty buffer."""
        content = content[-len(self._data) :]
        self._data[: len(content)] = content
        self.count = len(content) // SIZE

    def _place(self, number: int) -> int:
        return (self._first + number) % self._capacity * SIZE
