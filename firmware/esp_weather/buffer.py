"""Ring buffer of the readings that the server has not confirmed."""

from struct import pack_into, unpack_from

from micropython import const

# A field and the time of its measurement in one number, and the value. The time is
# that of the station's clock, which wraps around in these bits after 310 days.
_READING = "<If"
SIZE = const(8)
_TIME_BITS = const(28)
_TIME = const(0x0FFFFFFF)


class Buffer:
    """A ring buffer of readings, numbered in the order of measurement.

    The oldest may be marked as taken: the server has them in memory, and they are
    dropped once they are stored. A reading that does not fit displaces the oldest.
    """

    def __init__(self, capacity: int) -> None:
        """Allocate all memory in advance."""
        self.count = 0
        self.taken = 0
        self.number = 0  # of the oldest reading
        self.capacity = capacity
        self._first = 0
        self.data = bytearray(capacity * SIZE)

    def append(self, field: int, value: float, time: int) -> None:
        """Add a reading."""
        if self.count == self.capacity:
            self.drop(1)
        elif self.count == self.capacity - 1:
            print("The memory is full: the oldest readings will be lost")
        pack_into(
            _READING,
            self.data,
            self._place(self.count),
            field << _TIME_BITS | time & _TIME,
            value,
        )
        self.count += 1

    def drop(self, count: int) -> None:
        """Drop the oldest readings."""
        self._first = (self._first + count) % self.capacity
        self.count -= count
        self.taken = max(0, self.taken - count)
        self.number = self.number + count & 0xFFFFFFFF

    def stored(self, number: int) -> None:
        """Drop the taken readings up to this number."""
        self.drop(min(max(number - self.number + 1, 0), self.taken))

    def reading(self, index: int, now: int) -> tuple[int, float, int]:
        """Return a reading: field, value, and age in tenths of a second."""
        key, value = unpack_from(_READING, self.data, self._place(index))
        return key >> _TIME_BITS, value, now - key & _TIME

    def pieces(self, newest: int) -> tuple[memoryview, memoryview]:
        """Return the newest readings, SIZE bytes for each, without a copy."""
        view = memoryview(self.data)
        start = self._place(self.count - newest)
        end = start + newest * SIZE
        return view[start:end], view[: max(0, end - len(view))]

    def _place(self, index: int) -> int:
        return (self._first + index) % self.capacity * SIZE
