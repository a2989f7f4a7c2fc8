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
# Tenths of a second without Wi-Fi until the portal opens: that again after four times
# as long, …, since the station does not measure meanwhile, and each costs some writes
# of an ESP8266's flash.
_PORTAL_AFTER = const(3_000)
_MOST_SHIFTS = const(8)

# Failures in a row of a station that sleeps
_PORTAL_AT = const(3)
_FIND_AT = const(8)

# Bits of `Memory.flags`, for errand.py
_PORTAL = const(32)
_FIND = const(64)
_WRONG_PASSWORD = const(128)

_STEPS = const(3)  # The bits of `state` behind these are when there was Wi-Fi last.


def recover(state: int, silent: int, wifi: Wifi, memory: Memory, keep) -> int:  # type: ignore[no-untyped-def]
    """Restart Wi-Fi or board, depending on how long there was no answer.

    `silent` is in tenths of a second. `state` is what this has returned before, 0 at
    first. `keep` is called before a reset.
    """
    steps = state & _STEPS
    online = state >> 2
    if wifi.is_connected():
        online = silent
    shift = min(2 * memory.resets, _MOST_SHIFTS)
    is_long = silent >= _RESET_AFTER << min(memory.resets, _MOST_DOUBLINGS)
    if silent > online and (is_long or silent - online >= _PORTAL_AFTER << shift):
        print("No Wi-Fi for long: reset")
        _order_portal(wifi, memory)
    elif is_long:
        print("No answer for long: reset")
        memory.flags |= _FIND  # It may have another address now.
    elif silent >= _RESTART_AFTER and steps < 2:
        attempt(wifi.station.active, False)
        return _reconnect(wifi, steps, online)
    elif silent >= _RECONNECT_AFTER and not steps:
        attempt(wifi.station.disconnect)
        return _reconnect(wifi, steps, online)
    else:
        return online << 2 | steps
    memory.resets = min(memory.resets + 1, 255)
    memory.wifi = bytes(4)
    keep()
    machine.reset()
    return 0


def recover_on_battery(wifi: Wifi, memory: Memory) -> None:
    """Order the portal or the search for Home Assistant, each once."""
    if memory.failures == _PORTAL_AT and not wifi.is_connected():
        _order_portal(wifi, memory)
    elif memory.failures == _FIND_AT:
        memory.wifi = bytes(4)  # It is configured again.
        if wifi.is_connected():
            memory.flags |= _FIND


def _order_portal(wifi: Wifi, memory: Memory) -> None:
    memory.flags = memory.flags & ~_WRONG_PASSWORD | _PORTAL
    if attempt(wifi.station.status) == network.STAT_WRONG_PASSWORD:
        memory.flags |= _WRONG_PASSWORD


def _reconnect(wifi: Wifi, steps: int, online: int) -> int:
    wifi.is_begun = False
    wifi.connect()
    return online << 2 | steps + 1


def why_not(wifi: Wifi) -> str:
    """Return why the station is not connected."""
    status = attempt(wifi.station.status)
    if status == network.STAT_WRONG_PASSWORD:
        return "wrong password"
    if status == network.STAT_NO_AP_FOUND:
        return "no such network in reach"
    return "not connected yet"
