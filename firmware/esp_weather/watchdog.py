"""Restarts the board when the station hangs."""

import time

from machine import Timer, reset
from micropython import const

_LIMIT_MS = const(180_000)  # Even the slowest round feeds more often.
_SLICE_MS = const(1_000)
_PERIOD_MS = const(5_000)


class Watchdog:
    """Resets the board if it is not fed for three minutes.

    Not machine.WDT: the ESP8266's bites after 1.6 to 3.2 seconds, sooner than a
    connection times out, and once created it cannot be stopped. Then neither mpremote
    nor Thonny could copy a file, since both begin with a soft reset, after which
    nobody feeds it. Without it the port feeds the chip's own watchdog for as long
    as its event loop runs (ports/esp8266/ets_alt_task.c). So that one catches
    what hangs in C, and this one what waits for ever in Python.
    """

    def __init__(self, save) -> None:  # type: ignore[no-untyped-def]
        """Initialize the watchdog, stopped. `save` is called before a reset."""
        self._save = save
        self._timer: Timer | None = None
        self.feed()

    def start(self) -> None:
        """Start the watchdog."""
        self.feed()
        try:
            timer = Timer(0)
            timer.init(mode=Timer.PERIODIC, period=_PERIOD_MS, callback=self._check)
            self._timer = timer
        except Exception as err:  # noqa: BLE001 # The station does without.
            print("Watchdog:", err)

    def feed(self) -> None:
        """Feed the watchdog."""
        self._fed = time.ticks_ms()

    def sleep(self, ms: int) -> None:
        """Sleep while feeding the watchdog."""
        while ms > 0:
            self.feed()
            time.sleep_ms(min(ms, _SLICE_MS))
            ms -= _SLICE_MS
        self.feed()

    def stop(self) -> None:
        """Stop the watchdog: a timer must not outlive a soft reset."""
        if self._timer is not None:
            self._timer.deinit()

    def _check(self, _timer: Timer) -> None:
        if time.ticks_diff(time.ticks_ms(), self._fed) > _LIMIT_MS:
            print("The station hangs: reset")
            try:
                self._save()
            finally:
                reset()
