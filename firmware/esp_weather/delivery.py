"""The way of the readings to the server."""

import random
import time

from micropython import const

from esp_weather.buffer import Buffer
from esp_weather.clock import Clock
from esp_weather.report import AGAIN, DONE, DROP, REFUSED, RETRY
from esp_weather.watchdog import Watchdog
from esp_weather.wifi import Wifi

_WIFI_LIMIT_MS = const(15_000)  # of one attempt to connect
_WIFI_LOOK_MS = const(50)
_FIRST_PAUSE_MS = const(2_000)  # before the second attempt; then twice as long, …
_LONGEST_PAUSE_MS = const(60_000)


def jitter(ms: int) -> int:
    """Return three to five quarters of a time, so that stations do not march in step."""
    return ms * (96 + random.getrandbits(6)) // 128


class Delivery:
    """Reports what is in the buffer. Knows nothing of how a report is made."""

    def __init__(  # type: ignore[no-untyped-def]
        self, client, wifi: Wifi, buffer: Buffer, clock: Clock
    ) -> None:
        """Use a LegacyClient or a SignedClient."""
        self._client = client
        self._wifi = wifi
        self._buffer = buffer
        self._clock = clock
        self._said = ""

    def run(self, deadline: int, watchdog: Watchdog) -> int:
        """Report readings until all are settled or the time of the round is over.

        Returns DONE, REFUSED or RETRY.
        """
        pause = _FIRST_PAUSE_MS
        limit = self._client.BATCH
        while self._buffer.count:
            watchdog.feed()
            verdict = RETRY
            if self._is_online(deadline):
                batch = self._buffer.oldest(limit, self._clock.now())
                verdict = self._client.report(batch)
                self._tell(batch, verdict)
            if verdict == REFUSED:
                return REFUSED
            if verdict == DROP and len(batch) > 1:
                limit = (
                    len(batch) // 2
                )  # One is wrong, and the others must not be lost.
                continue
            if verdict in (DONE, DROP):
                self._buffer.drop(len(batch))
                if verdict == DONE:
                    limit = min(2 * limit, self._client.BATCH)
                continue
            if verdict == AGAIN:
                continue
            wait = jitter(pause)
            if time.ticks_diff(deadline, time.ticks_ms()) <= wait:
                return RETRY
            watchdog.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_MS)
        return DONE

    def _is_online(self, deadline: int) -> bool:
        """Wait for the Wi-Fi. If it does not come, begin to connect anew."""
        limit = time.ticks_add(time.ticks_ms(), _WIFI_LIMIT_MS)
        if time.ticks_diff(deadline, limit) < 0:
            limit = deadline  # type: ignore[assignment]
        while not self._wifi.is_connected():
            if time.ticks_diff(limit, time.ticks_ms()) <= 0:
                self._say("Wi-Fi: " + self._wifi.why_not())
                self._wifi.connect()
                return False
            time.sleep_ms(_WIFI_LOOK_MS)
        return True

    def _tell(self, batch: list[tuple[int, float, int]], verdict: int) -> None:
        """Say what became of a report; what is wrong, once."""
        answer = self._client.answer
        if verdict == DONE:
            self._said = ""
            for field, value, _ in batch:
                print("field", field, "=", value)
        elif verdict == DROP:
            if len(batch) == 1:
                field, value, _ = batch[0]
                print("The server does not take field", field, "=", value, answer)
        elif verdict == REFUSED:
            self._say("The server refuses this station: key or MAC address? " + answer)
        elif verdict == RETRY:
            self._say("The server: " + answer)

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            print(text)
