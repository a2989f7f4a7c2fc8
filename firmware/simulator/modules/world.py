"""The environment of the simulated board. Tests change it; the other modules read it.

It holds everything that a board perceives of room, network and power supply, so
that the firmware runs unchanged.
"""

import sys

import uos

mac = b"\x5c\xcf\x7f\x2b\x0e\x68"
networks = {"Home": "password"}  # each Wi-Fi in reach, with its password
rssi = -61  # dBm
association_ms = 0  # how long it takes to get into one

i2c = {}  # (scl, sda): {address: chip}
wires = {}  # pin: [DS18B20 chips]
dhts = {}  # pin: DHT22 chip
volts = {}  # pin or channel of an ADC: volts
handlers = {}  # pin: what the firmware wants to be called when it falls

reset_cause = 0
rtc_memory = bytearray()
pins = {}  # each pin that was an output: the values it had
timers = []
open_sockets = 0
is_deadlocked = False  # Connected, but nothing gets through until it is switched off
hostname = None
access_point = None  # the board's own network, as it was configured
# The port of this machine that each port of the board is at, 0 for any that is free
ports = {
    53: int(uos.getenv("PORTAL_DNS") or 0),
    80: int(uos.getenv("PORTAL_HTTP") or 0),
}
names = {}  # what the name of a host leads to, if not to what this machine says

# Real milliseconds that a read waits for the server, and how much time passes on the
# board's own clock for each of them
patience_ms = 300
pace = 0

calls = {}  # name of a function of the port: how often it was called
faults = {}  # name of a function of the port: what it raises, or a function to call

_path = list(sys.path)

# The saving calls of the ESP8266's SDK
SAVING = (
    "WLAN.connect with credentials",
    "WLAN.active with a value",
    "WLAN.config with a value",
)


def enter(name):
    """Count a call of the port, and raise its fault if there is one."""
    calls[name] = calls.get(name, 0) + 1
    fault = faults.get(name)
    if fault is None:
        return
    if isinstance(fault, BaseException):
        raise fault
    fault()


def flash_writes():
    """Return how often the settings of the Wi-Fi were written into the flash."""
    return sum(calls.get(name, 0) for name in SAVING)


def password_of(ssid):
    """Return the password of a network, or None if it is not in reach."""
    return networks.get(ssid)


def in_reach():
    """Return the name and signal strength of each network in reach."""
    return [(ssid, rssi - 5 * index) for index, ssid in enumerate(networks)]


def forget():
    """Unload the firmware, as a reset does."""
    for name in list(sys.modules):
        if name in ("main", "slots") or name.startswith("esp_weather"):
            del sys.modules[name]
    sys.path[:] = _path


class Power(BaseException):
    """The end of a run, by a reset or a sleep; main.py runs again after it."""


class DeepSleep(Power):
    """The board sleeps for args[0] milliseconds."""


class Reset(Power):
    """The board was reset."""
