"""Finds Home Assistant, in a start of its own.

Anybody in the network can answer the question of mdns.py. So an address counts only
after an answer from there that is signed with the station's key.
"""

import json
import time

from micropython import const

from esp_weather import CONFIG, mdns, settings
from esp_weather.buffer import Buffer
from esp_weather.clock import Clock
from esp_weather.memory import Memory
from esp_weather.signed import ReportClient
from esp_weather.watchdog import Watchdog
from esp_weather.wifi import Wifi

_WIFI_LIMIT_MS = const(60_000)
_LIMIT_MS = const(180_000)  # for all that answer, who may be many and silent
_LOOK_MS = const(100)
_ATTEMPTS = const(3)  # The first has no nonce, the second may have an old one.
_PORTAL = const(32)  # a bit of `Memory.flags`, for errand.py


def run(memory: Memory, clock: Clock) -> None:
    """Look for Home Assistant and write its address into the settings.

    If there is no address at all then, have the next start open the portal.
    """
    with open(CONFIG + ".checked") as file:
        config = json.load(file)
    watchdog = Watchdog(lambda: None)
    watchdog.start()
    try:
        wifi = Wifi(config["wifi"]["ssid"], config["wifi"]["password"], memory.wifi)
        end = time.ticks_add(time.ticks_ms(), _WIFI_LIMIT_MS)
        while not wifi.is_connected() and time.ticks_diff(end, time.ticks_ms()) > 0:
            wifi.connect()
            time.sleep_ms(_LOOK_MS)
        memory.wifi = wifi.checksum
        server = _find(config, wifi, memory, clock, watchdog)
        if server is None:
            print("Home Assistant was not found")
            if not config["server"]["host"]:
                memory.flags |= _PORTAL
        elif server != config["server"]:
            with open(CONFIG) as file:
                config = json.load(file)
            config["server"] = server
            settings.write(config)
    except OSError as err:
        print("Home Assistant was not found:", err)
    finally:
        watchdog.stop()


def _find(
    config: dict, wifi: Wifi, memory: Memory, clock: Clock, watchdog: Watchdog
) -> dict | None:
    """Return the server that knows the key, as the settings have it, or None.

    Raises OSError if nothing can be sent.
    """
    config["slot"] = []
    end: int = time.ticks_add(time.ticks_ms(), _LIMIT_MS)  # type: ignore[assignment]
    for host, port, tls in mdns.servers():
        if time.ticks_diff(end, time.ticks_ms()) <= 0:
            break
        server = {"host": host, "port": port, "tls": tls}
        client = _Check(dict(config, server=server), wifi, clock, memory)
        for _ in range(_ATTEMPTS):
            watchdog.feed()
            client.report(Buffer(1), 0)
            if client.is_signed:
                print("Home Assistant is at", host)
                return server
        print(host, client.answer)
    return None


class _Check(ReportClient):
    """Sends a report without readings, to see who answers."""

    TIMEOUT = 5_000  # ms

    def __init__(self, config: dict, wifi: Wifi, clock: Clock, memory: Memory) -> None:
        """Initialize with the settings, in which the server is the one to check."""
        super().__init__(config, wifi, clock, memory)
        self.is_signed = False

    def report(self, buffer: Buffer, limit: int) -> int:
        """Send it, and leave unchanged whether the fields count as declared."""
        flags = self._memory.flags
        try:
            return super().report(buffer, limit)
        finally:
            self._memory.flags = flags

    def _body(self):  # type: ignore[no-untyped-def]
        yield '{"mac":"%s","readings":[]}' % self._mac

    def _read(self) -> int:
        status = super()._read()
        self.is_signed = status > 0 and status != 401
        return status
