"""The signed report: its signature, what is kept and sent later, and the status."""

from binascii import a2b_base64, hexlify, unhexlify
import os
import sys

from chips import MCP9808
from esp_weather import VERSION
from helpers import (
    Alarm,
    Console,
    Warming,
    answers,
    bodies,
    clock,
    config,
    control,
    requests,
    run,
    stored,
)
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
    from esp_weather.signature import hmac_sha256

    key = a2b_base64(
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtb"
        "mHhIDi6pcl8jsasjlTMtDQ=="
    )
    assert len(key) == 64
    signature = hmac_sha256(
        key,
        '"date": Tue, 20 Apr 2021 02:07:55 GMT\n',
        '"@authority": example.com\n',
        b'"content-type": application/json\n',
        '"@signature-params": ("date" "@authority" "content-type")'
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
    import sys

    body = sent[-1].split("\r\n\r\n", 1)[1]
    stream = body.split('"')[7]
    assert len(stream) == 8 and int(stream, 16)
    assert body == (
        '{"mac":"5c:cf:7f:2b:0e:68","stream":"%s","first":2,'
        '"readings":[{"field":1,"value":-0.0625,"age":0.0}],'
        '"status":{"firmware":"%s","interval":60,"rssi":-61,"uptime":120,'
        '"board":"%s"}}' % (stream, VERSION, sys.implementation._machine)
    )
    assert world.open_sockets == 0


def test_numbers():
    """Each reading has its own, in a stream that a power cut ends."""
    _room()
    config(signed=True)
    run(3 * MINUTE)
    assert isinstance(_reset(), world.Reset)
    run(2 * MINUTE)
    reports = bodies()
    firsts = [report["first"] for report in reports if report["readings"]]
    assert firsts == [0, 0, 1, 2, 3, 4], firsts
    assert len({report["stream"] for report in reports}) == 1
    world.reset_cause = 0
    world.rtc_memory = bytearray()
    run(MINUTE)
    last = bodies()[-1]
    assert last["stream"] != reports[0]["stream"] and last["first"] == 0


def _reset():
    import machine

    try:
        machine.reset()
    except world.Reset as end:
        return end


def test_fields():
    """They are declared at the start, and after each 401."""
    from chips import DS18B20

    _room()
    world.wires[12] = [DS18B20(b"\x28\xff\x64\x1e\x0f\x2b\x0e\x68", -3.5)]
    config(
        signed=True,
        sensors=[
            {"type": "mcp9808", "field": 2, "scl": 5, "sda": 4},
            {"type": "ds18b20", "field": 9, "pin": 12},
        ],
    )
    Alarm(3 * MINUTE - 5000, lambda: control("CRASH"))
    run(5 * MINUTE)
    declared = [report.get("fields") for report in bodies()]
    kind = {"kind": "temperature", "unit": "°C"}
    assert declared[0] == declared[1] == {"2": kind, "9": kind}
    # The crash comes before the fourth round: its first request has no valid nonce.
    assert [index for index, each in enumerate(declared) if each] == [0, 1, 5], declared


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
    """The station keeps measuring in an outage, and delivers everything with its age."""
    room = Warming()
    answers("503")
    config(signed=True)
    Alarm(179 * MINUTE + 1000, lambda: answers("200"))
    with Console() as said:
        assert run(181 * MINUTE) is None
    delivered = bodies()
    assert stored() == room.until(181)
    room.ages_are_right(delivered)
    for last, this in zip(room.measured, room.measured[1:]):
        # A round whose last attempt comes close to its end is over when the LED has
        # blinked, 4 times 0.4 s. In such an outage that makes some 14 s.
        assert MINUTE <= this - last < MINUTE + 1600, (last, this)
    assert max(len(report[READINGS]) for report in delivered) == 12
    assert said.count("The server: 503") == 1


def test_outage_that_is_too_long():
    """The oldest readings are lost, which is printed once per start."""
    room = Warming()
    config(signed=True, interval=5)
    world.networks.clear()
    Alarm(170 * MINUTE, lambda: world.networks.update({"Home": "password"}))
    Alarm(171 * MINUTE)
    with Console() as said:
        while run(2000 * MINUTE):  # It starts anew now and then.
            pass
    last = len(room.measured)
    kept = [at for at in room.measured if at <= room.sent[0]][-1440:]
    # The first of the reports had no nonce.
    delivered = bodies()[1:]
    values = _values(delivered)
    assert values == room.until(last, room.measured.index(kept[0]) + 1), (
        values[0],
        len(values),
        last,
    )
    room.ages_are_right(delivered)
    assert said.count("The memory is full: the oldest readings will be lost") == 1
    # That is when the portal opens.
    assert said.count("No Wi-Fi for long: reset") == 3


def test_clock():
    """It survives the wrap-around of the ticks and adds up fractions of its step."""
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
    assert buffer.reading(0, clock.now()) == (9, -40.5, 30 * 864_000 + 109)
    assert buffer.reading(1, clock.now()) == (1, 2.5, 109)


def test_buffer():
    """Ages are right for 310 days, and what is taken is kept until it is stored."""
    from esp_weather.buffer import Buffer

    def readings():
        return [buffer.reading(index, last + 12) for index in range(buffer.count)]

    buffer = Buffer(3)
    last = (1 << 28) - 1
    for number in range(5):
        buffer.append(number + 1, number, last - 2 + number)
    assert readings() == [(3, 2.0, 12), (4, 3.0, 11), (5, 4.0, 10)]
    assert (buffer.number, buffer.taken) == (2, 0)
    buffer.stored(4)  # None of them counts as taken.
    assert buffer.count == 3
    buffer.taken = 2
    buffer.stored(1)
    assert (buffer.count, buffer.taken) == (3, 2)
    buffer.stored(2)
    assert (buffer.number, buffer.count, buffer.taken) == (3, 2, 1)
    buffer.stored(99)
    assert (buffer.number, buffer.count, buffer.taken) == (4, 1, 0)
    assert readings() == [(5, 4.0, 10)]
    buffer.append(6, 5, last)
    buffer.taken = 2
    buffer.append(7, 6, last)
    buffer.append(8, 7, last)  # The oldest one, which was taken, is displaced.
    assert (buffer.number, buffer.count, buffer.taken) == (5, 3, 1)


def test_memory():
    """Readings are kept in order; if there are too many, the newest."""
    from esp_weather.buffer import Buffer
    from esp_weather.memory import Memory
    from esp_weather.recall import restore

    for count, in_file, capacity, kept in (
        (0, False, 9, 0),
        (7, False, 9, 7),
        (7, False, 5, 5),
        (60, False, 99, 51),
        (60, True, 99, 60),
        (60, True, 40, 40),
    ):
        world.reset_cause = 0
        memory = Memory()
        buffer = Buffer(99)
        for number in range(30 + count):
            buffer.append(1, number, number)
        buffer.drop(30)
        buffer.taken = min(count, 20)
        memory.nonce = "a nonce"
        memory.tenths = (1 << 32) + 5
        memory.save(buffer, in_file)
        world.reset_cause = 4
        memory = Memory()
        assert (memory.nonce, memory.tenths) == ("a nonce", 5)
        copy = Buffer(capacity)
        restore(memory, copy)
        values = [copy.reading(index, 0)[1] for index in range(copy.count)]
        first = 30 + count - kept
        assert values == list(range(first, 30 + count))
        assert copy.number == first
        assert copy.taken == max(0, min(count, 20) - (count - kept))


def test_damaged_file():
    """If the file is damaged, the readings in the RTC are used."""
    from esp_weather.buffer import Buffer
    from esp_weather.memory import Memory
    from esp_weather.recall import restore

    for damage in (
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data + b"x",
        lambda data: b"\x55" + data[1:],
        lambda data: None,
    ):
        memory = Memory()
        buffer = Buffer(60)
        for number in range(60):
            buffer.append(1, number, number)
        memory.save(buffer, in_file=True)
        with open("readings.bin", "rb") as file:
            data = damage(file.read())
        os.remove("readings.bin")
        if data is not None:
            with open("readings.bin", "wb") as file:
                file.write(data)
        world.reset_cause = 4
        copy = Buffer(60)
        restore(Memory(), copy)
        assert (copy.count, copy.number, copy.reading(0, 0)[1]) == (51, 9, 9.0)


def test_brown_out():
    """Garbage in the RTC's memory after a brown-out is discarded."""
    import random

    _room()
    config(signed=True)
    run(2 * MINUTE)
    good = bytes(world.rtc_memory)
    for index in list(range(90)) + [489]:
        bad = bytearray(good)
        bad[index] ^= 1 << random.getrandbits(3)
        world.rtc_memory = bad
        from esp_weather.memory import Memory

        world.reset_cause = 4
        memory = Memory()
        assert (memory.nonce, memory.count, memory.stream) == ("", 0, bytes(4)), index
    for memory in (bytes(490), b"\xff" * 490, b"\xff" * 492, b"x" * 60, b""):
        world.rtc_memory = bytearray(memory)
        world.reset_cause = 4
        assert run(2 * MINUTE) is None
    assert len(bodies()) > 12


def test_bad_reading():
    """A signed 400 drops that reading and no other."""
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
    assert sent == [[one, two, three], [one], [two, three], [two], [three], [four]]
    assert "The server does not take field 1 = 0.125 400" in said
    room.ages_are_right(reports)


def test_refused_reading():
    """A reading that its field cannot have counts as done, and its reason is said."""
    _room()
    answers("refuse all", "200")
    config(signed=True)
    with Console() as said:
        run(3 * MINUTE)
    assert "The server does not take field 1 = 21.0625 outside of its range" in said
    assert said.count("field 1 = 21.0625") == 2
    assert len(bodies()) == 1 + 3


def test_lost_answer():
    """The same readings go again with their numbers, and are stored once."""
    room = Warming()
    answers("200", "reset in the body", "200")
    config(signed=True)
    run(4 * MINUTE)
    reports = bodies()
    assert [report["first"] for report in reports] == [0, 0, 1, 1, 0, 2, 3], reports
    assert stored() == room.until(4)
    room.ages_are_right(reports)


def test_server_begins_anew():
    """Readings that a killed server had only in memory are sent again."""
    room = Warming()
    config(signed=True)
    for minute in range(3, 30, 4):
        Alarm(minute * MINUTE - 5000, lambda: control("CRASH"))
    run(31 * MINUTE)
    assert stored() == room.until(31)


def test_no_sensor():
    """Without any readings, the status says that the station is there."""
    _room()
    world.i2c[5, 4] = {}
    config(signed=True)
    run(5 * MINUTE)
    reports = bodies()
    assert len(reports) == 1 + 5
    assert all(report["readings"] == [] for report in reports)
    assert reports[-1]["status"]["uptime"] == 240


def test_settings():
    """A signed answer changes the interval, once and for good."""
    import json

    _room()
    config(signed=True)
    control('SETTINGS {"interval": 30}')
    with Console() as said:
        run(3 * MINUTE)
    assert said.count("The server wants one reading every 30 s") == 1
    assert bodies()[-1]["status"]["interval"] == 30
    with open("config.json") as file:
        assert json.load(file)["interval"] == 30
    control("SETTINGS {}")
    run(3 * MINUTE)
    assert len(bodies()) == 6
    for wrong in ("0", "-5", "86401", '"60"', "null", "1.5"):
        control('SETTINGS {"interval": %s}' % wrong)
        with Console() as said:
            run(MINUTE)
        assert any("wrong interval" in line for line in said), wrong
        assert bodies()[-1]["status"]["interval"] == 30


def test_settings_that_cannot_be_written():
    """They hold until the next start, and the old file stays."""
    import json

    _room()
    config(signed=True)
    control('SETTINGS {"interval": 30}')
    world.faults["os.rename"] = world.faults["os.remove"] = OSError(28)
    with Console() as said:
        run(3 * MINUTE)
    assert any("cannot be written" in line for line in said)
    assert bodies()[-1]["status"]["interval"] == 30
    with open("config.json") as file:
        assert json.load(file)["interval"] == 60


def test_refused():
    """A second 401 is printed; the station asks every 5 minutes and keeps all readings."""
    room = Warming()
    config(signed=True, key="another")
    with Console() as said:
        run(11 * MINUTE)
    assert len(bodies()) == 3 * 2
    assert len(room.measured) == 11
    assert said.count("The server refuses this station: key or MAC address? 401") == 1
    config(signed=True)
    run(MINUTE)
    assert stored() == room.until(12)


def test_hostile_server():
    """After any answer the station goes on, closes its socket, and loses no reading."""
    config(signed=True)
    world.association_ms = 0
    names, good = control("NAMES")
    room = Warming()
    for name in names:
        before = len(room.measured)
        world.pace = 300 if name == "drip" else 0
        answers(name, "200")
        began = clock()
        with Console() as said:
            assert run(MINUTE) is None, name
        world.pace = 0
        # One more, which confirms all, and a restart loses nothing.
        assert run(MINUTE) is None, name
        assert clock() - began < 3 * MINUTE, name
        assert world.open_sockets == 0, name
        assert stored() == room.until(len(room.measured)), name
        is_good = any(line.startswith("field 1 =") for line in said)
        assert len(room.measured) - before == 2, name
        if name not in good:
            assert any("The server" in line for line in said), name
        assert is_good, name


def test_long_answer():
    """Only a limited part of an endless answer is read."""
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
    """A station without answers restarts, and keeps all readings."""
    room = Warming()
    config(signed=True, server={"host": "127.0.0.1", "port": 1})
    assert isinstance(run(100 * MINUTE), world.Reset)
    before = len(room.measured)
    assert before in (60, 61)  # The last attempt ends before the next minute, or not.
    assert os.stat("readings.bin")
    # It looks for Home Assistant first.
    assert isinstance(run(MINUTE), world.Reset)
    config(signed=True)
    run(MINUTE)
    delivered = bodies()[1:]
    assert _values(delivered) == room.until(before + 1)
    room.ages_are_right(delivered)
    assert delivered[-1]["status"]["uptime"] == 0
    assert "readings.bin" not in os.listdir()
    assert "esp_weather.legacy" not in sys.modules


def test_power_cut():
    """Kept readings are dropped after a power cut, since their time is lost."""
    _room()
    config(signed=True, server={"host": "127.0.0.1", "port": 1})
    assert isinstance(run(100 * MINUTE), world.Reset)
    world.reset_cause = 0
    config(signed=True)
    run(MINUTE)
    assert len(_values(bodies()[1:])) == 1
    assert "readings.bin" not in os.listdir()
