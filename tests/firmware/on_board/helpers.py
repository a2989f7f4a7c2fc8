"""What the tests inside MicroPython share."""

import json
import os
import sys
import time

import usocket
import world

PORT = int(os.getenv("SERVER_PORT") or 0)


class TimeIsUp(BaseException):
    """The end of a test's run."""


class Alarm:
    """A timer that calls `action`, or ends the run, after some milliseconds."""

    def __init__(self, ms, action=None):
        self.period = ms
        self.elapsed = 0
        self.action = action
        world.timers.append(self)

    def callback(self, _timer):
        world.timers.remove(self)
        if self.action is None:
            raise TimeIsUp
        self.action()


def config(**changes):
    """Return settings with an MCP9808, changed as given, and put them on the board."""
    settings = {
        "wifi": {"ssid": "Home", "password": "password"},
        "server": {"host": "127.0.0.1", "port": PORT, "tls": False},
        "key": "PHDNGI2345",
        "interval": 60,
        "deep_sleep": False,
        "sensors": [{"type": "mcp9808", "field": 1, "scl": 5, "sda": 4, "address": 24}],
    }
    settings.update(changes)
    with open("config.json", "w") as file:
        json.dump(settings, file)
    return settings


def run(ms):
    """Switch the board on for `ms`. Return why it ended, and clean up."""
    for name in list(sys.modules):
        if name == "main" or name.startswith("esp_weather"):
            del sys.modules[name]
    alarm = Alarm(ms)
    try:
        import main  # noqa: F401
    except TimeIsUp:
        return None
    except world.Power as end:
        world.timers.remove(alarm)
        return end
    raise AssertionError("main.py came to its end")


def control(line):
    """Send the server a line that is for itself, and return what it answers."""
    stream = usocket.socket()
    stream.connect(usocket.getaddrinfo("127.0.0.1", PORT)[0][-1])
    stream.write(line + "\n")
    answer = json.loads(stream.readline())
    stream.close()
    return answer


def answers(*script):
    """Have the server answer so, one after the other; the last one again and again."""
    control("ANSWERS " + json.dumps(script))


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
    """What the board prints, while `with` lasts."""

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
