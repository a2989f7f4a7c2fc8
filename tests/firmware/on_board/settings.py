"""The settings, and the messages about invalid ones."""

from chips import MCP9808
from esp_weather import config as settings
from helpers import Console, blinks, config, raises, reports, run
import world

_SENSOR = {"type": "mcp9808", "field": 1, "scl": 5, "sda": 4}
_PULSE = {
    "type": "pulse",
    "field": 1,
    "pin": 14,
    "per_pulse": 1.0,
    "unit": "litres of rain water",
}


def test_defaults():
    config(
        server={"host": "192.168.1.2"},
        interval=None,
        deep_sleep=None,
        sensors=[
            {"type": "bme280", "field": 1, "scl": 5, "sda": 4},
            {"type": "ds18b20", "field": 4, "pin": 12},
            {"type": "dht22", "field": 5, "pin": 13},
            {"type": "mcp9808", "field": 7, "scl": 5, "sda": 4},
        ],
    )
    loaded = settings.load()
    assert loaded["server"] == {"host": "192.168.1.2", "port": 8123, "tls": False}
    assert (loaded["interval"], loaded["deep_sleep"], loaded["led"]) == (60, False, 2)
    assert [sensor.get("address") for sensor in loaded["sensors"]] == [
        118,
        None,
        None,
        24,
    ]


def test_signed_is_the_default_where_it_fits():
    """On an ESP8266 only if the firmware is compiled, as it is here."""
    import board_sys

    assert settings._IS_COMPILED
    for platform, is_compiled, is_default in (
        ("esp8266", True, True),
        ("esp8266", False, False),
        ("esp32", False, True),
        ("rp2", False, True),
    ):
        board_sys.platform = platform
        settings._IS_COMPILED = is_compiled
        config(signed=None)
        assert settings.load()["signed"] == is_default
        for chosen in (False, True):
            config(signed=chosen)
            assert settings.load()["signed"] == chosen


def test_no_led():
    config(led=None)
    assert settings.load()["led"] is None


def test_what_is_wrong():
    two = [_SENSOR, dict(_SENSOR, address=25)]
    for changes, said in (
        ({"wifi": None}, "wifi is missing"),
        ({"wifi": {"ssid": "", "password": ""}}, "wifi.ssid is missing"),
        ({"wifi": {"ssid": 1}}, "ssid must be a text in quotes"),
        (
            {"wifi": {"ssid": "Home", "password": "short"}},
            "wifi.password has 8 to 64 letters",
        ),
        (
            {"server": {"host": "http://ha"}},
            "server.host is an address, without http://",
        ),
        ({"server": {"host": "ha", "port": "8123"}}, "port must be a whole number"),
        ({"server": {"host": "ha", "port": 0}}, "server.port is 1 to 65535"),
        ({"server": {"host": "ha", "tls": "no"}}, "tls must be true or false"),
        ({"key": ""}, "key has 1 to 64 letters"),
        ({"key": "a/b"}, "key is of letters, digits, - and _"),
        ({"interval": 0}, "interval is 1 to 86400"),
        ({"interval": True}, "interval must be a whole number"),
        ({"interval": 4201, "deep_sleep": True}, "interval is 1 to 4200"),
        ({"deep_sleep": 1}, "deep_sleep must be true or false"),
        ({"sensors": None}, "sensors is missing"),
        ({"sensors": {}}, "sensors must be a list in brackets"),
        ({"sensors": []}, "sensors is empty"),
        ({"sensors": [1]}, "sensors must hold braces"),
        ({"wifi": {"ssid": "é" * 17}}, "wifi.ssid has at most 32 bytes"),
        (
            {"wifi": {"ssid": "Home", "password": "ü" * 33}},
            "wifi.password has 8 to 64 letters",
        ),
        (
            {"sensors": [{"type": "ds18b20", "field": 1, "pin": 4, "rom": "2z" * 8}]},
            "rom has 16 digits",
        ),
        (
            {"sensors": [_PULSE]},
            "unit has at most 16 letters",
        ),
        (
            {"sensors": [dict(_PULSE, unit="l\u00a0/m²")]},
            "unit has at most 16 letters",
        ),
        (
            {"sensors": [dict(_PULSE, unit="l", kind="\U0001f327")]},
            "kind has at most 32 letters",
        ),
        (
            {"sensors": [{"type": ["mcp9808"]}]},
            (
                "type must be one of aht20, analog, bh1750, bme280, dht22, ds18b20, mcp9808,"
                " pulse, sht3x, sht4x"
            ),
        ),
        (
            {"sensors": [{"type": "mpc9808"}]},
            (
                "type must be one of aht20, analog, bh1750, bme280, dht22, ds18b20, mcp9808,"
                " pulse, sht3x, sht4x"
            ),
        ),
        ({"sensors": [dict(_SENSOR, pin=1)]}, "sensors of mcp9808 have no pin"),
        ({"sensors": [dict(_SENSOR, sda=None)]}, "sda is missing"),
        ({"sensors": [dict(_SENSOR, sda=49)]}, "sda is 0 to 48"),
        ({"sensors": [dict(_SENSOR, address=7)]}, "address is 8 to 119"),
        ({"sensors": [dict(_SENSOR, field=0)]}, "field is 1 to 9"),
        ({"sensors": [dict(_SENSOR, field=10)]}, "field is 1 to 9"),
        ({"sensors": [dict(_SENSOR, type="bme280", field=8)]}, "field is 1 to 7"),
        ({"sensors": two}, "field 1 is used twice"),
        (
            {"sensors": [{"type": "ds18b20", "field": 1, "pin": 12, "rom": "28"}]},
            "rom has 16 digits",
        ),
        ({"led": 4}, "led is the pin of a sensor: choose another, or null"),
        ({"led": 16, "deep_sleep": True}, "deep_sleep needs pin 16 for itself"),
        (
            {"sensors": [{"type": "dht22", "field": 1, "pin": 16}], "deep_sleep": True},
            "deep_sleep needs pin 16 for itself",
        ),
    ):
        config(**changes)
        assert raises(ValueError, settings.load) == "config.json: " + said, changes


def test_no_file():
    assert raises(ValueError, settings.load) == (
        "config.json is missing: copy it to the board"
    )


def test_not_json():
    with open("config.json", "w") as file:
        file.write('{"key": "PHDNGI2345}')
    assert raises(ValueError, settings.load) == (
        "config.json is not JSON: look for a missing comma or quote"
    )
    with open("config.json", "w") as file:
        file.write("[]")
    assert raises(ValueError, settings.load) == "config.json: config must be in braces"


def test_no_reset_for_wrong_settings():
    """The error is printed and blinked repeatedly."""
    config(interval=0)
    with Console() as said:
        assert run(60_000) is None
    assert said.count("config.json: interval is 1 to 86400") == 6
    # Two blinks each time; the first value is that of the LED being off.
    assert blinks() == 12
    assert reports() == []


def test_no_reset_for_a_pin_that_is_not_there():
    for changes, blink in (
        ({"sensors": [{"type": "dht22", "field": 3, "pin": 6}]}, 12),
        ({"led": 6}, 12),
    ):
        config(**changes)
        with Console() as said:
            assert run(60_000) is None
        assert any("invalid pin" in line for line in said), said
        assert blinks() == blink, changes
    assert any("dht22 of field 3" in line for line in said) is False


def test_settings_are_forgotten():
    """The modules that check them are unloaded."""
    import sys

    config()
    run(60_000)
    for name in ("config", "registry", "build", "recall", "trouble", "signed"):
        assert "esp_weather." + name not in sys.modules, name
    assert world.timers == []


def test_settings_are_checked_once():
    """That takes a start of its own, when they or the firmware have changed."""
    world.i2c[5, 4] = {24: MCP9808(20)}
    config()
    run(60_000)
    with open("config.json.checked") as file:
        first = file.read()
    run(60_000)
    with open("config.json.checked") as file:
        assert file.read() == first
    config(interval=30)
    run(60_000)
    with open("config.json.checked") as file:
        assert file.read() != first
    assert len(reports()) == 1 + 1 + 2


def test_settings_that_cannot_be_written():
    """They are checked at each start then, and the station works."""
    import builtins

    def without_space(path, mode="r", original=open):
        if "w" in mode and path.startswith("config.json."):
            raise OSError(28)
        return original(path, mode)

    world.i2c[5, 4] = {24: MCP9808(20)}
    config()
    builtins.open = without_space
    run(2 * 60_000)
    assert len(reports()) == 2
