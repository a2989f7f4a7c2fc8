"""The sensor types. A new one needs a driver in its own file and an entry here.

The station unloads this module after use to save memory.
"""

from esp_weather import SettingsError

_TEMPERATURE = ("temperature", "°C")
_HUMIDITY = ("humidity", "%")

_LONGEST = {"kind": 32, "unit": 16}  # letters (docs/protocol.md)

_I2C = ("scl", "sda")
_WIRE = ("pin",)

# The pins of each type, its optional settings with their
# defaults, and its fields. A setting whose default is None is required.
TYPES: dict = {
    "mcp9808": (_I2C, {"address": 24}, (_TEMPERATURE,)),
    "bme280": (
        _I2C,
        {"address": 118},
        (_TEMPERATURE, _HUMIDITY, ("pressure", "hPa")),
    ),
    "sht3x": (_I2C, {"address": 68}, (_TEMPERATURE, _HUMIDITY)),
    "sht4x": (_I2C, {"address": 68}, (_TEMPERATURE, _HUMIDITY)),
    "aht20": (_I2C, {"address": 56}, (_TEMPERATURE, _HUMIDITY)),
    "bh1750": (_I2C, {"address": 35}, (("illuminance", "lx"),)),
    "ds18b20": (_WIRE, {"rom": ""}, (_TEMPERATURE,)),
    "dht22": (_WIRE, {}, (_TEMPERATURE, _HUMIDITY)),
    "analog": (
        _WIRE,
        {"kind": "number", "unit": "", "zero": 0.0, "full_scale": None},
        (None,),
    ),
    "pulse": (_WIRE, {"kind": "rain", "unit": "mm", "per_pulse": None}, (None,)),
}


def fields(sensors: list) -> dict:
    """Return the declaration of the fields of these sensors for a report."""
    declared = {}
    for sensor in sensors:
        field = sensor["field"]
        for measured in TYPES[sensor["type"]][2]:
            kind, unit = measured or (sensor["kind"], sensor["unit"])
            declared[str(field)] = {"kind": kind}
            if unit:
                declared[str(field)]["unit"] = unit
            field += 1
    return declared


def check(sensor: dict) -> list[int]:
    """Check the settings of a sensor, fill in the defaults and return its pins.

    Raises SettingsError.
    """
    name = sensor.get("type")
    if not isinstance(name, str) or name not in TYPES:
        raise SettingsError("type must be one of " + ", ".join(sorted(TYPES)))
    pins, options, measured = TYPES[name]
    for setting in sensor:
        if setting not in ("type", "field") and setting not in pins + tuple(options):
            raise SettingsError("sensors of %s have no %s" % (name, setting))
    for pin in pins:
        _whole(sensor, pin, None, 0, 48)
    for option, default in options.items():
        if option == "address":
            _whole(sensor, option, default, 8, 119)
        elif isinstance(default, str):
            _text(sensor, option, default)
        else:
            _number(sensor, option, default)
    _whole(sensor, "field", None, 1, 10 - len(measured))
    return [sensor[pin] for pin in pins]


def _whole(
    sensor: dict, name: str, default: int | None, lowest: int, highest: int
) -> None:
    value = _get(sensor, name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise SettingsError(name + " must be a whole number")
    if not lowest <= value <= highest:
        raise SettingsError("%s is %d to %d" % (name, lowest, highest))


def _text(sensor: dict, name: str, default: str) -> None:
    value = _get(sensor, name, default)
    if not isinstance(value, str):
        raise SettingsError(name + " must be a text in quotes")
    if name == "rom":
        if len(value) not in (0, 16) or value.lower().strip("0123456789abcdef"):
            raise SettingsError("rom has 16 digits")
    elif len(value) > _LONGEST[name] or not all(_is_plain(letter) for letter in value):
        # The server would take none of the readings.
        raise SettingsError("%s has at most %d letters" % (name, _LONGEST[name]))


def _is_plain(letter: str) -> bool:
    return 32 <= ord(letter) < 127 or 160 < ord(letter) < 0xD800


def _number(sensor: dict, name: str, default: float | None) -> None:
    value = _get(sensor, name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SettingsError(name + " must be a number")
    sensor[name] = float(value)


def _get(sensor: dict, name: str, default: object) -> object:
    if sensor.get(name) is None:
        if default is None:
            raise SettingsError(name + " is missing")
        sensor[name] = default
    return sensor[name]
