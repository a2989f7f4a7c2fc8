"""Helpers of the tests inside MicroPython."""

import json
import os
import socket
import time

from chips import MCP9808
import usocket
import world

PORT = int(os.getenv("SERVER_PORT") or 0)
TENTH = 100  # ms

_begin = time.ticks_ms()
_starts = []  # when the board was switched on, in ms of clock()


class TimeIsUp(BaseException):
    """The end of a test's run."""


class Alarm:
    """A timer that calls `action`, or ends the run, after some milliseconds."""

    def __init__(self, ms, action=None):
        self.period = ms
        self.elapsed = 0
        self.action = action
        world.timers.append(self)

    is_over = False

    def callback(self, _timer):
        self.is_over = True
        world.timers.remove(self)
        if self.action is None:
            raise TimeIsUp
        self.action()


def config(**changes):
    """Return settings with an MCP9808, changed as given, and put them on the board.

    Reports are unsigned unless `signed` says otherwise.
    """
    settings = {
        "wifi": {"ssid": "Home", "password": "password"},
        "server": {"host": "127.0.0.1", "port": PORT, "tls": False},
        "key": "PHDNGI2345",
        "interval": 60,
        "deep_sleep": False,
        "signed": False,
        "sensors": [{"type": "mcp9808", "field": 1, "scl": 5, "sda": 4, "address": 24}],
    }
    settings.update(changes)
    with open("config.json", "w") as file:
        json.dump(settings, file)
    return settings


def clock():
    """Return the ms since the test began, which may be 6 days ago."""
    return time.ticks_diff(time.ticks_ms(), _begin)


class Warming(MCP9808):
    """A room that is a sixteenth of a degree warmer at each measurement.

    `measured` has the time of each, and `sent` that of each request of the board.
    """

    def __init__(self):
        """Connect the sensor, and record when the board sends."""
        super().__init__(lambda: (len(self.measured) + 1) / 16)
        self.measured = []
        self.sent = []
        world.i2c[5, 4] = {24: self}
        connect = socket.socket.connect

        def noted(stream, address):
            connect(stream, address)
            self.sent.append(clock())

        socket.socket.connect = noted

    def read(self, register, count):
        """Return bytes behind a pointer."""
        data = super().read(register, count)
        if register == 5:
            self.measured.append(clock())
        return data

    def until(self, last, first=1):
        """Return the values of these measurements."""
        return [number / 16 for number in range(first, last + 1)]

    def ages_are_right(self, reports):
        """Compare each age with the time from measuring to sending.

        `reports` are those of the last requests. The station's clock shows whole
        tenths of both times, so that an age is less than a tenth too long or too
        short. What is less than a tenth is lost once more at each start, both of what
        was counted before and of the sleep.
        """
        assert reports
        for report, sent in zip(reports, self.sent[-len(reports) :]):
            for reading in report["readings"]:
                measured = self.measured[int(reading["value"] * 16) - 1]
                starts = len([each for each in _starts if measured < each <= sent])
                error = round(reading["age"] * 1000) - (sent - measured)
                assert -(1 + 2 * starts) * TENTH < error < TENTH, (reading, error)


def run(ms):
    """Switch the board on for `ms`. Return why it ended, and clean up.

    The start in which the settings are checked is one of its own and does not count.
    """
    _starts.append(clock())
    alarm = Alarm(ms)
    for _ in range(2):
        seal = _checked()
        world.forget()
        try:
            import main  # noqa: F401
        except TimeIsUp:
            return None
        except world.Power as end:
            if isinstance(end, world.Reset) and _checked() != seal:
                continue
            world.timers.remove(alarm)
            return end
        raise AssertionError("main.py came to its end")
    raise AssertionError("The settings are checked again and again")


def _checked():
    """Return the settings as they were checked, or None."""
    try:
        with open("config.json.checked") as file:
            return file.read()
    except OSError:
        return None


def control(line):
    """Send the test server a command and return its answer."""
    stream = usocket.socket()
    stream.connect(usocket.getaddrinfo("127.0.0.1", PORT)[0][-1])
    stream.write(line + "\n")
    answer = json.loads(stream.readline())
    stream.close()
    return answer


def answers(*script):
    """Script the server's answers; the last one is repeated."""
    control("ANSWERS " + json.dumps(script))


def stored():
    """Return the values that the server has taken, in the order of their numbers."""
    return control("STORED")


def requests():
    """Return the requests that the server got since it was last asked."""
    return control("REQUESTS")


def reports():
    """Return field and value of each report that the server got."""
    result = []
    for request in requests():
        parts = request.split(" ")[1].split("/")
        result.append((int(parts[4][6:]), float(parts[5][5:])))
    return result


def bodies():
    """Return the body of each signed report that the server got."""
    return [json.loads(request.split("\r\n\r\n", 1)[1]) for request in requests()]


def blinks(pin=2):
    """Return how often the LED went on since it was last asked."""
    count = world.pins.get(pin, []).count(0)  # It hangs between the pin and 3.3 V.
    world.pins[pin] = []
    return count


class Console:
    """Collects the board's console output inside a `with` block."""

    def __enter__(self):
        import builtins

        self.lines = []
        self._print = print
        builtins.print = self._keep
        return self.lines

    def _keep(self, *parts):
        self._print(time.ticks_ms(), *parts)
        self.lines.append(" ".join(str(part) for part in parts))

    def __exit__(self, *_):
        import builtins

        builtins.print = self._print


def raises(error, function, *arguments):
    """Return the text of the error that a call raises."""
    try:
        function(*arguments)
    except error as err:
        return str(err)
    raise AssertionError("nothing raised")
