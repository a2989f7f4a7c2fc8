"""Reads the settings and starts the station.

One module after the other, since compiling takes more memory than running.
"""

import gc
import sys
import time

from micropython import const

from esp_weather import VERSION, led

_COMPLAINT_MS = const(10_000)


def main() -> None:
    """Run the station for ever, or say for ever what is wrong with its settings."""
    print("ESP Weather", VERSION)
    lamp = None
    try:
        settings = _settings()
        lamp = led.Led(settings["led"])
        gc.collect()
        from esp_weather.station import Station  # noqa: PLC0415

        gc.collect()
        client = _client(settings["signed"])
        gc.collect()
        station = Station(settings, lamp, client)
        del settings
    except ValueError as err:
        _complain(err, lamp)
    else:
        station.run()


def _settings() -> dict:
    """Return the settings and forget the module that checked them."""
    from esp_weather import config  # noqa: PLC0415

    try:
        return config.load()
    except ValueError as err:
        _complain(err, led.Led(config.LED))
        raise
    finally:
        del sys.modules["esp_weather.config"]
        del sys.modules["esp_weather"].config


def _client(signed: bool):  # type: ignore[no-untyped-def]
    """Return the class that makes the reports: only the one that is needed."""
    if signed:
        from esp_weather.signed import SignedClient  # noqa: PLC0415

        return SignedClient
    from esp_weather.legacy import LegacyClient  # noqa: PLC0415

    return LegacyClient


def _complain(err: ValueError, lamp: led.Led | None) -> None:
    """Say what is wrong, again and again. A reset would change nothing."""
    while True:
        print(err)
        if lamp:
            lamp.blink(led.CONFIG)
        time.sleep_ms(_COMPLAINT_MS)
