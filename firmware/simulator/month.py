"""Simulates days or weeks of trouble in minutes: month.py MAC DAYS SEED.

Runs the firmware on the clock of the tests. Its sensor, an analogue input, measures 1,
2, 3, … The Wi-Fi has outages, nothing gets through, the board is reset and has
brown-outs. When the server has to be stopped, killed or started, that is on the
console, and the board's clock stands until there is a file of this name. The console
also has each measured value, and the name of each stream.
"""

from binascii import unhexlify
import os
import random
import socket
import sys

import esp8266  # noqa: F401 # before what asks for the platform
import machine
from recorded import Recorded
import utime
import world

MINUTE = 60_000
DAY = 24 * 60
PART = 3  # days, in which each of these happens
OUTAGES = (("wifi", 6), ("hang", 3))  # of the board, and how often in a PART
RESETS = ("reset", "brown-out")  # of the board, each once in a PART
OF_THE_SERVER = ("stop", "kill")  # each once in a PART
LONGEST = 120  # minutes of an outage of the board
OUTAGE = 240  # minutes at most, of the server
# The server writes to its disk every 5 s of its own clock, which is many hours here.
SYNC_MS = 6_000


class TimeIsUp(BaseException):
    """The end of the run."""


class Alarm:
    """A timer that fires once."""

    elapsed = 0

    def __init__(self, minute, action):
        """Call `action` in some minutes."""
        self.period = minute * MINUTE
        self._action = action
        world.timers.append(self)

    def callback(self, _timer):
        """Fire."""
        world.timers.remove(self)
        self._action()


class Volts:
    """A voltage that rises at each measurement."""

    measured = 0

    def __getitem__(self, _number):
        """Measure."""
        self.measured += 1
        print("measured", self.measured)
        return (self.measured + 0.5) / 65535


class Noted(Recorded):
    """Prints the stream of a report when it changes."""

    stream = ""

    def close(self):
        """Close; the second time does nothing."""
        if self._is_new:
            super().close()
            return
        with open("report") as file:
            stream = file.read().partition('"stream":"')[2][:8]
        if stream and stream != Noted.stream:
            Noted.stream = stream
            print("stream", stream)
        super().close()


def wait_for(name):
    """Let no time pass on the board until there is such a file."""
    print("waits for", name)
    while name not in os.listdir():
        utime.sleep_ms(20)


def begin(name):
    """Begin an outage, or reset the board."""
    if name == "wifi":
        world.networks.clear()
    elif name == "hang":
        world.is_deadlocked = True
    else:
        print(name)
        utime.sleep_ms(SYNC_MS)
        if name == "reset":
            machine.reset()
        world.rtc_memory = bytearray(b"\xa5" * 490)
        world.reset_cause = machine.SOFT_RESET
        raise world.Reset


def end():
    """End all outages of the board."""
    world.networks["Home"] = "password"
    world.is_deadlocked = False


def plan(part):
    """Set the alarms of one PART: those of all of them would slow the clock down."""
    if (part + 2) * PART <= days:
        Alarm(PART * DAY, lambda: plan(part + 1))
    room = PART * DAY // len(OF_THE_SERVER)
    for name, often in OUTAGES:
        for _ in range(often):
            at = random.randrange(PART * DAY - LONGEST) + 1
            Alarm(at, lambda name=name: begin(name))
            Alarm(at + random.randrange(LONGEST) + 1, end)
    for name in RESETS:
        # Not when the server has just been killed. What it had not yet written
        # would be many hours here, and that is more than fits into the RTC.
        at = random.randrange(OUTAGE, room)
        Alarm(at, lambda name=name: begin(name))
    # One after the other
    for each, name in enumerate(OF_THE_SERVER):
        minutes = random.randrange(OUTAGE) + 1
        at = each * room + random.randrange(room - minutes) + 1
        number = part * len(OF_THE_SERVER) + each
        Alarm(at, lambda file="%s-%d" % (name, number): wait_for(file))
        Alarm(at + minutes, lambda file="start-%d" % number: wait_for(file))


def finish():
    """End the run."""
    raise TimeIsUp


socket.socket = Noted
world.patience_ms = 10_000  # Home Assistant may take its time.
world.mac = unhexlify(sys.argv[1].replace(":", ""))
days = int(sys.argv[2])
random.seed(int(sys.argv[3]))
world.volts = Volts()
plan(0)
# What is left is delivered in the last two hours.
Alarm(days * DAY, end)
Alarm(days * DAY + 120, finish)
while True:
    try:
        __import__("main")
    except world.Power:
        world.forget()
    except TimeIsUp:
        print("is over")
        break
