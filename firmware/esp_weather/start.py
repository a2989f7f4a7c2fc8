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

        station = Station(settings, lamp)
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


def _complain(err: ValueError, lamp: led.Led | None) -> None:
    """Say what is wrong, again and again. A reset would change nothing."""
    while True:
        print(err)
        if lamp:
            lamp.blink(led.CONFIG)
        time.sleep_ms(_COMPLAINT_MS)
