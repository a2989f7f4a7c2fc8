"""Simulates a board with sensors: board.py MAC MEAN SWING.

Runs the firmware, unchanged, in the folder with its config.json. The temperature
in °C of the MCP9808 follows that of weather.py. With one more argument, `rising`,
it is a sixteenth more at each measurement, from MEAN on: no two are the same. There
are also a BME280, a DHT22 at pin 13, and a rain gauge at pin 14, whose bucket tips
once while the BME280 measures. Who wants to see the firmware cope makes a file
`no-wifi` or `no-sensor` in that folder, and removes it again. The file `report` has
what was sent last. With the argument `esp32` it is one. The portal is at the ports PORTAL_HTTP and PORTAL_DNS of this
machine.
"""

from binascii import unhexlify
import errno
import os
import random
import socket
import sys
import time

import board_sys
from chips import BME280, DHT22, MCP9808
import esp8266  # noqa: F401 # before what asks for the platform
from recorded import Recorded
import weather
import world

AMBIENT_TEMPERATURE = 5  # a register of the MCP9808

MEASURE = 0xF4  # a register of the BME280
# Of the example in section 3.12 of the data sheet of the BMP280, which gives 25.08 °C
# and 1006.53 hPa; and of a BME280, for the humidity
CALIBRATION = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7)
CALIBRATION += (15500, -14600, 6000, 75, 370, 0, 305, 50, 30)
MEASURED = (519888, 28_000, 415148)

RAIN_GAUGE = 14  # its pin


def exists(name):
    """Return whether there is such a file in the board's folder."""
    try:
        os.stat(name)
    except OSError:
        return False
    return True


def temperature():
    """Return the current temperature with the noise of a sensor."""
    noise = random.uniform(-0.1, 0.1)
    return weather.temperature(mean, swing, time.time()) + noise


def rising():
    """Return a temperature that is higher than all before."""
    return mean + sensor.readings / 16


def password_of(ssid):
    """Return the password of a network, unless they are all switched off."""
    return None if exists("no-wifi") else world.networks.get(ssid)


def in_reach():
    """Return name and signal strength of the networks, unless they are switched off."""
    return [] if exists("no-wifi") else everything_in_reach()


class Sensor(MCP9808):
    """An MCP9808 that can be unplugged and prints each measured value."""

    def write(self, register, data):
        """Take bytes behind a pointer."""
        if exists("no-sensor"):
            raise OSError(errno.ENODEV)
        super().write(register, data)

    def read(self, register, count):
        """Return bytes behind a pointer."""
        if exists("no-sensor"):
            raise OSError(errno.ENODEV)
        data = super().read(register, count)
        if register == AMBIENT_TEMPERATURE:
            value = (data[0] & 0x1F) << 8 | data[1]
            print("sensor gives", (value - ((value & 0x1000) << 1)) / 16)
        return data


class Weather(BME280):
    """A BME280 outside, where it rains."""

    def write(self, register, data):
        """Take a byte at an address."""
        super().write(register, data)
        if register == MEASURE and RAIN_GAUGE in world.handlers:
            world.handlers[RAIN_GAUGE](None)


def run():
    """Run the firmware from each reset to the next."""
    while True:
        try:
            __import__("main")
        except world.DeepSleep as sleep:
            time.sleep_ms(sleep.args[0])
        except world.Reset:
            pass
        world.forget()


world.mac = unhexlify(sys.argv[1].replace(":", ""))
mean = float(sys.argv[2])
swing = float(sys.argv[3])
world.password_of = password_of
everything_in_reach, world.in_reach = world.in_reach, in_reach
sensor = Sensor(rising if "rising" in sys.argv else temperature)
world.i2c[5, 4] = {24: sensor, 118: Weather(CALIBRATION, MEASURED)}
if "esp32" in sys.argv:
    board_sys.platform = "esp32"
    world.i2c[22, 21] = world.i2c[5, 4]
world.dhts[13] = DHT22(21.5, 48.2)
socket.socket = Recorded
run()
