"""The Wi-Fi connection.

On an ESP8266 the SDK writes into its flash when the credentials are set, and when an
interface is switched on or off. So the credentials are set once, and only if the flash
does not have them; all that follows is connect() without them.
"""

import time

from micropython import const
import network

from esp_weather.start import forget

_ATTEMPT_MS = const(60_000)  # an attempt in progress is not interrupted before
_PAUSE_MS = const(15_000)  # after one that has failed

_said = [""]  # the last error, so that it is printed only once


class Wifi:
    """The Wi-Fi interface of the station, and its MAC and host name."""

    def __init__(self, ssid: str, password: str, known: bytes) -> None:
        """Switch the station's Wi-Fi on, and the board's own network off.

        `known` is the `checksum` of the credentials that were last set.
        Raises OSError if the board does not return its MAC address.
        """
        from esp_weather import radio  # noqa: PLC0415 # It is not needed again.

        self.station = network.WLAN(network.STA_IF)
        self._switch_on()
        self.checksum, is_known, self.mac = radio.set_up(ssid, password, known)
        forget("radio")
        self._credentials: tuple | None = None if is_known else (ssid, password)
        self._began: int = 0
        self.is_begun = False

    def is_connected(self) -> bool:
        """Return whether the station is connected and has an address."""
        return bool(attempt(self.station.isconnected))

    def connect(self) -> None:
        """Start to connect unless an attempt is in progress or has just failed."""
        if self.is_begun:
            is_under_way = attempt(self.station.status) == network.STAT_CONNECTING
            since = time.ticks_diff(time.ticks_ms(), self._began)
            if 0 <= since < (_ATTEMPT_MS if is_under_way else _PAUSE_MS):
                return
        self.is_begun = True
        self._began = time.ticks_ms()  # type: ignore[assignment]
        self._switch_on()
        credentials, self._credentials = self._credentials, None
        if credentials is None:
            attempt(self.station.connect)
        elif not attempt(self._set, *credentials):
            self._credentials = credentials

    def rssi(self) -> int | None:
        """Return the signal strength in dBm, None if the board does not return it."""
        rssi = attempt(self.station.status, "rssi")
        return rssi if isinstance(rssi, int) else None

    def _switch_on(self) -> None:
        if not attempt(self.station.active):
            attempt(self.station.active, True)

    def _set(self, ssid: str, password: str) -> bool:
        self.station.connect(ssid, password)
        return True


def attempt(function, *arguments):  # type: ignore[no-untyped-def]
    """Call a function of the port; print the error and return None if it raises.

    Ports differ: an ESP32 raises while it is still busy with the previous
    attempt, and when the Wi-Fi has just disappeared.
    """
    try:
        return function(*arguments)
    except Exception as err:  # noqa: BLE001
        _said.append(str(err))
        if _said.pop(0) != _said[0]:
            print("Wi-Fi:", err)
        return None
