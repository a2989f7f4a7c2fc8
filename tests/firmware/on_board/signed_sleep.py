"""Signed reports of a station that sleeps deeply."""

import json

from helpers import Console, Warming, answers, bodies, config, requests, run, stored
import world

INTERVAL = 300_000
MINUTE = 60_000


def _room():
    room = Warming()
    world.association_ms = 2_000
    config(signed=True, deep_sleep=True, interval=INTERVAL // 1000)
    return room


def _wake(times=1):
    """Let the station wake and sleep."""
    import time

    for _ in range(times):
        end = run(6 * 60_000)  # The portal is open for 5 minutes.
        assert isinstance(end, world.DeepSleep), end
        time.sleep_ms(end.args[0])


def test_nonce_is_kept():
    """Each waking except the first needs one connection."""
    _room()
    _wake(4)
    assert len(requests()) == 1 + 4


def _cost():
    """Let the station wake once; return what that cost: readings, requests, bytes, ms.

    The time is that of its waits: what the chip takes to start and to reckon comes to it.
    """
    with Console() as said:
        _wake()
    awake = sum([int(line.split(" ")[4]) for line in said if line.startswith("wake")])
    sent = requests()
    readings = [
        len(json.loads(each.split("\r\n\r\n", 1)[1])["readings"]) for each in sent
    ]
    return sum(readings), len(sent), sum(len(each) for each in sent), awake


def test_what_a_waking_costs():
    """The table "On a battery" in docs/firmware.md: always one request."""
    _room()
    _wake(2)
    requests()
    for _ in range(5):
        count, asked, size, awake = _cost()
        assert (count, asked) == (1, 1)
        assert size <= 660, size
        assert awake <= 2_100, awake
    print("one reading:", asked, "request of", size, "bytes, awake for", awake, "ms")
    for _ in range(200):
        # How long it goes on to keep them after an outage is a matter of chance.
        world.networks = {}
        _wake(5)
        world.networks = {"Home": "password"}
        cost = (0, 0, 0, 0)
        while not cost[0]:
            cost = _cost()
        if cost[0] == 1 + 10:
            break
    print("and ten kept ones: %d, requests %d, bytes %d, awake for %d ms" % cost)
    assert cost[:2] == (1 + 10, 1)
    assert cost[2] <= 1_060, cost
    assert cost[3] <= 2_100, cost


def test_outage():
    """It keeps measuring, tries less often, and delivers everything with its age."""
    room = _room()
    answers("503")
    with Console() as said:
        _wake(30)
    assert 4 <= said.count("The server: 503") <= 10
    answers("200")
    _wake(15)  # At most an hour and a quarter later, and 51 readings fit
    readings = []
    last = bodies()
    for body in last:
        if not readings or body["readings"][0]["value"] > readings[-1]["value"]:
            readings += body["readings"]
    assert [each["value"] for each in readings] == room.until(len(room.measured))
    room.ages_are_right(last)
    # All but those that came when it reported at each waking again
    assert len([each for each in readings if each["age"] >= 60]) >= 30
    for older, newer in zip(room.measured, room.measured[1:]):
        assert newer - older == INTERVAL, (older, newer)
    assert "uptime" not in last[-1]["status"]


def test_full():
    """51 readings fit into the memory of the RTC; then the oldest are lost."""
    room = _room()
    world.networks = {}
    with Console() as said:
        _wake(60)
    assert len(world.rtc_memory) == 490
    assert said.count("The memory is full: the oldest readings will be lost") == 1
    world.networks = {"Home": "password"}
    _wake(15)
    delivered = bodies()[1:]
    values = [each["value"] for body in delivered for each in body["readings"]]
    last = len(room.measured)
    assert values == room.until(last, last - len(values) + 1)
    room.ages_are_right(delivered)
    assert 51 <= len(values) <= 51 + 15


def test_refused():
    """All readings are kept; the station asks every 5 minutes."""
    room = _room()
    config(signed=True, deep_sleep=True, interval=60, key="another")
    with Console() as said:
        _wake(11)
    assert said.count("The server refuses this station: key or MAC address? 401") == 3
    answers("200")
    config(signed=True, deep_sleep=True, interval=60)
    run(MINUTE)
    _wake(5)
    assert stored() == room.until(len(room.measured))
