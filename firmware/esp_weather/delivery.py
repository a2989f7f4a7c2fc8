"""Delivers the buffered readings to the server."""

import random
import time

from micropython import const

from esp_weather.buffer import Buffer
from esp_weather.client import AGAIN, DONE, DROP, REFUSED, RETRY, SMALLER
from esp_weather.start import forget
from esp_weather.watchdog import Watchdog
from esp_weather.wifi import Wifi

_WIFI_LIMIT_MS = const(15_000)  # of one wait for the Wi-Fi
_WIFI_LOOK_MS = const(100)
_FIRST_PAUSE_MS = const(2_000)  # before the second attempt; then twice as long, …
_LONGEST_PAUSE_MS = const(60_000)


def jitter(ms: int) -> int:
    """Return 75 to 125 % of a time, so that stations do not report in lockstep."""
    return ms * (96 + random.getrandbits(6)) // 128


class Delivery:
    """Reports the readings in the buffer, independently of the form of report."""

    def __init__(  # type: ignore[no-untyped-def]
        self, client, wifi: Wifi, buffer: Buffer, watchdog: Watchdog
    ) -> None:
        """Initialize with a ReportClient of legacy.py or signed.py."""
        self._watchdog = watchdog
        self._client = client
        self._wifi = wifi
        self._buffer = buffer
        self._said = ""

    def run(self, deadline: int) -> int:
        """Report readings until all are taken or the time of the round is over.

        Without readings, an empty report shows that the station is alive.
        Returns DONE, REFUSED or RETRY.
        """
        buffer = self._buffer
        client = self._client
        pause = _FIRST_PAUSE_MS
        limit = client.BATCH
        is_due = client.KEEPS
        while is_due or buffer.count > buffer.taken:
            self._watchdog.feed()
            verdict = RETRY
            if self._is_online(deadline):
                verdict = client.report(buffer, limit)
                self._say_what_became(verdict)
            if verdict == REFUSED:
                return REFUSED
            if verdict == AGAIN:
                continue
            sent = client.sent
            if verdict == DROP and sent > 1:
                limit = sent // 2  # Drop the refused one only.
                continue
            if verdict == DONE or (verdict == DROP and sent):
                is_due = False
                buffer.taken += sent
                buffer.stored(client.stored)
                if verdict == DONE:
                    limit = min(2 * limit, client.BATCH)
                continue
            if verdict == SMALLER:
                limit = max(1, sent // 2)
            wait = jitter(pause)
            if time.ticks_diff(deadline, time.ticks_ms()) <= wait:
                return RETRY
            self._watchdog.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_MS)
        return DONE

    def _is_online(self, deadline: int) -> bool:
        """Wait for the Wi-Fi; a longer attempt continues in the background."""
        limit = time.ticks_add(time.ticks_ms(), _WIFI_LIMIT_MS)
        if time.ticks_diff(deadline, limit) < 0:
            limit = deadline  # type: ignore[assignment]
        while not self._wifi.is_connected():
            if time.ticks_diff(limit, time.ticks_ms()) <= 0:
                from esp_weather import recovery  # noqa: PLC0415 # seldom needed

                self._say("Wi-Fi: " + recovery.why_not(self._wifi))
                forget("recovery")
                return False
            self._wifi.connect()
            time.sleep_ms(_WIFI_LOOK_MS)
        return True

    def _say_what_became(self, verdict: int) -> None:
        """Print the result of a report; an error only once."""
        client = self._client
        if verdict == DONE:
            self._said = ""
            for index in range(client.sent):
                number = self._buffer.number + self._buffer.taken + index
                self._print(index, client.refused.get(number))
        elif verdict == DROP:
            if client.sent == 1:
                self._print(0, client.answer)
        elif verdict == REFUSED:
            self._say(
                "The server refuses this station: key or MAC address? " + client.answer
            )
        elif verdict in (RETRY, SMALLER):
            self._say("The server: " + client.answer)

    def _print(self, index: int, reason: str | None) -> None:
        field, value, _ = self._buffer.reading(self._buffer.taken + index, 0)
        if reason is None:
            print("field", field, "=", value)
        else:
            print("The server does not take field", field, "=", value, reason)

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            print(text)
