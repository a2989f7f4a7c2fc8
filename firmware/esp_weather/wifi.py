"""The way into the network."""

from binascii import hexlify

import network


class Wifi:
    """The station's side of the Wi-Fi, and its names there."""

    def __init__(self, ssid: str, password: str) -> None:
        """Switch the station's Wi-Fi on, and the board's own network off."""
        access_point = network.WLAN(network.AP_IF)
        # The ESP8266 keeps this in its flash: written only when it changes.
        if access_point.active():
            access_point.active(False)
        self._station = network.WLAN(network.STA_IF)
        self._station.active(True)
        self._credentials = (ssid, password)
        mac = self._station.config("mac")
        self.mac = hexlify(mac, ":").decode()
        try:
            network.hostname("esp-weather-" + hexlify(mac[3:]).decode())
        except ValueError:
            pass  # Before MicroPython 1.22 a name had at most 15 letters.

    def is_connected(self) -> bool:
        """Return whether the station is in the network and has an address."""
        return self._station.isconnected()

    def connect(self, stored: bool = False) -> None:
        """Begin to connect; is_connected() tells when it is done.

        With `stored` the credentials are those of the last time, which the
        ESP8266 keeps in its flash and would otherwise write there again.
        """
        try:
            if stored:
                self._station.connect()
            else:
                self._station.disconnect()
                self._station.connect(*self._credentials)
        except OSError as err:
            # The ESP32 raises this while it is still busy with the last attempt.
            print("Wi-Fi:", err)

    def why_not(self) -> str:
        """Return why the station is not connected."""
        status = self._station.status()
        if status == network.STAT_WRONG_PASSWORD:
            return "wrong password"
        if status == network.STAT_NO_AP_FOUND:
            return "no such network in reach"
        return "not connected yet"

    def rssi(self) -> int:
        """Return the strength of the signal in dBm."""
        return self._station.status("rssi")

    def restart(self) -> None:
        """Switch the Wi-Fi off and on again."""
        self._station.active(False)
        self._station.active(True)
