"""Starts the station. MicroPython runs this file after each reset and each sleep."""

import sys
import time

import machine

try:
    from esp_weather.start import main

    main()
except Exception as err:  # noqa: BLE001 # Without this, the board stays at its prompt.
    sys.print_exception(err)
    time.sleep_ms(60_000)  # in which mpremote gets in
    if machine.reset_cause() == machine.DEEPSLEEP_RESET:
        machine.deepsleep(3_600_000)  # It runs on a battery.
    machine.reset()
