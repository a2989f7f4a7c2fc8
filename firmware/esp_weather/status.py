"""The self-reported status of the station."""

import sys

from machine import ADC, Pin
from micropython import const

from esp_weather import VERSION
from esp_weather.clock import Clock
from esp_weather.wifi import Wifi

FULL_SCALE = const(65535)


class Status:
    """Signal strength, uptime, version, interval, board, and the battery's voltage."""

    def __init__(self, config: dict, wifi: Wifi, clock: Clock) -> None:
        """Initialize the measurement of the battery, if there is one."""
        self.interval: int = config["interval"]
        self._wifi = wifi
        # The clock is off by a few percent of each sleep.
        self._clock = None if config["deep_sleep"] else clock
        board = getattr(sys.implementation, "_machine", "")
        self._board = ',"board":"%s"}' % "".join(
            letter for letter in board if " " <= letter < "\x7f" and letter not in '"\\'
        )
        # Why the last update came to nothing, until a report has said so
        self.update_error = ""
        battery = config["battery"]
        self._adc = battery and open_adc(battery["pin"])
        self._full_scale = battery and battery["full_scale"]

    def json(self) -> str:
        """Return the status for the signed report."""
        text = '{"firmware":"%s","interval":%d' % (VERSION, self.interval)
        if self.update_error:
            text += ',"update_error":"%s"' % self.update_error
        rssi = self._wifi.rssi()
        if rssi is not None:
            text += ',"rssi":%d' % rssi
        if self._clock:
            text += ',"uptime":%d' % self._clock.uptime()
        if self._adc:
            try:
                volts = self._adc.read_u16() * self._full_scale / FULL_SCALE
                text += ',"battery":%.2f' % volts
            except Exception as err:  # noqa: BLE001 # The report goes without.
                print("battery:", err)
        return text + self._board


def open_adc(pin: int) -> ADC:
    """Return the ADC: the channel of an ESP8266, or a pin of an ESP32."""
    if sys.platform == "esp8266":
        return ADC(pin)
    return ADC(Pin(pin), atten=ADC.ATTN_11DB)
