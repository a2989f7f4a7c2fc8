"""Reads and checks the settings of the station: config.json.

This takes memory that interned strings never give back. So it runs in a separate start
and passes its result on in a file.
"""

import json
import sys

from esp_weather import CONFIG, SettingsError, registry

_LED = 2  # as in led.py, which would take memory here

_KINDS = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a group in braces",
    list: "a list in brackets",
}
_DAY = 86400
_IS_COMPILED = __file__.endswith(".mpy")
# The ESP8266 counts a sleep in microseconds, with 32 bits: 71 minutes.
_LONGEST_SLEEP = 4200
_WAKE_PIN = 16  # of the ESP8266: wired to RST, it ends the sleep


def load(path: str = CONFIG) -> dict:
    """Return the settings of a file, checked and with all defaults filled in.

    Raises SettingsError with a sentence that names the setting and what it has to be.
    """
    try:
        config: dict = _read(path)
    except OSError:
        raise SettingsError("%s is missing: copy it to the board" % path)
    except ValueError:
        raise SettingsError("%s is not JSON: look for a missing comma or quote" % path)
    _check("config", isinstance(config, dict), "must be in braces")
    wifi = _get(config, "wifi", dict)
    ssid = len(_get(wifi, "ssid", str, "").encode())
    _check("wifi.ssid", ssid, "is missing")
    _check("wifi.ssid", ssid <= 32, "has at most 32 bytes")
    password = len(_get(wifi, "password", str, "").encode())
    _check("wifi.password", password == 0 or 8 <= password <= 64, "has 8 to 64 letters")
    server = _get(config, "server", dict, {})
    host = _get(server, "host", str, "")
    _check("server.host", "/" not in host, "is an address, without http://")
    _between("server.port", _get(server, "port", int, 8123), 1, 65535)
    _get(server, "tls", bool, False)
    portal = len(_get(config, "portal", str, ""))
    _check("portal", portal == 0 or 8 <= portal <= 63, "has 8 to 63 letters")
    key = _get(config, "key", str)
    _check("key", 0 < len(key) <= 64, "has 1 to 64 letters")
    for letter in key.replace("-", "").replace("_", ""):
        _check(
            "key",
            letter.isalpha() or letter.isdigit(),
            "is of letters, digits, - and _",
        )
    # The heap of an ESP8266 is too small for it if the firmware runs from source.
    _get(config, "signed", bool, sys.platform != "esp8266" or _IS_COMPILED)
    _check_battery(config)
    deep_sleep = _get(config, "deep_sleep", bool, False)
    limit = _LONGEST_SLEEP if deep_sleep else _DAY
    _between("interval", _get(config, "interval", int, 60), 1, limit)
    config["is_auto"] = config.get("sensors") == "auto"
    _check_pins(config, _check_sensors(config), deep_sleep)
    config["fields"] = _ascii(json.dumps(registry.fields(config["sensors"])))
    config["board"] = "".join(
        letter
        for letter in getattr(sys.implementation, "_machine", "")
        if " " <= letter < "\x7f" and letter not in '"\\'
    )[:64]
    return config


def _ascii(text: str) -> str:
    """Return JSON without letters that take more than a byte."""
    return "".join(
        letter if ord(letter) < 128 else "\\u%04x" % ord(letter) for letter in text
    )


def write(settings: dict) -> bool:
    """Write the settings for the next starts; return whether that was possible."""
    try:
        with open(CONFIG + ".checked", "w") as file:
            json.dump(settings, file)
    except OSError as err:
        print(CONFIG, "as checked cannot be written:", err)
        return False
    return True


def _read(path: str):  # type: ignore[no-untyped-def]
    try:
        file = open(path)
    except (
        OSError
    ):  # On FAT, the power may have been cut while the file was being replaced.
        file = open(path + ".new")
    with file:
        return json.load(file)


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
    if config.get("sensors") == "auto":
        # A sensor that is not found now may be there at the next start.
        config["sensors"] = _find_sensors()
    else:
        _check("sensors", _get(config, "sensors", list), "is empty")
    fields: list[int] = []
    used = []
    for sensor in config["sensors"]:
        _check("sensors", isinstance(sensor, dict), "must hold braces")
        try:
            used += registry.check(sensor)
        except SettingsError as err:
            raise SettingsError("%s: %s" % (CONFIG, err))
        if sensor["type"] == "pulse":
            _check("pulse", not config["deep_sleep"], "counts nothing in a deep sleep")
        field = sensor["field"]
        for number in range(field, field + len(registry.TYPES[sensor["type"]][2])):
            _check("field %d" % number, number not in fields, "is used twice")
            fields.append(number)
    return used


def _find_sensors() -> list:
    """Return the sensors that are connected to the default pins."""
    from esp_weather import detect  # noqa: PLC0415 # takes memory

    return detect.sensors()


def _check_pins(config: dict, used: list[int], deep_sleep: bool) -> None:
    """Check that the LED and the wake-up pin are not used otherwise."""
    if config.setdefault("led", _LED) is not None:
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
    """Return a setting of this type; fill in the default, or raise if there is none."""
    value = settings.get(name)
    if value is None:
        _check(name, default is not None, "is missing")
        value = settings[name] = default
    # bool is a subclass of int.
    right = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    _check(name, right, "must be " + _KINDS[kind])
    return value


def _between(name: str, value: int, lowest: int, highest: int) -> int:
    _check(name, lowest <= value <= highest, "is %d to %d" % (lowest, highest))
    return value


def _check(name: str, is_right: object, what: str) -> None:
    if not is_right:
        raise SettingsError("%s: %s %s" % (CONFIG, name, what))
