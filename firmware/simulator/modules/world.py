"""What surrounds the fake board. Tests change it; the other fakes only look.

Everything a board could see of a real room, network and power supply is here, so
that the firmware itself runs unchanged.
"""

mac = b"\x5c\xcf\x7f\x2b\x0e\x68"
networks = {"Home": "password"}  # each Wi-Fi in reach, with its password
rssi = -61  # dBm
association_ms = 0  # how long it takes to get into one

i2c = {}  # (scl, sda): {address: chip}
wires = {}  # pin: [DS18B20 chips]
dhts = {}  # pin: DHT22 chip
volts = {}  # pin or channel of an ADC: volts

reset_cause = 0
rtc_memory = b""
pins = {}  # each pin that was an output: the values it had
timers = []
open_sockets = 0
is_deadlocked = False  # Connected, but nothing gets through until it is switched off
hostname = None
flash_writes = 0  # of the Wi-Fi's settings


def password_of(ssid):
    """Return the password of a network, or None if it is not in reach."""
    return networks.get(ssid)


class Power(BaseException):
    """The end of a run: what comes is a reset or a sleep, and main.py once more."""


class DeepSleep(Power):
    """The board sleeps for args[0] milliseconds."""


class Reset(Power):
    """The board was reset."""
