"""Starts the station. MicroPython runs this file after each reset and each sleep."""

from esp_weather.start import main

main()
