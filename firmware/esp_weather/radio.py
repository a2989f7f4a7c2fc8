"""Sets up the Wi-Fi of the board. Unloaded when that is done."""

from binascii import hexlify
from hashlib import sha256
import sys

import network

from esp_weather.wifi import attempt


def set_up(ssid: str, password: str, known: bytes) -> tuple[bytes, bool, str]:
    """Switch the board's own network off, and give the station its host name.

    `known` is the checksum of the credentials that were last set. Returns the checksum
    of these, whether the board has them in its flash, and the MAC of the station.
    Raises OSError if the board does not return its MAC address.
    """
    access_point = network.WLAN(network.AP_IF)
    if attempt(access_point.active):
        attempt(access_point.active, False)
    station = network.WLAN(network.STA_IF)
    checksum: bytes = sha256(("%s\n%s" % (ssid, password)).encode()).digest()[:4]
    is_known = (
        sys.platform == "esp8266"
        and known == checksum
        and attempt(station.config, "ssid") == ssid
    )
    mac = station.config("mac")
    # Before MicroPython 1.22 a name had at most 15 letters.
    attempt(network.hostname, "esp-weather-" + hexlify(mac[3:]).decode())
    return checksum, is_known, hexlify(mac, ":").decode()
