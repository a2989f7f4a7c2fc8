"""A battery-powered station, in deep sleep between its readings."""

import time

import machine
from micropython import const

from esp_weather.buffer import Buffer
from esp_weather.client import REFUSED, RETRY
from esp_weather.delivery import jitter
from esp_weather.memory import CAPACITY, SLEEPS
from esp_weather.start import forget
from esp_weather.station import BaseStation

_AWAKE_LIMIT_MS = const(20_000)  # limit of the battery's energy for one round
_REFUSED_MS = const(300_000)  # between two attempts of a station that is refused
_LONGEST_PAUSE_MS = const(3_600_000)
_SHORTEST_SLEEP_MS = const(1_000)
_STAY_MS = const(10_000)  # window for mpremote before the first sleep
_MOST_FAILURES = const(99)  # that are counted
_MOST_SKIPS = const(255)


class Station(BaseStation):
    """Powers the board down between its readings; each wake-up is a start."""

    LONGEST = 4200  # s, of its interval: the ESP8266 counts µs in 32 bits

    def __init__(self, *arguments) -> None:  # type: ignore[no-untyped-def]
        """Initialize the station."""
        super().__init__(*arguments)
        self._memory.flags |= SLEEPS

    def _make_buffer(self) -> Buffer:
        return Buffer(CAPACITY)

    def _round(self) -> None:
        self._measure()
        memory = self._memory
        if memory.skips:
            memory.skips -= 1
            self._sleep(self._interval)
            return
        self.keep(False)
        verdict = self._report(min(self._interval, _AWAKE_LIMIT_MS))
        # A RETRY shows that the server is there, but the battery is drained all the same.
        if verdict == RETRY:
            memory.failures = min(memory.failures + 1, _MOST_FAILURES)
        else:
            memory.failures = 0
        pause = self._interval
        if verdict == REFUSED or memory.failures:
            longer = max(pause, _REFUSED_MS)
            if verdict != REFUSED:
                longest = max(pause, _LONGEST_PAUSE_MS)
                longer = jitter(min(pause << min(memory.failures, 6), longest))
            from esp_weather import recovery  # noqa: PLC0415 # takes memory

            recovery.recover_on_battery(self._wifi, memory)
            forget("recovery")
            if self._client.KEEPS:
                # Keep measuring, but save the energy of searching the Wi-Fi.
                memory.skips = min(max(longer // pause, 1) - 1, _MOST_SKIPS)
            else:
                pause = longer
        self._sleep(pause)

    def _sleep(self, pause: int) -> None:
        """Sleep until `pause` after the start of this round.

        The board wakes with a reset.
        """
        memory = self._memory
        if not memory.is_woken:
            self._watchdog.sleep(_STAY_MS)
        awake = time.ticks_diff(time.ticks_ms(), self._begin)
        rest = min(max(pause - awake, _SHORTEST_SLEEP_MS), self.LONGEST * 1000)
        print("wake", memory.wakes, "awake for", awake, "ms, now asleep for", rest)
        memory.wakes = memory.wakes + 1 & 0xFFFF
        memory.starts = 0
        memory.tenths = self._clock.now() + rest // 100
        memory.missing = self._sensors.missing
        memory.save(self._buffer)
        machine.deepsleep(rest)
