"""Base class of the stations: measure, report, and keep what is not stored yet."""

import gc
import time

import machine
from micropython import const

from esp_weather.buffer import SIZE, Buffer
from esp_weather.clock import Clock
from esp_weather.delivery import Delivery
from esp_weather.memory import Memory
from esp_weather.sensors import Sensors
from esp_weather.start import forget
from esp_weather.watchdog import Watchdog
from esp_weather.wifi import Wifi

_FREE = const(
    12_000
)  # bytes that readings leave free; half of them are in small fragments
_FEWEST = const(60)  # readings that are kept
_MOST = const(1440)
_LEGACY = const(10)  # one for each field: they are not kept


class BaseStation:
    """Measures and reports."""

    LONGEST: int  # s, of the interval between two readings

    def __init__(  # type: ignore[no-untyped-def]
        self, config: dict, lamp, client, memory: Memory, clock: Clock
    ) -> None:
        """Start connecting, and initialize the sensors meanwhile.

        `client` is the class of the ReportClient.
        Raises SettingsError if a sensor cannot be where the settings say.
        """
        self._begin = time.ticks_ms()
        self._led = lamp
        self._interval = config["interval"] * 1000
        self._memory = memory
        self._clock = clock
        self._wifi = Wifi(
            config["wifi"]["ssid"], config["wifi"]["password"], memory.wifi
        )
        if not memory.is_woken:
            memory.skips = memory.failures = 0
        if not memory.skips:
            self._wifi.connect()
            memory.wifi = self._wifi.checksum
        self._client = client(config, self._wifi, clock, memory)
        self._sensors = Sensors(config["sensors"], memory.missing)
        print(self._wifi.mac, "every", config["interval"], "s")
        self._watchdog = Watchdog(self.keep)
        self._buffer = self._make_buffer()
        from esp_weather import recall  # noqa: PLC0415 # It is not needed again.

        recall.restore(memory, self._buffer)
        forget("recall")
        self._delivery = Delivery(
            self._client, self._wifi, self._buffer, self._watchdog
        )

    def _make_buffer(self) -> Buffer:
        """Return a buffer that fits into memory."""
        if not self._client.KEEPS:
            return Buffer(_LEGACY)
        gc.collect()
        count = (gc.mem_free() - _FREE) // SIZE
        return Buffer(min(max(count, _FEWEST), _MOST))

    def run(self) -> None:
        """Measure and report for ever; whatever ends this, readings are kept."""
        try:
            self._watchdog.start()
            while True:
                self._round()
        except Exception:
            self.keep()
            raise
        finally:
            self._watchdog.stop()

    def keep(self, is_reset: bool = True) -> None:
        """Store the state: all readings before a reset, else those that fit into the RTC."""
        self._memory.tenths = self._clock.now()
        self._memory.missing = self._sensors.missing
        self._memory.save(self._buffer, is_reset)

    def _round(self) -> None:
        """Measure, report, and wait until it is time to measure again."""
        raise NotImplementedError

    def _measure(self) -> None:
        gc.collect()
        self._watchdog.sleep(self._sensors.start())
        now = self._clock.now()
        for field, value in self._sensors.read():
            self._buffer.append(field, value, now)

    def _report(self, limit: int) -> int:
        """Report within `limit` ms after the start of the round.

        Returns DONE, REFUSED or RETRY.
        """
        client = self._client
        client.got_response = False
        deadline: int = time.ticks_add(self._begin, limit)  # type: ignore[assignment]
        verdict = self._delivery.run(deadline)
        if not client.KEEPS:
            self._buffer.drop(self._buffer.count)
        if client.settings:
            from esp_weather import settings  # noqa: PLC0415 # seldom needed

            self._interval = settings.change(client, self._interval, self.LONGEST)
            forget("settings")
        self._memory.starts = 0  # This one came to a finished round.
        if client.firmware:
            from esp_weather import settings  # noqa: PLC0415 # seldom needed

            is_ordered = settings.order(client.firmware)
            client.firmware = {}
            forget("settings")
            if is_ordered:
                self.keep()
                machine.reset()
        return verdict
