"""The life of a station: measure, report, wait or sleep, and all of it again."""

import gc
import sys
import time

import machine
from micropython import const

from esp_weather import kept, led
from esp_weather.buffer import Buffer
from esp_weather.clock import Clock
from esp_weather.delivery import Delivery, jitter
from esp_weather.report import REFUSED, RETRY
from esp_weather.sensors import Sensors
from esp_weather.watchdog import Watchdog
from esp_weather.wifi import Wifi

_AWAKE_LIMIT_MS = const(20_000)  # of what a battery spends on one reading
_REFUSED_MS = const(300_000)  # between two readings of a station that is refused
_LONGEST_PAUSE_ASLEEP_MS = const(3_600_000)
_SHORTEST_SLEEP_MS = const(1_000)
_LONGEST_SLEEP_MS = const(4_200_000)  # The ESP8266 counts µs in 32 bits.
_LONELY_MS = const(3_600_000)  # without an answer, until the board is reset
_STAY_MS = const(10_000)  # for mpremote to get in, before the first sleep
_MOST_FAILURES = const(99)  # that are counted during deep sleep
_MOST_SKIPS = const(255)


class Station:
    """Measures, has it delivered, and waits or sleeps until it is time again."""

    def __init__(  # type: ignore[no-untyped-def]
        self, config: dict, lamp: led.Led, client
    ) -> None:
        """Begin to connect, and get the sensors ready meanwhile.

        Raises ValueError if a sensor cannot be where the settings say.
        """
        self._begin = time.ticks_ms()
        self._led = lamp
        self._interval = config["interval"] * 1000
        self._deep_sleep = config["deep_sleep"]
        self._kept = kept.Kept()
        self._kept.recall()
        self._clock = Clock(self._kept.tenths)
        self._wifi = Wifi(config["wifi"]["ssid"], config["wifi"]["password"])
        if not self._kept.skips:
            stored = self._kept.is_woken and sys.platform == "esp8266"
            self._wifi.connect(stored)
        self._client = client(config, self._wifi, self._clock)
        self._client.nonce = self._kept.nonce
        self._buffer = Buffer(
            kept.CAPACITY if self._deep_sleep else self._client.CAPACITY
        )
        self._buffer.load(self._kept.readings)
        self._kept.readings = b""
        self._delivery = Delivery(self._client, self._wifi, self._buffer, self._clock)
        self._sensors = Sensors(config["sensors"], self._kept.missing)
        print(self._wifi.mac, "every", config["interval"], "s")

    def run(self) -> None:
        """Measure and report for ever."""
        self._watchdog = Watchdog()
        try:
            while True:
                self._round()
        except Exception as err:  # noqa: BLE001 # A fault of ours must not end it all.
            sys.print_exception(err)
            self._led.blink(led.CONFIG)
            time.sleep_ms(_STAY_MS)
            machine.reset()
        finally:
            self._watchdog.stop()

    def _round(self) -> None:
        """Measure, report, and wait until it is time to measure again."""
        gc.collect()
        limit = self._interval
        if self._deep_sleep:
            limit = min(limit, _AWAKE_LIMIT_MS)
        deadline: int = time.ticks_add(self._begin, limit)  # type: ignore[assignment]
        self._watchdog.sleep(self._sensors.start())
        now = self._clock.now()
        for field, value in self._sensors.read():
            self._buffer.append(field, value, now)
        if self._kept.skips:
            self._kept.skips -= 1
            self._sleep_deeply(self._interval)
        self._client.is_heard = False
        verdict = self._delivery.run(deadline, self._watchdog)
        if not self._client.KEEPS:
            self._buffer.drop(self._buffer.count)
        # Who says "not now" is there; but to a battery that makes no difference.
        if verdict == RETRY and (self._deep_sleep or not self._client.is_heard):
            self._kept.failures += 1
        else:
            self._kept.failures = 0
        pause = self._interval
        if verdict == REFUSED:
            pause = max(pause, _REFUSED_MS)
        if self._deep_sleep:
            self._sleep_deeply(self._back_off(pause))
        else:
            self._blink(verdict)
            self._recover()
            self._wait_for_next(pause)

    def _blink(self, verdict: int) -> None:
        """Show with the LED what went wrong."""
        if verdict == REFUSED:
            self._led.blink(led.REFUSED)
        elif verdict == RETRY:
            connected = self._wifi.is_connected()
            self._led.blink(led.SERVER if connected else led.WIFI)
        elif self._sensors.missing:
            self._led.blink(led.SENSOR)

    def _recover(self) -> None:
        """Begin anew, the harder the longer there was no answer."""
        failures = self._kept.failures
        if failures < 3:
            return
        if failures * self._interval >= _LONELY_MS:
            print("No answer for long: reset")
            self._save(0)
            machine.reset()
        if failures % 3 == 0:
            self._wifi.restart()
            self._wifi.connect()

    def _wait_for_next(self, pause: int) -> None:
        """Wait until `pause` after the beginning of this round."""
        self._begin = time.ticks_add(self._begin, pause)
        rest = time.ticks_diff(self._begin, time.ticks_ms())
        if rest > 0:
            self._watchdog.sleep(rest)
        else:
            self._begin = time.ticks_ms()

    def _back_off(self, pause: int) -> int:
        """Return how long to sleep after a report that may have had no answer."""
        known = self._kept
        known.failures = min(known.failures, _MOST_FAILURES)
        if not known.failures:
            return pause
        longest = max(pause, _LONGEST_PAUSE_ASLEEP_MS)
        longer = jitter(min(pause << min(known.failures, 6), longest))
        if not self._client.KEEPS:
            return longer
        # It measures on, and spares the battery the search for the Wi-Fi.
        known.skips = min(longer // pause, _MOST_SKIPS)
        return pause

    def _sleep_deeply(self, pause: int) -> None:
        """Switch everything off until `pause` after the beginning of this round.

        Never returns: the board wakes with a reset.
        """
        if not self._kept.is_woken:
            self._watchdog.sleep(_STAY_MS)
        awake = time.ticks_diff(time.ticks_ms(), self._begin)
        rest = min(max(pause - awake, _SHORTEST_SLEEP_MS), _LONGEST_SLEEP_MS)
        print("wake", self._kept.wakes, "awake for", awake, "ms, now asleep for", rest)
        self._save(rest)
        machine.deepsleep(rest)

    def _save(self, ms: int) -> None:
        """Keep what is known over a sleep of that length."""
        self._kept.missing = self._sensors.missing
        self._kept.tenths = self._clock.now() + ms // 100
        self._kept.nonce = self._client.nonce
        self._kept.readings = self._buffer.dump()
        self._kept.save()
