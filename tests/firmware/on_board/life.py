"""The life of a station that is always on."""

import gc
import socket
import time

from chips import DS18B20, MCP9808
from helpers import (
    PORT,
    Alarm,
    Console,
    answers,
    blinks,
    config,
    control,
    reports,
    requests,
    run,
)
import world

MINUTE = 60_000


def _room(celsius=21.0625):
    chip = MCP9808(celsius)
    world.i2c[5, 4] = {24: chip}
    return chip


def test_report():
    """The request is valid HTTP and has the board's own MAC."""
    _room(-0.0625)
    config()
    assert run(MINUTE) is None
    assert requests() == [
        "GET /update/API_key=PHDNGI2345/mac=5c:cf:7f:2b:0e:68/field=1/data=-0.0625"
        " HTTP/1.1\r\n"
        "Host: 127.0.0.1:%d\r\n"
        "User-Agent: esp-weather/0.3.0\r\n"
        "Accept: text/plain\r\n"
        "Connection: close\r\n"
        "\r\n" % PORT
    ]
    assert world.open_sockets == 0


def test_names():
    _room()
    config()
    run(MINUTE)
    assert world.hostname == "esp-weather-2b0e68"


def test_own_network_is_switched_off():
    import network

    _room()
    config()
    assert network.WLAN(network.AP_IF).active()
    run(MINUTE)
    assert not network.WLAN(network.AP_IF).active()


def test_interval():
    """It reports every minute, over hours in which the clock wraps around."""
    chip = _room()
    config()
    assert run(180 * MINUTE) is None
    assert reports() == [(1, 21.0625)] * 180
    assert chip.readings == 180
    assert world.open_sockets == 0


def test_a_day_and_more():
    """It still reports after the clock has wrapped around."""
    _room()
    config(interval=1800)
    assert run(30 * 60 * MINUTE) is None
    assert len(reports()) == 60


def test_several_sensors():
    _room()
    world.wires[12] = [DS18B20(b"\x28\xff\x64\x1e\x0f\x2b\x0e\x68", -3.5)]
    config(
        sensors=[
            {"type": "mcp9808", "field": 2, "scl": 5, "sda": 4},
            {"type": "ds18b20", "field": 9, "pin": 12},
        ]
    )
    run(MINUTE)
    assert reports() == [(2, 21.0625), (9, -3.5)]


def test_bme280_reports_three_fields():
    from chips import BME280

    world.i2c[5, 4] = {
        118: BME280(
            (
                27504,
                26435,
                -1000,
                36477,
                -10685,
                3024,
                2855,
                140,
                -7,
                15500,
                -14600,
                6000,
                75,
                370,
                0,
                305,
                50,
                30,
            ),
            (519888, 28_000, 415148),
        )
    }
    config(sensors=[{"type": "bme280", "field": 4, "scl": 5, "sda": 4}])
    run(MINUTE)
    celsius, percent, hectopascal = reports()
    assert celsius == (4, 25.08)
    assert percent[0] == 5 and 0 < percent[1] < 100
    assert hectopascal[0] == 6 and abs(hectopascal[1] - 1006.5325) < 0.001


def test_busy_server():
    """503: the reading is kept and sent again, ever more slowly."""
    _room()
    answers("503", "503", "503", "200")
    config()
    with Console() as said:
        run(MINUTE)
    assert reports() == [(1, 21.0625)] * 4
    assert said.count("The server: 503") == 1
    assert "field 1 = 21.0625" in said


def test_newest_reading_wins():
    """A reading that was not sent within the interval is dropped."""
    chip = _room(10)
    answers("503")
    config()
    # After the last attempt with the first reading, and before the second is measured
    Alarm(MINUTE + 200, lambda: (setattr(chip, "temperature", 20), answers("200")))
    run(2 * MINUTE)
    assert reports() == [(1, 20.0)]


def test_attempts_become_rare_and_irregular():
    _room()
    answers("503")
    times = []
    socket_of = socket.socket.connect

    def noted(stream, address):
        times.append(time.ticks_ms())
        socket_of(stream, address)

    socket.socket.connect = noted
    config(interval=3600)
    run(20 * MINUTE)
    pauses = [time.ticks_diff(b, a) for a, b in zip(times, times[1:])]
    for pause, usual in zip(pauses, [2000, 4000, 8000, 16000, 32000] + [60_000] * 99):
        assert 0.75 * usual <= pause <= 1.25 * usual, pauses
    assert len(pauses) > 15
    assert len(set(pauses[5:])) > 5, "no jitter"


def test_refused():
    """403 is printed, and the station keeps trying slowly."""
    _room()
    answers("403")
    config(
        sensors=[
            {"type": "mcp9808", "field": 1, "scl": 5, "sda": 4},
            {"type": "mcp9808", "field": 2, "scl": 5, "sda": 4},
        ]
    )
    with Console() as said:
        run(21 * MINUTE)
    assert len(requests()) == 5
    assert said.count("The server refuses this station: key or MAC address? 403") == 1
    assert blinks() == 5 * 5


def test_accepted_again():
    _room()
    answers("403", "200")
    config()
    run(8 * MINUTE)
    assert len(reports()) == 1 + 3


def test_bad_reading_is_dropped():
    """400: that reading is not sent again, the others are."""
    _room()
    answers("400", "200")
    config(
        sensors=[
            {"type": "mcp9808", "field": 1, "scl": 5, "sda": 4},
            {"type": "mcp9808", "field": 2, "scl": 5, "sda": 4},
        ]
    )
    with Console() as said:
        run(MINUTE)
    assert reports() == [(1, 21.0625), (2, 21.0625)]
    assert "The server does not take field 1 = 21.0625 400" in said


def test_bad_answers():
    """Any bad answer is followed by another attempt, and no socket is left open."""
    for answer in ("garbage", "not http", "no number", "half", "nothing", "302", "500"):
        _room()
        answers(answer, "200")
        config()
        assert run(MINUTE) is None
        assert reports() == [(1, 21.0625)] * 2, answer
        assert world.open_sockets == 0


def test_no_answer():
    """The time for an answer is limited, even if it arrives byte by byte."""
    for answer, pace in (("silent", 0), ("drip", 500)):
        world.pace = pace
        _room()
        answers(answer, "200")
        config()
        with Console() as said:
            run(MINUTE)
        assert any("ETIMEDOUT" in line for line in said), answer
        assert len(reports()) == 2
        assert world.open_sockets == 0


def test_long_answer():
    """Only what is needed of an answer is read."""
    _room()
    answers("long")
    config()
    gc.collect()
    free = gc.mem_free()
    run(10 * MINUTE)
    gc.collect()
    assert len(reports()) == 10
    assert gc.mem_free() > free - 75_000


def test_nobody_listens():
    """The station keeps trying while the server is switched off."""
    _room()
    config(server={"host": "127.0.0.1", "port": 1})
    with Console() as said:
        assert run(10 * MINUTE) is None
    assert len([line for line in said if "no answer" in line]) == 1, said
    assert world.open_sockets == 0


def test_network_that_hangs():
    """The Wi-Fi is switched off and on again, which helps where waiting does not."""
    _room()
    config()
    Alarm(5 * MINUTE - 5000, lambda: setattr(world, "is_deadlocked", True))
    assert run(30 * MINUTE) is None
    # It hangs from the fifth minute on; 15 minutes later it is mended.
    got = len(reports())
    assert 5 + 8 <= got <= 5 + 12, got


def test_reset_when_alone_for_long():
    _room()
    config(server={"host": "127.0.0.1", "port": 1})
    end = run(100 * MINUTE)
    assert isinstance(end, world.Reset)


def test_no_reset_while_the_server_answers():
    """A server that answers 503 for hours is still there."""
    _room()
    config()
    answers("503")
    assert run(150 * MINUTE) is None


def test_esp32():
    """There the LED hangs at the other side, and nothing is kept in the flash."""
    import board_sys
    import machine

    board_sys.platform = "esp32"
    _room()
    config(led=2, deep_sleep=True)
    world.i2c[5, 4] = {}
    for _ in range(3):
        assert isinstance(run(MINUTE), world.DeepSleep)
    assert world.calls["WLAN.connect with credentials"] == 3
    assert world.pins[2] == [0, 0, 0]
    assert machine.RTC().memory()


def test_unknown_name_of_the_server():
    _room()
    config(server={"host": "no.such.name.invalid", "port": PORT})
    assert run(3 * MINUTE) is None


def test_wrong_password():
    _room()
    world.networks["Home"] = "another"
    config()
    with Console() as said:
        run(4 * MINUTE + 20_000)  # It blinks at the end of each minute.
    assert said.count("Wi-Fi: wrong password") == 1
    assert requests() == []
    assert blinks() == 4 * 3


def test_network_out_of_reach():
    """The station does not wait for ever, and finds the network when it is there."""
    _room()
    world.networks = {}
    config()
    with Console() as said:
        Alarm(5 * MINUTE, lambda: world.networks.update({"Home": "password"}))
        run(8 * MINUTE)
    assert said.count("Wi-Fi: no such network in reach") == 1
    assert 3 <= len(reports()) <= 4


def test_network_that_breaks():
    """Reports resume when the Wi-Fi is back."""
    _room()
    config()
    Alarm(5 * MINUTE + 30_000, world.networks.clear)
    Alarm(9 * MINUTE + 30_000, lambda: world.networks.update({"Home": "password"}))
    assert run(14 * MINUTE) is None
    assert 6 + 4 <= len(reports()) <= 6 + 5


def test_slow_network():
    _room()
    world.association_ms = 8_000
    config()
    run(2 * MINUTE)
    assert len(reports()) == 2


def test_unplugged_sensor():
    """It is printed once, the other sensors go on, and it comes back."""
    chip = _room()
    world.i2c[5, 4][25] = MCP9808(5)
    config(
        sensors=[
            {"type": "mcp9808", "field": 1, "scl": 5, "sda": 4},
            {"type": "mcp9808", "field": 2, "scl": 5, "sda": 4, "address": 25},
        ]
    )
    Alarm(5 * MINUTE - 5000, lambda: world.i2c[5, 4].pop(24))
    Alarm(10 * MINUTE - 5000, lambda: world.i2c[5, 4].update({24: chip}))
    with Console() as said:
        run(15 * MINUTE)
    got = reports()
    assert got.count((1, 21.0625)) == 10
    assert got.count((2, 5.0)) == 15
    missing = [line for line in said if "cannot be read" in line]
    assert missing == ["mcp9808 of field 1 cannot be read: OSError [Errno 19] ENODEV"]
    assert said.count("mcp9808 of field 1 is there again") == 1
    assert blinks() == 5 * 6


def test_no_sensor_at_all():
    _room()
    world.i2c[5, 4] = {}
    config()
    assert run(10 * MINUTE) is None
    assert requests() == []


def test_sensor_that_fails_while_it_measures():
    chip = _room()
    chip.read = lambda register, count, read=chip.read: (
        {}[0] if register == 5 else read(register, count)
    )
    config()
    with Console() as said:
        assert run(3 * MINUTE) is None
    assert "mcp9808 of field 1 cannot be read: KeyError 0" in said


def test_a_fault_of_the_firmware():
    """It is printed, and the board restarts after a pause."""
    _room()
    config()
    run(MINUTE)
    start = time.ticks_ms()
    world.faults["WLAN"] = KeyError("a fault")
    assert isinstance(run(MINUTE), world.Reset)
    assert time.ticks_diff(time.ticks_ms(), start) >= 10_000


def test_watchdog():
    """A station that hangs is reset, and saves first; one that works never is."""
    from esp_weather.watchdog import Watchdog

    saved = []
    dog = Watchdog(lambda: saved.append(True))
    dog.start()
    for _ in range(100):
        time.sleep_ms(170_000)
        dog.feed()
    assert not saved
    try:
        for _ in range(200):
            time.sleep_ms(1_000)
    except world.Reset:
        pass
    else:
        raise AssertionError("it did not bite")
    assert saved
    dog.stop()
    assert world.timers == []


def test_watchdog_that_cannot_save():
    """It resets all the same."""
    from esp_weather.watchdog import Watchdog

    dog = Watchdog(lambda: {}[0])
    dog.start()
    try:
        for _ in range(200):
            time.sleep_ms(1_000)
    except world.Reset:
        return
    raise AssertionError("it did not bite")


def test_flash_is_spared():
    """A day without Wi-Fi, or without the server, costs some writes, and not hundreds."""
    for cut_off in ("wifi", "server"):
        _room()
        config(interval=600, server={"host": "127.0.0.1", "port": 1})
        if cut_off == "wifi":
            world.networks.clear()
        world.calls.clear()
        last = Alarm(24 * 60 * MINUTE)
        while run(48 * 60 * MINUTE):
            pass
        assert last.is_over
        # Each start configures the Wi-Fi at most once, and switches it at most once
        # off and on. It starts after 1, 3, 7 and 15 hours; without Wi-Fi, the portal
        # opens before it does.
        limit = 34 if cut_off == "wifi" else 20
        print("a day without", cut_off, "costs", world.flash_writes(), "writes")
        assert world.calls["WLAN.connect with credentials"] <= 6, world.calls
        assert world.flash_writes() <= limit, (cut_off, world.calls)


def test_slow_association():
    """An attempt that takes longer than the interval is not aborted."""
    for interval, association in ((1, 3_000), (10, 12_000), (5, 40_000)):
        _room()
        world.association_ms = association
        config(interval=interval)
        _forget_wifi()
        run(2 * MINUTE)
        # The last one that came while it was on its way is sent, too.
        assert len(reports()) >= (120_000 - association) // 1000 // interval, interval


def _forget_wifi():
    import network

    network.restart()


def test_unknown_name():
    """No addresses are as good as an error (an ESP32 returns [] for them)."""
    _room()
    world.names["ha.local"] = []
    config(server={"host": "ha.local", "port": PORT})
    with Console() as said:
        assert run(5 * MINUTE) is None
    assert any("unknown name" in line for line in said)
    del world.names["ha.local"]
    world.names["ha.local"] = [(2, 1, 0, "", ("127.0.0.1", PORT))]


def test_control_c():
    """Ctrl-C leaves no timer that would reset the board while files are copied."""
    _room()
    config()
    assert run(5 * MINUTE) is None
    assert world.timers == []


def test_server_script():
    """The test server follows its script."""
    answers("200")
    assert control("REQUESTS") == []
