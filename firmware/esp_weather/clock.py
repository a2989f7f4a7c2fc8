"""The station's monotonic clock."""

import time


class Clock:
    """Counts tenths of a second, for longer than ticks_ms() does.

    Has to be read every few days, before the ticks wrap around.
    """

    def __init__(self, tenths: int = 0) -> None:
        """Continue from the count before a sleep."""
        self._start = tenths
        self._tenths = tenths
        self._ticks = time.ticks_ms()
        self._rest = 0  # ms

    def now(self) -> int:
        """Return the tenths of a second since the station was switched on."""
        ticks = time.ticks_ms()
        self._rest += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        self._tenths += self._rest // 100
        self._rest %= 100
        return self._tenths

    def uptime(self) -> int:
        """Return the seconds since the last start."""
        return (self.now() - self._start) // 10
