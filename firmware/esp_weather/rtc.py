"""Loads the state that survived a sleep or a reset. Unloaded when that is done."""

from struct import unpack_from

import machine

from esp_weather.memory import (
    CHECKSUM,
    FORMAT,
    LAYOUT,
    NAMES,
    Memory,
    checksum_of,
    tidy,
)


def load(memory: Memory) -> None:
    """Load the state from the memory of the RTC, or zeros if it is not valid."""
    try:
        cause = machine.reset_cause()
        memory.is_power_on = cause == machine.PWRON_RESET
        record = machine.RTC().memory()
        is_kept = (
            not memory.is_power_on
            and len(record) == len(memory.record)
            and record[CHECKSUM + 7] == LAYOUT
            and checksum_of(record[CHECKSUM:]) == record[:CHECKSUM]
        )
    except Exception as err:  # noqa: BLE001 # The station does without.
        print("RTC:", err)
        is_kept = False
    if is_kept:
        memory.record[:] = record
        memory.is_woken = cause == machine.DEEPSLEEP_RESET
    else:
        memory.record[CHECKSUM + 7] = LAYOUT
        tidy()
    values = unpack_from(FORMAT, memory.record, CHECKSUM)
    for name, value in zip(NAMES, values):
        setattr(memory, name, value)
    memory.nonce = values[-1].rstrip(b"\0").decode()
