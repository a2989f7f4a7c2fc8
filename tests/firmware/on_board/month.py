"""Days of trouble: only readings that a brown-out erases are lost.

DAYS sets the length, by default one day; a month takes some minutes.
"""

import os
import random

from helpers import Alarm, Warming, config, control, run, stored
import world

MINUTE = 60_000
DAY = 24 * 60  # minutes
DAYS = int(os.getenv("DAYS") or 1)
# Each reading is a sixteenth of a degree higher, and the sensor ends at 256 °C.
INTERVAL = 300 if DAYS <= 14 else 900  # s
# How often each of these happens in a day, and for how many minutes at most
TROUBLE = (
    ("wifi", 4, 90),
    ("server", 4, 90),
    ("busy", 4, 60),
    ("portal", 2, 60),
    ("lossy", 8, 30),
    ("crash", 6, 0),
    ("reset", 3, 0),
    ("brown-out", 1, 0),
)


class Trouble:
    """Schedules the trouble."""

    def __init__(self, room):
        self.room = room
        self.forgotten = set()  # numbers of measurements that a brown-out took
        self.brown_outs = self.count = self.days = 0
        self.plan_a_day()

    def plan_a_day(self):
        """Set the alarms of a day: those of all days would slow the clock down."""
        self.days += 1
        if self.days < DAYS:
            Alarm(DAY * MINUTE, self.plan_a_day)
        for name, often, minutes in TROUBLE:
            for _ in range(often):
                # The last one of all is over when the test is.
                at = random.randrange(DAY - 120) + 1
                Alarm(at * MINUTE, self.beginning(name, random.randrange(minutes + 1)))

    def beginning(self, name, minutes):
        def begin():
            self.count += 1
            if name == "wifi":
                world.networks.clear()
            elif name == "server":
                world.is_deadlocked = True
            elif name == "busy":
                control('ANSWERS ["503"]')
            elif name == "portal":
                control('ANSWERS ["portal"]')
            elif name == "lossy":
                control('ANSWERS ["200", "reset in the body", "early", "200", "half"]')
            elif name == "crash":
                control("CRASH")
            elif name == "reset":
                import machine

                machine.reset()
            else:
                self.brown_out()
            if minutes:
                Alarm(minutes * MINUTE, self.end)

        return begin

    def brown_out(self):
        """Restart with garbage in the memory of the RTC."""
        self.brown_outs += 1
        got = control("STORED")
        for number in range(1, len(self.room.measured) + 1):
            if number / 16 not in got:
                self.forgotten.add(number / 16)
        world.rtc_memory = bytearray(b"\xa5" * 490)
        world.reset_cause = 4
        raise world.Reset

    def end(self):
        world.networks["Home"] = "password"
        world.is_deadlocked = False
        control('ANSWERS ["200"]')


def test_month():
    """Each reading is stored once, unless a brown-out erased it."""
    random.seed(int(os.getenv("SEED") or 1))
    room = Warming()
    config(signed=True, interval=INTERVAL)
    trouble = Trouble(room)
    last = Alarm(DAYS * DAY * MINUTE)
    while not last.is_over:
        run(2 * DAYS * DAY * MINUTE)
    trouble.end()
    run(10 * MINUTE)
    run(10 * MINUTE)
    got = stored()
    assert len(set(got)) == len(got), "stored twice"
    measured = room.until(len(room.measured))
    lost = [value for value in measured if value not in got]
    print(
        "days",
        DAYS,
        "measured",
        len(measured),
        "lost",
        len([value for value in lost if value not in trouble.forgotten]),
        "forgotten",
        len(trouble.forgotten),
        "brown-outs",
        trouble.brown_outs,
        "troubles",
        trouble.count,
        "starts",
        world.calls["Timer"],
    )
    assert len(measured) >= DAYS * 24 * 3600 / INTERVAL * 0.97
    assert not [value for value in lost if value not in trouble.forgotten], lost
