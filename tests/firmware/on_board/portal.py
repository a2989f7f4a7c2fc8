"""When the portal opens and closes, on the clock of the tests."""

import json

from chips import MCP9808
from helpers import Alarm, Console, Warming, bodies, config, control, raises, run
import world

MINUTE = 60_000


def _settings(**changes):
    world.i2c[5, 4] = {24: MCP9808(20)}
    return config(signed=True, **changes)


def _opened(said):
    return len([line for line in said if line.startswith("Portal: join")])


def test_no_settings():
    """It is open for 5 minutes, again and again."""
    for _ in range(3):
        open_until_now = []
        Alarm(5 * MINUTE - 5_000, lambda: open_until_now.append(world.access_point))  # noqa: B023
        with Console() as said:
            assert isinstance(run(5 * MINUTE + 5_000), world.Reset)
        assert open_until_now == [{"ssid": "ESP-Weather-2b0e68", "security": 0}]
        assert "Its password: none" in said, said
        assert world.access_point is None
        assert world.open_sockets == 0
        assert not [line for line in said if "safe mode" in line]


def test_lost_wifi():
    """It opens 5 minutes after the Wi-Fi was lost, once; then ever more rarely."""
    Warming()
    config(signed=True, portal="secret password")
    Alarm(10 * MINUTE - 30_000, world.networks.clear)
    assert isinstance(run(30 * MINUTE), world.Reset)
    assert len(control("STORED")) == 10
    with Console() as said:
        end = run(20 * MINUTE)
    assert isinstance(end, world.Reset)
    assert "Its password: secret password" in said, said
    assert world.access_point is None
    with Console() as said:
        assert run(19 * MINUTE) is None
    assert not _opened(said), said


def test_all_readings_are_kept():
    """What was measured before the portal opened is reported when there is Wi-Fi."""
    room = Warming()
    config(signed=True)
    Alarm(2 * MINUTE - 30_000, world.networks.clear)
    assert isinstance(run(30 * MINUTE), world.Reset)
    measured = len(room.measured)
    assert isinstance(run(30 * MINUTE), world.Reset)  # the portal
    world.networks["Home"] = "password"
    run(5 * MINUTE)
    assert control("STORED")[:measured] == room.until(measured)


def test_no_server_for_long():
    """A Wi-Fi that is there but for a minute is no reason to open it."""
    _settings(server={"host": "127.0.0.1", "port": 1})
    Alarm(30 * MINUTE, world.networks.clear)
    Alarm(31 * MINUTE, lambda: world.networks.update({"Home": "password"}))
    with Console() as said:
        assert run(50 * MINUTE) is None
    assert not _opened(said), said


def test_battery():
    """It opens once, and the station sleeps on."""
    _settings(deep_sleep=True, interval=60)
    run(MINUTE)
    world.networks.clear()
    opened = 0
    for _ in range(60):
        with Console() as said:
            end = run(10 * MINUTE)
        assert isinstance(end, world.DeepSleep), end
        opened += _opened(said)
    assert opened == 1
    world.networks["Home"] = "password"
    for _ in range(80):  # It looks again after an hour and a quarter at most.
        run(MINUTE)
    bodies()
    for _ in range(3):  # A waking may end a moment after its minute.
        run(MINUTE)
    assert bodies()
    # It is there again for the next time.
    world.networks.clear()
    for _ in range(30):
        with Console() as said:
            run(10 * MINUTE)
        opened += _opened(said)
    assert opened == 2


def test_broken_settings_are_no_reason():
    """A fault in config.json is for whoever has edited it: it is said as before."""
    with open("config.json", "w") as file:
        file.write("{")
    with Console() as said:
        assert run(MINUTE) is None
    assert not _opened(said)


def test_password_of_the_portal():
    from esp_weather import config as settings

    for password in ("short", "x" * 64):
        config(portal=password)
        assert raises(ValueError, settings.load) == (
            "config.json: portal has 8 to 63 letters"
        )
    config(portal="secret password")
    assert settings.load()["portal"] == "secret password"


def test_form_keeps_what_is_there():
    """The key stays only where it cannot be had with a network of one's own."""
    from esp_weather import form

    settings = config(signed=True, interval=30, led=None)
    fields = {"ssid": "New", "password": "new password"}
    changed = form.change(settings, fields)
    expected = dict(settings)
    expected["wifi"] = {"ssid": "New", "password": "new password"}
    assert changed == expected

    settings = config(signed=False)
    assert raises(form.FormError, form.change, settings, fields) == "bad_key"
    # With another key, it may be another Home Assistant.
    assert form.change(settings, dict(fields, key="another"))["server"] == {}
    settings = config(signed=False, portal="secret password")
    assert form.change(settings, fields)["key"] == settings["key"]
    # The same Wi-Fi needs no password again.
    settings = config(signed=True)
    assert form.change(settings, {"ssid": "Home"}) == settings


def test_page_is_escaped():
    """What a neighbour calls his network is no part of the page."""
    from esp_weather import page

    name = '"><script>alert(1)</script>&'
    known = {"ssid": name, "server": name, "keeps": False}
    for networks in ([name], []):
        text = "".join(page.form("en", "Title", "", networks, False, known))
        assert "<script>alert" not in text
        assert "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in text
    assert "no password" not in text


def test_settings_survive_a_failed_write():
    """A full flash leaves them as they are."""
    from esp_weather import settings

    before = config()
    world.faults["os.rename"] = world.faults["os.remove"] = OSError(28)
    try:
        settings.write({"key": "another"})
    except OSError:
        pass
    else:
        raise AssertionError
    world.faults.clear()
    with open("config.json") as file:
        assert json.load(file) == before


def test_settings_by_hand():
    """What has a default may be missing, and a group may be something else."""
    from esp_weather import form, portal

    assert portal._is_there({"host": "127.0.0.1"}) is False
    assert portal._is_there({"host": "127.0.0.1", "port": None}) is False
    config(wifi="Home", server=["127.0.0.1"])
    known = form.known()
    assert (known["wifi"], known["server"]) == ({}, {})
    assert portal.Portal(32).name == "ESP-Weather-2b0e68"
