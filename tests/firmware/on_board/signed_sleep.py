"""Signed reports of a station that sleeps deeply."""

from chips import MCP9808
from helpers import Console, answers, bodies, config, requests, run
import world

INTERVAL = 300_000


def _room():
    chip = MCP9808(lambda: (chip.readings + 1) / 16)
    world.i2c[5, 4] = {24: chip}
    world.association_ms = 2_000
    config(signed=True, deep_sleep=True, interval=INTERVAL // 1000)
    return chip


def _wake(times=1):
    """Let the station wake and sleep."""
    import time

    for _ in range(times):
        end = run(2 * 60_000)
        assert isinstance(end, world.DeepSleep), end
        time.sleep_ms(end.args[0])


def test_nonce_is_kept():
    """But for the first, a waking needs one connection."""
    _room()
    _wake(4)
    assert len(requests()) == 1 + 4
    assert len(world.rtc_memory) == 60


def test_outage():
    """It measures on, tries ever more rarely, and delivers all with its age."""
    chip = _room()
    answers("503")
    with Console() as said:
        _wake(30)
    assert 4 <= said.count("The server: 503") <= 10
    answers("200")
    _wake(15)  # At most an hour and a quarter later, and 54 readings fit
    readings = []
    last = [body for body in bodies() if body["readings"]]
    for body in last:
        if not readings or body["readings"][0]["value"] > readings[-1]["value"]:
            readings += body["readings"]
    assert [each["value"] for each in readings] == [
        number / 16 for number in range(1, chip.readings + 1)
    ]
    # All but those that came when it reported at each waking again
    kept = [each["age"] for each in readings if each["age"] >= 60]
    assert len(kept) >= 30
    for older, newer in zip(kept, kept[1:]):
        assert 299 <= older - newer <= 313, (older, newer)
    assert "uptime" not in last[-1]["status"]


def test_full():
    """54 readings fit into the memory of the RTC; then the oldest are lost."""
    chip = _room()
    world.networks = {}
    with Console() as said:
        _wake(60)
    assert len(world.rtc_memory) == 492
    assert said.count("The memory is full: the oldest readings will be lost") == 1
    world.networks = {"Home": "password"}
    _wake(15)
    values = [each["value"] for body in bodies()[1:] for each in body["readings"]]
    assert values == [
        number / 16
        for number in range(chip.readings - len(values) + 1, chip.readings + 1)
    ]
    assert 54 <= len(values) <= 54 + 15


def test_refused():
    """All is kept."""
    chip = _room()
    answers("403")
    _wake(3)
    answers("200")
    _wake()
    assert [each["value"] for each in bodies()[-1]["readings"]] == [
        number / 16 for number in range(1, chip.readings + 1)
    ]
