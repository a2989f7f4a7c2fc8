"""Starts the station. MicroPython runs this file after each reset and each sleep."""

import sys
import time

import machine

is_on_trial = False
try:
    import slots

    is_on_trial = slots.is_on_trial()
    sys.path.insert(0, slots.choose())
    del slots, sys.modules["slots"]  # It is seldom needed again.
    from esp_weather.start import main

    main()
except Exception as err:  # noqa: BLE001 # Without this, the board stays at its prompt.
    sys.print_exception(err)
    time.sleep_ms(60_000)  # in which mpremote gets in
    if machine.reset_cause() == machine.DEEPSLEEP_RESET and not is_on_trial:
        machine.deepsleep(3_600_000)  # It runs on a battery.
    machine.reset()
