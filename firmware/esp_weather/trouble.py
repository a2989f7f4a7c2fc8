"""Error handling of a station that cannot start."""

import time

import machine
from micropython import const

from esp_weather import SettingsError, led
from esp_weather.memory import RESTED, SLEEPS, Memory

_STAY_MS = const(10_000)  # for mpremote to get in
_COMPLAINT_MS = const(10_000)
_COMPLAINTS = const(60)  # until the settings are read again
_COMPLAINTS_ON_BATTERY = const(3)
_FIRST_PAUSE_MS = const(20_000)  # then twice as long, …
_LONGEST_PAUSE_MS = const(3_600_000)


def pause(memory: Memory, failed: int) -> None:
    """Wait: awake, so that mpremote gets an answer, or asleep to save the battery."""
    rest = min(_FIRST_PAUSE_MS << min(failed, 9), _LONGEST_PAUSE_MS)
    print(memory.starts, "starts in a row have failed: safe mode for", rest, "ms")
    if memory.flags & SLEEPS:
        time.sleep_ms(_STAY_MS)
        memory.flags |= RESTED
        memory.tenths += (_STAY_MS + rest) // 100
        memory.note()
        machine.deepsleep(rest)
    time.sleep_ms(rest)
    memory.tenths += rest // 100


def complain(err: SettingsError, memory: Memory) -> None:
    """Print the error repeatedly."""
    on_battery = memory.flags & SLEEPS
    if not on_battery:
        memory.starts = 0  # Print without a pause.
    try:
        lamp = led.switch_off(led.BOARD)
    except ValueError:
        lamp = None
    for _ in range(_COMPLAINTS_ON_BATTERY if on_battery else _COMPLAINTS):
        print(err)
        led.blink(lamp, led.CONFIG)
        time.sleep_ms(_COMPLAINT_MS)
