"""Recovers from missing answers. Unloaded after use, since it is seldom needed."""

import machine
from micropython import const
import network

from esp_weather.memory import Memory
from esp_weather.wifi import Wifi, attempt

# Tenths of a second without an answer until the Wi-Fi is disconnected and reconnected,
# switched off and on, and the board is reset: that again after twice as long, …
_RECONNECT_AFTER = const(3_000)
_RESTART_AFTER = const(9_000)
_RESET_AFTER = const(36_000)
_MOST_DOUBLINGS = const(4)


def recover(steps: int, silent: int, wifi: Wifi, memory: Memory, keep) -> int:  # type: ignore[no-untyped-def]
    """Restart Wi-Fi or board, depending on how long there was no answer.

    `steps` are those tried already. Returns them with this one. `keep` is called
    before a reset.
    """
    if silent >= _RESET_AFTER << min(memory.resets, _MOST_DOUBLINGS):
        print("No answer for long: reset")
        memory.resets = min(memory.resets + 1, 255)
        memory.wifi = bytes(4)
        keep()
        machine.reset()
    if silent >= _RESTART_AFTER and steps < 2:
        attempt(wifi.station.active, False)
    elif silent >= _RECONNECT_AFTER and not steps:
        attempt(wifi.station.disconnect)
    else:
        return steps
    wifi.is_begun = False
    wifi.connect()
    return steps + 1


def why_not(wifi: Wifi) -> str:
    """Return why the station is not connected."""
    status = attempt(wifi.station.status)
    if status == network.STAT_WRONG_PASSWORD:
        return "wrong password"
    if status == network.STAT_NO_AP_FOUND:
        return "no such network in reach"
    return "not connected yet"
