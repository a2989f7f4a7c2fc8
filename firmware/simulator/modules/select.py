"""The module `select`, which lets time pass on the board's own clock, too."""

import time

import uselect
import utime

POLLIN = uselect.POLLIN
_PATIENCE_MS = 2  # real milliseconds, where the board's clock is not the real one


class poll:  # the port's name
    """Waits for the first of some streams."""

    def __init__(self):
        """Wait for nothing yet."""
        self._poll = uselect.poll()
        self._streams = []

    def register(self, stream, flags):
        """Wait for this stream, too."""
        plain = getattr(stream, "plain", stream)
        self._streams.append((plain, stream))
        self._poll.register(plain, flags)

    def unregister(self, stream):
        """Stop waiting for this stream."""
        self._poll.unregister(getattr(stream, "plain", stream))

    def poll(self, ms):
        """Return each stream that is ready and what for, none after some time."""
        is_real = time.sleep_ms is utime.sleep_ms
        ready = self._poll.poll(ms if is_real else _PATIENCE_MS)
        if not ready and not is_real:
            time.sleep_ms(ms)
        return [
            (stream, flags)
            for found, flags in ready
            for plain, stream in self._streams
            if plain is found
        ]
