"""The life of a station that sleeps deeply between its reports."""

from chips import MCP9808
from helpers import Console, answers, config, reports, requests, run
import world


def _wake(minutes=2):
    """Let the station live from its start to its sleep; return how long that is."""
    end = run(minutes * 60_000)
    assert isinstance(end, world.DeepSleep), end
    return end.args[0]


def _room():
    world.i2c[5, 4] = {24: MCP9808(21.0625)}
    config(deep_sleep=True, interval=300)
    world.association_ms = 2_000


def test_sleeps_between_reports():
    _room()
    # After power-on it stays awake a while, for whoever wants to copy files.
    first = _wake()
    assert 285_000 < first < 289_000
    for _ in range(5):
        # It measures while the Wi-Fi connects.
        rest = _wake()
        assert 297_900 <= rest <= 298_000, rest
    assert reports() == [(1, 21.0625)] * 6


def test_counts_over_sleeps():
    _room()
    with Console() as said:
        for _ in range(3):
            _wake()
    wakes = [line.split(" ")[1] for line in said if line.startswith("wake")]
    assert wakes == ["0", "1", "2"]
    assert len(world.rtc_memory) <= 492


def test_flash_is_spared():
    """The credentials go into the flash once and not at each waking."""
    _room()
    for _ in range(10):
        _wake()
    assert len(reports()) == 10
    # The own network is switched off and the other one on, and the credentials are set.
    assert world.flash_writes() == 3


def test_credentials_changed():
    """The next attempt uses the new credentials."""
    _room()
    _wake()
    world.networks = {"Home": "new password"}
    config(deep_sleep=True, wifi={"ssid": "Home", "password": "new password"})
    _wake()
    assert len(reports()) == 2
    assert world.calls["WLAN.connect with credentials"] == 2


def test_no_server():
    """Its sleeps grow up to the longest that the chip can do."""
    _room()
    answers("503")
    rests = [_wake() for _ in range(8)]
    for rest, usual in zip(rests, (600, 1200, 2400, 3600, 3600, 3600, 3600, 3600)):
        # All fail after some 20 seconds awake, the first after 10 more.
        assert 0.75 * usual - 33 <= rest / 1000 <= 1.25 * usual, rests
    answers("200")
    # After the eighth failure a start looks for Home Assistant and does nothing else.
    assert _wake() == 60_000
    assert 290_000 < _wake() < 299_000


def test_awake_time_is_limited():
    _room()
    world.networks = {}
    with Console() as said:
        _wake()
        _wake()
    awake = [int(line.split(" ")[4]) for line in said if line.startswith("wake")]
    assert awake[1] <= 21_000, awake


def test_longest_interval():
    _room()
    config(deep_sleep=True, interval=4200)
    answers("503")
    for _ in range(5):
        assert _wake() <= 4_200_000


def test_refused():
    _room()
    config(deep_sleep=True, interval=10)
    answers("403")
    _wake()
    assert 295_000 < _wake() <= 300_000
    assert len(requests()) == 2


def test_missing_sensor_is_said_once():
    _room()
    world.i2c[5, 4] = {}
    with Console() as said:
        _wake()
        _wake()
        world.i2c[5, 4] = {24: MCP9808(5)}
        _wake()
    assert len([line for line in said if "cannot be read" in line]) == 1
    assert len([line for line in said if "is there again" in line]) == 1


def test_foreign_memory():
    """Data of another program in the RTC's memory is ignored."""
    _room()
    for memory in (b"", b"something", b"12345678", bytes(492)):
        world.reset_cause = 5
        world.rtc_memory = memory
        # As after power-on
        assert 285_000 < _wake() < 289_000
    assert len(reports()) == 4
