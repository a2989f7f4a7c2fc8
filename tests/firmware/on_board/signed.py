"""The signed report: its signature, what is kept and sent later, and the status."""

from binascii import a2b_base64, hexlify, unhexlify
import os
import sys

from chips import MCP9808
from helpers import Alarm, Console, Warming, answers, bodies, config, requests, run
import world

MINUTE = 60_000
READINGS = "readings"


def _room(celsius=21.0625):
    chip = MCP9808(celsius)
    world.i2c[5, 4] = {24: chip}
    return chip


def _values(reports):
    return [each["value"] for report in reports for each in report[READINGS]]


def test_hmac():
    """The vectors of RFC 4231, section 4.2 to 4.6."""
    from esp_weather.signature import hmac_sha256

    for key, data, expected in (
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 20,
            b"\xdd" * 50,
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            bytes(range(1, 26)),
            b"\xcd" * 50,
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            b"\x0c" * 20,
            b"Test With Truncation",
            "a3b6167473100ee06e0c796c2955552b",
        ),
    ):
        digest = hexlify(hmac_sha256(key, data)).decode()
        assert digest[: len(expected)] == expected, digest
    assert unhexlify(digest) != hmac_sha256(b"\x0c" * 19, b"Test With Truncation")


def test_signature():
    """The example of RFC 9421, B.2.5, with a key of 64 bytes, the longest."""
    from esp_weather.signature import sign

    key = a2b_base64(
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtb"
        "mHhIDi6pcl8jsasjlTMtDQ=="
    )
    assert len(key) == 64
    signature = sign(
        key,
        '"date": Tue, 20 Apr 2021 02:07:55 GMT\n'
        '"@authority": example.com\n'
        '"content-type": application/json\n',
        '("date" "@authority" "content-type")'
        ';created=1618884473;keyid="test-shared-secret"',
    )
    assert signature == a2b_base64("pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=")


def test_report():
    """The first is refused for want of a nonce; then each brings the next."""
    _room(-0.0625)
    config(signed=True)
    assert run(3 * MINUTE) is None
    sent = requests()
    assert len(sent) == 4
    assert sent[0].startswith("POST /api/esp_weather/report HTTP/1.1\r\n")
    assert "PHDNGI2345" not in sent[0]
    assert ';nonce=""' in sent[0]
    assert len({each.split(";nonce=")[1][:50] for each in sent}) == 4
    assert sent[-1].split("\r\n\r\n", 1)[1] == (
        '{"mac":"5c:cf:7f:2b:0e:68",'
        '"readings":[{"field":1,"value":-0.0625,"age":0.0}],'
        '"status":{"firmware":"0.2.0","rssi":-61,"uptime":120}}'
    )
    assert world.open_sockets == 0


def test_several_fields():
    _room()
    world.i2c[5, 4][25] = MCP9808(5)
    config(
        signed=True,
        sensors=[
            {"type": "mcp9808", "field": 1, "scl": 5, "sda": 4},
            {"type": "mcp9808", "field": 9, "scl": 5, "sda": 4, "address": 25},
        ],
    )
    run(MINUTE)
    last = bodies()[-1][READINGS]
    assert [(each["field"], each["value"]) for each in last] == [(1, 21.0625), (9, 5)]


def test_outage():
    """What cannot be delivered is measured on, and delivered with its age."""
    room = Warming()
    answers("503")
    config(signed=True)
    Alarm(179 * MINUTE + 1000, lambda: answers("200"))
    with Console() as said:
        assert run(181 * MINUTE) is None
    delivered = bodies()[1:]  # The first had a nonce that was used.
    assert _values(delivered) == room.until(181)
    room.ages_are_right(delivered)
    for last, this in zip(room.measured, room.measured[1:]):
        # A round whose last attempt comes close to its end is over when the LED has
        # blinked, 4 times 0.4 s. In such an outage that makes some 14 s.
        assert MINUTE <= this - last < MINUTE + 1600, (last, this)
    assert max(len(report[READINGS]) for report in delivered) == 12
    assert said.count("The server: 503") == 1


def test_outage_that_is_too_long():
    """The oldest readings are lost, and that is said once."""
    room = Warming()
    config(signed=True)
    world.networks.clear()
    Alarm(260 * MINUTE - 5000, lambda: world.networks.update({"Home": "password"}))
    Alarm(261 * MINUTE)
    with Console() as said:
        while run(999 * MINUTE):  # It starts anew now and then.
            pass
    last = len(room.measured)
    kept = [at for at in room.measured if at <= room.sent[0]][-240:]
    # The first of the reports had no nonce.
    delivered = bodies()[1:]
    assert _values(delivered) == room.until(last, room.measured.index(kept[0]) + 1)
    room.ages_are_right(delivered)
    assert said.count("The memory is full: the oldest readings will be lost") == 1


def test_clock():
    """It goes on when the ticks go around, and counts what is less than its step."""
    import time

    from esp_weather.buffer import Buffer
    from esp_weather.clock import Clock

    clock = Clock(500)
    buffer = Buffer(3)
    buffer.append(9, -40.5, clock.now())
    for _ in range(30):
        time.sleep_ms(86_400_000)
        clock.now()
    buffer.append(1, 2.5, clock.now())
    for _ in range(333):
        time.sleep_ms(33)
        clock.now()
    assert clock.now() == 500 + 30 * 864_000 + 333 * 33 // 100
    assert clock.uptime() == (30 * 864_000 + 109) // 10
    assert buffer.oldest(3, clock.now()) == [
        (9, -40.5, 30 * 864_000 + 109),
        (1, 2.5, 109),
    ]


def test_buffer():
    """Ages are right for 310 days, and what is kept is in its order."""
    from esp_weather.buffer import Buffer

    buffer = Buffer(3)
    last = (1 << 28) - 1
    for number in range(5):
        buffer.append(number + 1, number, last - 2 + number)
    expected = [(3, 2.0, 12), (4, 3.0, 11), (5, 4.0, 10)]
    assert buffer.oldest(9, last + 12) == expected
    copy = Buffer(3)
    copy.load(buffer.dump())
    assert copy.oldest(9, last + 12) == expected
    small = Buffer(2)
    small.load(buffer.dump())
    assert small.oldest(9, last + 12) == expected[1:]


def test_bad_reading():
    """400: that one is dropped, and no other."""
    room = Warming()
    answers("503")
    config(signed=True)
    # In the third round, which begins late if one before has blinked beyond its end
    Alarm(
        2 * MINUTE + 5000,
        lambda: answers("400", "200", "400", "400", "200"),
    )
    with Console() as said:
        run(4 * MINUTE)
    reports = bodies()
    sent = [_values([report]) for report in reports]
    one, two, three, four = room.until(4)
    assert sent[1:] == [[one, two, three], [one], [two, three], [two], [three], [four]]
    assert "The server does not take field 1 = 0.125 400" in said
    room.ages_are_right(reports)


def test_lost_answer():
    """The same readings go with the same nonce, and then with a new one."""
    room = Warming()
    answers("200", "nothing", "200")
    config(signed=True)
    run(2 * MINUTE)
    sent = requests()
    nonces = [each.split(';nonce="')[1][:48] for each in sent]
    # None, then a report, one without an answer, its repetition, and that again.
    assert len(sent) == 5
    assert nonces[2] == nonces[3] != nonces[4]
    last = bodies_of(sent[2:])
    assert _values(last) == room.until(2, 2) * 3
    room.ages_are_right(last)


def bodies_of(sent):
    import json

    return [json.loads(each.split("\r\n\r\n", 1)[1]) for each in sent]


def test_busy_after_a_lost_answer():
    """A nonce that comes with "not now" does not hide that the answer was lost."""
    _room()
    answers("200", "nothing", "503", "200")
    config(signed=True)
    # As a server that has just started: it looks at no nonce.
    run(2 * MINUTE)
    nonces = [each.split(';nonce="')[1][:48] for each in requests()]
    assert nonces[2] == nonces[3]


def test_refused():
    """401 again with the new nonce: it is said, and all is kept."""
    room = Warming()
    config(signed=True, key="another")
    with Console() as said:
        run(11 * MINUTE)
    assert len(bodies()) == 3 * 2
    assert said.count("The server refuses this station: key or MAC address? 401") == 1
    config(signed=True)
    run(MINUTE)
    assert _values(bodies()[-1:]) == room.until(4, 4)


def test_refused_for_a_while():
    room = Warming()
    answers("403", "403", "200")
    config(signed=True)
    run(11 * MINUTE)
    last = bodies()[-1:]
    assert _values(last) == room.until(3)
    room.ages_are_right(last)


def test_bad_answers():
    """Whatever comes back, it is sent again, once it works, and nothing else breaks."""
    for answer in ("garbage", "not http", "no number", "half", "302", "500", "413"):
        _room()
        answers(answer, "200")
        config(signed=True)
        assert run(MINUTE) is None
        assert _values(bodies()[-1:]) == [21.0625], answer
        assert world.open_sockets == 0


def test_long_answer():
    """Of an answer without end only so much is read."""
    _room()
    answers("long")
    config(signed=True)
    assert run(3 * MINUTE) is None
    assert world.open_sockets == 0


def test_battery():
    _room()
    world.volts[0] = 0.65
    config(signed=True, battery={"pin": 0, "full_scale": 5.7})
    run(MINUTE)
    assert bodies()[-1]["status"]["battery"] == 3.7


def test_battery_of_an_esp32():
    import board_sys

    board_sys.platform = "esp32"
    _room()
    world.volts[35] = 1.85
    config(signed=True, battery={"pin": 35, "full_scale": 6.6})
    run(MINUTE)
    assert bodies()[-1]["status"]["battery"] == 3.7


def test_reset():
    """A station that is alone for long starts anew and knows all that it measured."""
    room = Warming()
    config(signed=True, server={"host": "127.0.0.1", "port": 1})
    assert isinstance(run(100 * MINUTE), world.Reset)
    assert len(room.measured) == 60
    assert os.stat("readings.bin")
    config(signed=True)
    run(MINUTE)
    delivered = bodies()[1:]
    assert _values(delivered) == room.until(61)
    room.ages_are_right(delivered)
    assert delivered[-1]["status"]["uptime"] == 0
    assert "readings.bin" not in os.listdir()
    assert "esp_weather.legacy" not in sys.modules


def test_power_cut():
    """What was kept has no time any more after a power cut."""
    _room()
    config(signed=True, server={"host": "127.0.0.1", "port": 1})
    assert isinstance(run(100 * MINUTE), world.Reset)
    world.reset_cause = 0
    config(signed=True)
    run(MINUTE)
    assert len(_values(bodies()[1:])) == 1
    assert "readings.bin" not in os.listdir()
