"""The self-reported status of the station."""

from esp_weather import VERSION
from esp_weather.clock import Clock
from esp_weather.wifi import Wifi


class Status:
    """Signal strength, uptime, version, interval, board, and the battery's voltage."""

    def __init__(self, config: dict, wifi: Wifi, clock: Clock) -> None:
        """Initialize the measurement of the battery, if there is one."""
        self.interval: int = config["interval"]
        self._wifi = wifi
        # The clock is off by a few percent of each sleep.
        self._clock = None if config["deep_sleep"] else clock
        self._board: str = config["board"]
        # Why the last update came to nothing, until a report has said so
        self.update_error = ""
        self._battery = None
        if battery := config["battery"]:
            from esp_weather.analog import ANALOG  # noqa: PLC0415 # if there is one

            self._battery = ANALOG(battery["pin"], 0, battery["full_scale"], "")

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
        if self._battery:
            try:
                text += ',"battery":%.2f' % self._battery.read()[0]
            except Exception as err:  # noqa: BLE001 # The report goes without.
                print("battery:", err)
        return text + ',"board":"%s"}' % self._board
