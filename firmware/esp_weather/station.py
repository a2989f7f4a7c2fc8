"""The life of a station: measure, report, wait or sleep, and all of it again."""

import gc
import random
from struct import pack, unpack
import sys
import time

import machine
from micropython import const

from esp_weather import led
from esp_weather.report import DONE, DROP, REFUSED, RETRY, LegacyClient
from esp_weather.sensors import Sensors
from esp_weather.watchdog import Watchdog
from esp_weather.wifi import Wifi

_WIFI_LIMIT_MS = const(15_000)  # of one attempt to connect
_WIFI_LOOK_MS = const(50)
_AWAKE_LIMIT_MS = const(20_000)  # of what a battery spends on one reading
_FIRST_PAUSE_MS = const(2_000)  # before the second attempt; then twice as long, …
_LONGEST_PAUSE_MS = const(60_000)
_REFUSED_MS = const(300_000)  # between two readings of a station that is refused
_LONGEST_PAUSE_ASLEEP_MS = const(3_600_000)
_LONGEST_SLEEP_MS = const(4_200_000)  # The ESP8266 counts µs in 32 bits.
_LONELY_MS = const(3_600_000)  # without an answer, until the board is reset
_STAY_MS = const(10_000)  # for mpremote to get in, before the first sleep
_SLICE_MS = const(1_000)

# What the memory of the RTC keeps over a sleep: a mark, how often the station woke,
# how often in a row it got no answer, and a bit for each field that is missing.
_FORMAT = "<4H"
_LENGTH = const(8)
_MARK = const(0xE5B1)


def _jitter(ms: int) -> int:
    """Return three to five quarters of a time, so that stations do not march in step."""
    return ms * (96 + random.getrandbits(6)) // 128


class Station:
    """Measures and reports. Knows nothing of how a report is made."""

    def __init__(self, config: dict, lamp: led.Led) -> None:
        """Begin to connect, and get the sensors ready meanwhile.

        Raises ValueError if a sensor cannot be where the settings say.
        """
        self._begin = time.ticks_ms()
        self._led = lamp
        self._interval = config["interval"] * 1000
        self._deep_sleep = config["deep_sleep"]
        self._said = ""
        self._wakes = 0
        self._failures = 0
        self._woken = False
        missing = self._recall()
        self._wifi = Wifi(config["wifi"]["ssid"], config["wifi"]["password"])
        self._wifi.connect(stored=self._woken and sys.platform == "esp8266")
        server = config["server"]
        self._client = LegacyClient(
            server["host"], server["port"], server["tls"], config["key"], self._wifi.mac
        )
        self._sensors = Sensors(config["sensors"], missing)
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
        self._deadline = time.ticks_add(self._begin, limit)
        self._sleep(self._sensors.start())
        readings = self._sensors.read()
        self._client.is_heard = False
        verdict = self._deliver(readings)
        # Who says "not now" is there; but to a battery that makes no difference.
        if verdict == RETRY and (self._deep_sleep or not self._client.is_heard):
            self._failures += 1
        else:
            self._failures = 0
        pause = self._interval
        if verdict == REFUSED:
            pause = max(pause, _REFUSED_MS)
        if self._deep_sleep:
            self._sleep_deeply(pause)
        else:
            self._blink(verdict)
            self._recover()
            self._wait_for_next(pause)

    def _deliver(self, readings: list[tuple[int, float]]) -> int:
        """Report readings until all are settled or the time of the round is over.

        Returns DONE, REFUSED or RETRY. What is left is forgotten: sent later it
        would get a wrong time.
        """
        pause = _FIRST_PAUSE_MS
        while readings:
            self._watchdog.feed()
            verdict = RETRY
            if self._is_online():
                batch = readings[: self._client.BATCH]
                verdict = self._client.report(batch)
                self._tell(batch, verdict)
            if verdict == REFUSED:
                return REFUSED
            if verdict != RETRY:
                readings = readings[len(batch) :]
                continue
            wait = _jitter(pause)
            if time.ticks_diff(self._deadline, time.ticks_ms()) <= wait:
                return RETRY
            self._sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_MS)
        return DONE

    def _is_online(self) -> bool:
        """Wait for the Wi-Fi. If it does not come, begin to connect anew."""
        limit = time.ticks_add(time.ticks_ms(), _WIFI_LIMIT_MS)
        if time.ticks_diff(self._deadline, limit) < 0:
            limit = self._deadline
        while not self._wifi.is_connected():
            if time.ticks_diff(limit, time.ticks_ms()) <= 0:
                self._say("Wi-Fi: " + self._wifi.why_not())
                self._wifi.connect()
                return False
            time.sleep_ms(_WIFI_LOOK_MS)
        return True

    def _tell(self, batch: list[tuple[int, float]], verdict: int) -> None:
        """Say what became of a report; what is wrong, once."""
        answer = self._client.answer
        if verdict == DONE:
            self._said = ""
            for field, value in batch:
                print("field", field, "=", value)
        elif verdict == DROP:
            print("The server does not take", batch, answer)
        elif verdict == REFUSED:
            self._say("The server refuses this station: key or MAC address? " + answer)
        else:
            self._say("The server: " + answer)

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            print(text)

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
        if self._failures < 3:
            return
        if self._failures * self._interval >= _LONELY_MS:
            print("No answer for long: reset")
            machine.reset()
        if self._failures % 3 == 0:
            self._wifi.restart()
            self._wifi.connect()

    def _wait_for_next(self, pause: int) -> None:
        """Wait until `pause` after the beginning of this round."""
        self._begin = time.ticks_add(self._begin, pause)
        rest = time.ticks_diff(self._begin, time.ticks_ms())
        if rest > 0:
            self._sleep(rest)
        else:
            self._begin = time.ticks_ms()

    def _sleep(self, ms: int) -> None:
        """Sleep with the watchdog fed."""
        while ms > 0:
            self._watchdog.feed()
            time.sleep_ms(min(ms, _SLICE_MS))
            ms -= _SLICE_MS
        self._watchdog.feed()

    def _sleep_deeply(self, pause: int) -> None:
        """Switch everything off until `pause` after the beginning of this round.

        Never returns: the board wakes with a reset.
        """
        if self._failures:
            longest = max(pause, _LONGEST_PAUSE_ASLEEP_MS)
            pause = _jitter(min(pause << min(self._failures, 6), longest))
        if not self._woken:
            self._sleep(_STAY_MS)
        machine.RTC().memory(
            pack(
                _FORMAT,
                _MARK,
                self._wakes,
                min(self._failures, 99),
                self._sensors.missing,
            )
        )
        awake = time.ticks_diff(time.ticks_ms(), self._begin)
        rest = min(max(pause - awake, _SLICE_MS), _LONGEST_SLEEP_MS)
        print("wake", self._wakes, "awake for", awake, "ms, now asleep for", rest)
        machine.deepsleep(rest)

    def _recall(self) -> int:
        """Take over what was kept over a sleep; return the sensors that were missing."""
        if machine.reset_cause() != machine.DEEPSLEEP_RESET:
            return 0
        kept = machine.RTC().memory()
        if len(kept) != _LENGTH or unpack(_FORMAT, kept)[0] != _MARK:
            return 0
        missing: int
        _, wakes, self._failures, missing = unpack(_FORMAT, kept)
        self._wakes = wakes + 1 & 0xFFFF
        self._woken = True
        return missing
