"""What the station says of itself."""

import sys

from machine import ADC, Pin
from micropython import const

from esp_weather import VERSION
from esp_weather.clock import Clock
from esp_weather.wifi import Wifi

_FULL_SCALE = const(65535)


class Status:
    """Strength of the Wi-Fi's signal, uptime, version, and the battery's voltage."""

    def __init__(self, config: dict, wifi: Wifi, clock: Clock) -> None:
        """Get ready to measure the battery, if there is one."""
        self._wifi = wifi
        # The clock is wrong by a few percent of each sleep.
        self._clock = None if config["deep_sleep"] else clock
        battery = config["battery"]
        self._adc = battery and _open(battery["pin"])
        self._full_scale = battery and battery["full_scale"]

    def json(self) -> str:
        """Return the status as the signed report has it."""
        text = '{"firmware":"%s","rssi":%d' % (VERSION, self._wifi.rssi())
        if self._clock:
            text += ',"uptime":%d' % self._clock.uptime()
        if self._adc:
            volts = self._adc.read_u16() * self._full_scale / _FULL_SCALE
            text += ',"battery":%.2f' % volts
        return text + "}"


def _open(pin: int) -> ADC:
    if sys.platform == "esp8266":
        return ADC(pin)
    return ADC(Pin(pin), atten=ADC.ATTN_11DB)
