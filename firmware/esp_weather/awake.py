"""A station that is always on."""

import time

from micropython import const

from esp_weather.client import REFUSED, RETRY
from esp_weather.memory import SLEEPS
from esp_weather.start import forget
from esp_weather.station import BaseStation

_REFUSED_MS = const(300_000)  # between two attempts of a station that is refused

_SILENCE = const(3_000)  # tenths of a second without an answer until recovery is tried


class Station(BaseStation):
    """Waits between its readings."""

    LONGEST = 86_400  # s, of its interval

    def __init__(self, *arguments) -> None:  # type: ignore[no-untyped-def]
        """Initialize the station."""
        super().__init__(*arguments)
        self._memory.flags &= ~SLEEPS
        self._heard = self._clock.now()
        self._steps = 0  # recovery steps tried since
        self._quiet_until = 0  # tenths

    def _round(self) -> None:
        self._measure()
        self.keep(False)
        if self._clock.now() >= self._quiet_until:
            verdict = self._report(self._interval)
            if self._client.got_response:
                self._heard = self._clock.now()
                self._steps = self._memory.resets = 0
            self.keep(False)
            self._blink(verdict)
            silent = self._clock.now() - self._heard
            if silent >= _SILENCE:
                from esp_weather import recovery  # noqa: PLC0415 # takes memory

                self._steps = recovery.recover(
                    self._steps, silent, self._wifi, self._memory, self.keep
                )
                forget("recovery")
            if verdict == REFUSED:
                self._quiet_until = self._heard + _REFUSED_MS // 100
                if not self._client.KEEPS:
                    self._wait_for_next(max(self._interval, _REFUSED_MS))
                    return
        self._wait_for_next(self._interval)

    def _blink(self, verdict: int) -> None:
        """Blink the LED to show what went wrong."""
        if verdict in (REFUSED, RETRY) or self._sensors.missing:
            from esp_weather import led  # noqa: PLC0415 # takes memory

            if verdict == REFUSED:
                times = led.REFUSED
            elif verdict == RETRY:
                times = led.SERVER if self._wifi.is_connected() else led.WIFI
            else:
                times = led.SENSOR
            led.blink(self._led, times)
            forget("led")

    def _wait_for_next(self, pause: int) -> None:
        """Wait until `pause` after the start of this round."""
        self._begin = time.ticks_add(self._begin, pause)
        rest = time.ticks_diff(self._begin, time.ticks_ms())
        if rest > 0:
            self._watchdog.sleep(rest)
        else:
            self._begin = time.ticks_ms()
