"""The settings of the station: config.json, read and checked.

The station forgets this module once it has its settings: memory is short.
"""

import json
import sys

FILE = "config.json"
LED = 2  # on nearly every board; the blue one of a Feather HUZZAH

# What each type of sensor is connected to, which setting it may have besides, with
# its default, and how many fields it reports
_SENSORS = {
    "mcp9808": (("scl", "sda"), "address", 24, 1),
    "bme280": (("scl", "sda"), "address", 118, 3),
    "ds18b20": (("pin",), "rom", "", 1),
    "dht22": (("pin",), None, None, 2),
}
_KINDS = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a group in braces",
    list: "a list in brackets",
}
_DAY = 86400
# The ESP8266 counts a sleep in microseconds, with 32 bits: 71 minutes.
_LONGEST_SLEEP = 4200
_WAKE_PIN = 16  # of the ESP8266: wired to RST, it ends the sleep


def load(path: str = FILE) -> dict:
    """Return the settings of a file, checked and with all defaults filled in.

    Raises ValueError with a sentence that names the setting and what it has to be.
    """
    try:
        with open(path) as file:
            config: dict = json.load(file)
    except OSError:
        raise ValueError("%s is missing: copy it to the board" % path)
    except ValueError:
        raise ValueError("%s is not JSON: look for a missing comma or quote" % path)
    _check("config", isinstance(config, dict), "must be in braces")
    wifi = _get(config, "wifi", dict)
    _check("wifi.ssid", _get(wifi, "ssid", str, ""), "is missing")
    password = len(_get(wifi, "password", str, ""))
    _check("wifi.password", password == 0 or 8 <= password <= 64, "has 8 to 64 letters")
    server = _get(config, "server", dict)
    host = _get(server, "host", str)
    _check("server.host", host and "/" not in host, "is an address, without http://")
    _between("server.port", _get(server, "port", int, 8123), 1, 65535)
    _get(server, "tls", bool, False)
    key = _get(config, "key", str)
    _check("key", 0 < len(key) <= 64, "has 1 to 64 letters")
    for letter in key.replace("-", "").replace("_", ""):
        _check(
            "key",
            letter.isalpha() or letter.isdigit(),
            "is of letters, digits, - and _",
        )
    _get(config, "signed", bool, False)
    _check_battery(config)
    deep_sleep = _get(config, "deep_sleep", bool, False)
    limit = _LONGEST_SLEEP if deep_sleep else _DAY
    _between("interval", _get(config, "interval", int, 60), 1, limit)
    _check_pins(config, _check_sensors(config), deep_sleep)
    return config


def _check_battery(config: dict) -> None:
    """Check how to measure the battery, if there is one."""
    if config.setdefault("battery", None) is None:
        return
    battery = _get(config, "battery", dict)
    _check("battery", config["signed"], "is reported only with signed: true")
    _between("pin", _get(battery, "pin", int), 0, 48)
    full_scale = battery.get("full_scale")
    if isinstance(full_scale, int):
        battery["full_scale"] = float(full_scale)
    _check("full_scale", 0 < _get(battery, "full_scale", float) <= 100, "is 0 to 100")


def _check_sensors(config: dict) -> list[int]:
    """Check the sensors and return the pins that they use."""
    sensors = _get(config, "sensors", list)
    _check("sensors", sensors, "is empty")
    fields: list[int] = []
    used = []
    for sensor in sensors:
        _check("sensors", isinstance(sensor, dict), "must hold braces")
        kind = _get(sensor, "type", str)
        _check(
            "type", kind in _SENSORS, "must be one of " + ", ".join(sorted(_SENSORS))
        )
        pins, option, default, count = _SENSORS[kind]
        for name in sensor:
            known = name in ("type", "field", option) or name in pins
            _check("sensors", known, "of %s have no %s" % (kind, name))
        for pin in pins:
            used.append(_between(pin, _get(sensor, pin, int), 0, 48))
        if option == "address":
            _between(option, _get(sensor, option, int, default), 8, 119)
        elif option == "rom":
            _check(
                "rom",
                len(_get(sensor, option, str, default)) in (0, 16),
                "has 16 digits",
            )
        field = _between("field", _get(sensor, "field", int), 1, 10 - count)
        for number in range(field, field + count):
            _check("field %d" % number, number not in fields, "is used twice")
            fields.append(number)
    return used


def _check_pins(config: dict, used: list[int], deep_sleep: bool) -> None:
    """Check that the LED, and what wakes the board, have a pin of their own."""
    if config.setdefault("led", LED) is not None:
        led = _between("led", _get(config, "led", int), 0, 48)
        _check(
            "led", led not in used, "is the pin of a sensor: choose another, or null"
        )
    if deep_sleep and sys.platform == "esp8266":
        _check("deep_sleep", _WAKE_PIN not in used, "needs pin 16 for itself")
        _check("deep_sleep", config["led"] != _WAKE_PIN, "needs pin 16 for itself")


def _get(  # type: ignore[no-untyped-def]
    settings: dict, name: str, kind: type, default: object = None
):
    """Return a setting of this kind; fill in the default, or raise if it has none."""
    value = settings.get(name)
    if value is None:
        _check(name, default is not None, "is missing")
        value = settings[name] = default
    # True counts as an integer.
    right = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    _check(name, right, "must be " + _KINDS[kind])
    return value


def _between(name: str, value: int, lowest: int, highest: int) -> int:
    _check(name, lowest <= value <= highest, "is %d to %d" % (lowest, highest))
    return value


def _check(name: str, is_right: object, what: str) -> None:
    if not is_right:
        raise ValueError("%s: %s %s" % (FILE, name, what))
