"""The module `network` of the ESP8266's port, as far as a station needs it.

As there (ports/esp8266/network_wlan.c): the board opens a network of its own until
it is told not to; the credentials that connect() is given go into the flash; a
connection that breaks comes back by itself, except after active(False).
"""

import sys
import time

import world

STA_IF = 0
AP_IF = 1
STAT_IDLE = 0
STAT_CONNECTING = 1
STAT_WRONG_PASSWORD = 2
STAT_NO_AP_FOUND = 3
STAT_CONNECT_FAIL = 4
STAT_GOT_IP = 5

_stored = None  # credentials, in the flash of an ESP8266


def hostname(*new):
    """Return the name of the board in the network, or set it for the next connect()."""
    world.enter("network.hostname")
    if not new:
        return world.hostname
    if len(new[0]) > 32:  # extmod/modnetwork.h
        raise ValueError
    world.hostname = new[0]
    return None


class _Interface:
    def __init__(self, is_active):
        self._is_active = is_active
        self._credentials = None
        self._since = 0

    def active(self, *new):
        world.enter("WLAN.active")
        if not new:
            return self._is_active
        world.enter("WLAN.active with a value")
        self._is_active = bool(new[0])
        if self is _interfaces[AP_IF]:
            world.access_point = None
        if not self._is_active:
            self._credentials = None
            world.is_deadlocked = False
        return None

    def config(self, name=None, **settings):
        world.enter("WLAN.config")
        if settings:
            world.enter("WLAN.config with a value")
            self._check(settings)
            world.access_point = settings
            return None
        if name == "mac":
            return world.mac
        if name == "ssid":
            return _stored[0] if _stored else ""
        raise ValueError("unknown config param")

    def _check(self, settings):
        if not self._is_active:
            raise OSError("Wifi Not Started")
        if set(settings) - {"ssid", "security", "key"}:
            raise ValueError("unknown config param")
        if settings.get("security") and not 8 <= len(settings.get("key", "")) <= 63:
            raise ValueError("invalid key")

    def ifconfig(self, *new):
        world.enter("WLAN.ifconfig")
        return None if new else ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def scan(self):
        world.enter("WLAN.scan")
        if not self._is_active:
            raise OSError("STA must be active")
        return [
            (ssid if isinstance(ssid, bytes) else ssid.encode(), b"", 1, rssi, 3, 0)
            for ssid, rssi in world.in_reach()
        ]

    def connect(self, ssid=None, key=None):
        global _stored  # noqa: PLW0603 # the flash
        world.enter("WLAN.connect")
        if sys.platform == "esp32" and self.status() == STAT_CONNECTING:
            raise OSError("Wifi Internal State Error")
        if ssid is not None:
            world.enter("WLAN.connect with credentials")
            _stored = (ssid, key)
        self._credentials = _stored if self._is_active else None
        self._since = time.ticks_ms()

    def disconnect(self):
        world.enter("WLAN.disconnect")
        self._credentials = None

    def isconnected(self):
        world.enter("WLAN.isconnected")
        return self.status() == STAT_GOT_IP

    def status(self, *what):
        if what == ("rssi",):
            world.enter("WLAN.status of rssi")
            return world.rssi
        world.enter("WLAN.status")
        if self._credentials is None:
            return STAT_IDLE
        if time.ticks_diff(time.ticks_ms(), self._since) < world.association_ms:
            return STAT_CONNECTING
        ssid, key = self._credentials
        password = world.password_of(ssid)
        if password is None:
            return STAT_NO_AP_FOUND
        return STAT_GOT_IP if key == password else STAT_WRONG_PASSWORD

    def restart(self):
        self._credentials = None


_interfaces = (_Interface(False), _Interface(True))


def WLAN(interface):  # the port's name
    """Return an interface: always the same object."""
    world.enter("WLAN")
    return _interfaces[interface]


def restart():
    """Lose the state that does not survive a reset."""
    global _stored  # noqa: PLW0603
    for interface in _interfaces:
        interface.restart()
    if sys.platform == "esp32":
        _stored = None
