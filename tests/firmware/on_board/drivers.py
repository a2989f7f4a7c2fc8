"""The drivers, byte for byte against their chips."""

import os
import time

from chips import (
    AHT20 as AHT20Chip,
    BH1750 as BH1750Chip,
    BME280 as BME280Chip,
    DHT22 as DHT22Chip,
    DS18B20 as DS18B20Chip,
    MCP9808 as MCP9808Chip,
    SHT,
)
from esp_weather import crc8
from esp_weather.aht20 import AHT20
from esp_weather.analog import ANALOG
from esp_weather.bh1750 import BH1750
from esp_weather.bme280 import BME280, compensate
from esp_weather.dht22 import DHT22
from esp_weather.ds18b20 import DS18B20
from esp_weather.mcp9808 import MCP9808
from esp_weather.pulse import PULSE
from esp_weather.sht3x import SHT3X
from esp_weather.sht4x import SHT4X
from helpers import bodies, config, raises, run
from machine import Pin, SoftI2C
import world


def _measure(driver):
    time.sleep_ms(driver.start())
    return driver.read()


def _bus(chip, address):
    world.i2c[5, 4] = {address: chip}
    return SoftI2C(scl=Pin(5), sda=Pin(4))


def test_mcp9808_temperatures():
    chip = MCP9808Chip(0)
    driver = MCP9808(_bus(chip, 24))
    # The range of the chip, and both sides of where its sign and its bytes change
    for celsius in (-40, -25.0625, -16, -0.0625, 0, 0.0625, 15.9375, 16, 21.5, 125):
        chip.temperature = celsius
        assert _measure(driver) == (celsius,), celsius
    # The example of the data sheet, section 5.1.3.1: 0xC192 is 25.125 °C.
    chip.temperature = 25.125
    assert _measure(driver) == (25.125,)
    assert chip.words[5] == 0xC192


def test_mcp9808_resolutions():
    chip = MCP9808Chip(20.9999)
    bus = _bus(chip, 24)
    for resolution, celsius in enumerate((20.5, 20.75, 20.875, 20.9375)):
        assert _measure(MCP9808(bus, resolution=resolution)) == (celsius,)
        assert chip.resolution == resolution


def test_mcp9808_sleeps():
    chip = MCP9808Chip(20)
    driver = MCP9808(_bus(chip, 24))
    _measure(driver)
    assert chip.words[1] == 0x0100
    # What it says is what is now, and not what was when it fell asleep.
    chip.temperature = 22
    time.sleep_ms(60_000)
    assert _measure(driver) == (22,)


def test_mcp9808_identity():
    chip = MCP9808Chip(20)
    bus = _bus(chip, 24)
    chip.words[6] = 0x0055
    assert raises(ValueError, MCP9808(bus).start) == "it is not an MCP9808"
    chip.words[6] = 0x0054
    chip.words[7] = 0x0500
    assert raises(ValueError, MCP9808(bus).start) == "it is not an MCP9808"
    # Another revision is as good.
    chip.words[7] = 0x0401
    assert _measure(MCP9808(bus)) == (20,)
    assert "ENODEV" in raises(OSError, MCP9808(bus, address=25).start)


# Section 3.12 of the data sheet of the BMP280 (BST-BMP280-DS001), whose formulas of
# temperature and pressure are those of the BME280. Its own has no example.
_BMP280 = (27504, 26435, -1000)
_BMP280 += (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
# As read from a BME280; only the humidity has these.
_HUMIDITY = (75, 370, 0, 305, 50, 30)


def test_bme280_example_of_the_data_sheet():
    celsius, _, hectopascal = compensate(_BMP280 + _HUMIDITY, 519888, 32768, 415148)
    assert celsius == 25.08
    # The data sheet calculates in floats and gets 100653.27 Pa.
    assert abs(hectopascal - 1006.5327) < 0.0002, hectopascal


def _humidity(calibration, adc_t, adc_h):
    """Return the result of the floating-point formula in the data sheet's appendix."""
    t1, t2, t3 = calibration[:3]
    h1, h2, h3, h4, h5, h6 = calibration[12:]
    var1 = (adc_t / 16384 - t1 / 1024) * t2
    var2 = (adc_t / 131072 - t1 / 8192) ** 2 * t3
    var = var1 + var2 - 76800
    var = (adc_h - (h4 * 64 + h5 / 16384 * var)) * (
        h2 / 65536 * (1 + h6 / 67108864 * var * (1 + h3 / 67108864 * var))
    )
    var *= 1 - h1 * var / 524288
    return min(max(var, 0), 100)


def test_bme280_humidity():
    for h in (_HUMIDITY, (75, 361, 1, 332, -50, -30), (0, 400, 255, -2048, 2047, 127)):
        for adc_h in (0, 15_000, 28_000, 33_000, 40_000, 65_535):
            for adc_t in (400_000, 519_888, 600_000):
                calibration = _BMP280 + h
                percent = compensate(calibration, adc_t, adc_h, 415148)[1]
                expected = _humidity(calibration, adc_t, adc_h)
                assert abs(percent - expected) < 0.05, (h, adc_h, percent, expected)


def test_bme280_on_the_bus():
    # The humidity's numbers share bytes there, and have signs.
    for h in (
        _HUMIDITY,
        (75, 361, 1, 332, -50, -30),
        (255, -1, 255, -2048, 2047, -128),
    ):
        calibration = _BMP280 + h
        chip = BME280Chip(calibration, (519888, 28_000, 415148))
        driver = BME280(_bus(chip, 118))
        assert _measure(driver) == compensate(calibration, 519888, 28_000, 415148)
        assert chip.bytes[0xF4] & 3 == 1  # forced mode: it sleeps again


def test_bme280_identity():
    chip = BME280Chip(_BMP280 + _HUMIDITY, (519888, 28_000, 415148))
    bus = _bus(chip, 118)
    chip.bytes[0xD0] = 0x58  # a BMP280
    assert raises(ValueError, BME280(bus).start) == "it is not a BME280"
    assert "ENODEV" in raises(OSError, BME280(bus, address=119).start)


def test_bme280_replaced():
    """One that lost its power says so, and the next brings its own calibration."""
    chip = BME280Chip(_BMP280 + _HUMIDITY, (519888, 28_000, 415148))
    driver = BME280(_bus(chip, 118))
    first = _measure(driver)
    other = BME280Chip((27000,) + _BMP280[1:] + _HUMIDITY, (519888, 28_000, 415148))
    driver.start()
    world.i2c[5, 4][118] = other
    assert raises(ValueError, driver.read) == "it has not measured"
    assert _measure(driver)[0] > first[0]


_ROM = b"\x28\xff\x64\x1e\x0f\x2b\x0e\x68"


def test_ds18b20_temperatures():
    chip = DS18B20Chip(_ROM, 0)
    world.wires[12] = [chip]
    driver = DS18B20(Pin(12))
    for celsius in (-55, -10.125, -0.0625, 0.0625, 25.0625, 84.9375, 85.0625, 125):
        chip.temperature = celsius
        assert _measure(driver) == (celsius,), celsius


def test_ds18b20_power_on():
    chip = DS18B20Chip(_ROM, 20)
    world.wires[12] = [chip]
    driver = DS18B20(Pin(12))
    driver.start()
    chip.started = None  # a power cut during the conversion
    assert "85" in raises(ValueError, driver.read)
    assert _measure(driver) == (20,)


def test_ds18b20_short_circuit():
    chip = DS18B20Chip(_ROM, 20)
    world.wires[12] = [chip]
    driver = DS18B20(Pin(12))
    time.sleep_ms(driver.start())
    chip.scratchpad = lambda: bytes(9)  # Its checksum is right.
    assert "bad connection" in raises(ValueError, driver.read)


def test_ds18b20_broken_wire():
    world.wires[12] = [DS18B20Chip(_ROM, 20)]
    driver = DS18B20(Pin(12), "28ff641e0f2b0e69")
    time.sleep_ms(driver.start())
    assert "CRC" in raises(Exception, driver.read)
    world.wires[12] = []
    assert raises(ValueError, DS18B20(Pin(12)).start).startswith("0 sensors")


def test_ds18b20_two_on_a_wire():
    world.wires[12] = [DS18B20Chip(_ROM, 20), DS18B20Chip(_ROM[:7] + b"\x69", 30)]
    said = raises(ValueError, DS18B20(Pin(12)).start)
    assert said == "2 sensors on the wire: 28ff641e0f2b0e68 28ff641e0f2b0e69"
    assert _measure(DS18B20(Pin(12), "28ff641e0f2b0e69")) == (30,)


def test_dht22():
    chip = DHT22Chip(0, 0)
    world.dhts[13] = chip
    driver = DHT22(Pin(13))
    for celsius, percent in ((-40, 0.1), (-0.1, 55.5), (23.4, 65.2), (80, 99.9)):
        chip.temperature, chip.humidity = celsius, percent
        # The chip gives what it measured before. That is of now: it is asked twice.
        measured = _measure(driver)
        assert abs(measured[0] - celsius) < 0.001, measured
        assert abs(measured[1] - percent) < 0.001, measured


def test_dht22_errors():
    chip = DHT22Chip(20, 50)
    world.dhts[13] = chip
    driver = DHT22(Pin(13))
    chip.checksum_error = True
    driver.start()
    assert "checksum" in raises(Exception, driver.read)
    chip.checksum_error = False
    assert _measure(driver)[1] == 50
    chip.answer = lambda: bytes(5)  # a line that is cut: its checksum is right
    assert "bad connection" in raises(ValueError, driver.read)
    del world.dhts[13]
    driver.start()
    assert "ETIMEDOUT" in raises(OSError, driver.read)


def test_crc8():
    """The example of both of Sensirion's data sheets: 0xBEEF has 0x92."""
    crc8.check(b"\xbe\xef\x92")
    for wrong in (b"\xbe\xef\x93", b"\xbe\xee\x92", b"\x00\x00\x00", b"\xff\xff\xff"):
        assert "checksum" in raises(ValueError, crc8.check, wrong)


def test_sht3x():
    for raw, measured in (((0, 0), (-45, 0)), ((65535, 65535), (130, 100))):
        assert _measure(SHT3X(_bus(SHT(raw), 68))) == measured
    celsius, percent = _measure(SHT3X(_bus(SHT((0x6666, 0x8000)), 68)))
    assert abs(celsius - 25) < 0.01 and abs(percent - 50) < 0.01
    assert "ENODEV" in raises(OSError, SHT3X(_bus(SHT((0, 0)), 68), 69).start)


def test_sht4x():
    for raw, measured in (
        ((0, 0), (-45, 0)),
        ((65535, 65535), (130, 100)),
        ((0, 0x0C4A), (-45, 0.0)),
    ):
        celsius, percent = _measure(SHT4X(_bus(SHT(raw, True), 68)))
        assert abs(celsius - measured[0]) < 0.01, raw
        assert abs(percent - measured[1]) < 0.01, raw
    celsius, percent = _measure(SHT4X(_bus(SHT((0x6666, 0x8000), True), 68)))
    assert abs(celsius - 25) < 0.01 and abs(percent - 56.5) < 0.01


def test_sht_with_a_wrong_checksum():
    chip = SHT((0x6666, 0x8000))
    driver = SHT3X(_bus(chip, 68))
    good = chip.answer
    for index in range(6):

        def bad(count, index=index):
            data = bytearray(good(count))
            data[index] ^= 4
            return data

        chip.answer = bad
        assert "checksum" in raises(ValueError, _measure, driver)


def test_aht20():
    """Half of both scales is 50 °C and 50 % (section 6)."""
    for raw, measured in (
        ((0, 0), (-50, 0)),
        ((1 << 19, 1 << 19), (50, 50)),
        ((0x60000, 0x40000), (25, 25)),
    ):
        chip = AHT20Chip(raw)
        assert _measure(AHT20(_bus(chip, 56))) == measured
        assert chip.status & 8
    driver = AHT20(_bus(AHT20Chip((0, 0)), 56))
    driver.start()
    assert "still" in raises(ValueError, driver.read)


def test_bh1750():
    """The example of the data sheet: 0x8390 is 28067 lx."""
    (lux,) = _measure(BH1750(_bus(BH1750Chip(0x8390), 35)))
    assert int(lux) == 28066 and round(lux) == 28067


def test_analog():
    world.volts[0] = 0.5
    driver = ANALOG(0, zero=100.0, full_scale=0.0, kind="soil_moisture")
    assert abs(_measure(driver)[0] - 50) < 0.01
    world.volts[0] = 2
    assert _measure(driver) == (0,)


def test_pulse_rain():
    """0.2794 mm a tip; a contact that bounces counts once."""
    driver = PULSE(Pin(14), per_pulse=0.2794, kind="rain")
    assert _measure(driver) == (0,)
    for _ in range(10):
        time.sleep_ms(1000)
        for _ in range(3):
            world.handlers[14](None)
            time.sleep_ms(2)
    assert abs(_measure(driver)[0] - 2.794) < 1e-6
    assert abs(_measure(driver)[0] - 2.794) < 1e-6


def test_pulse_wind():
    """2.4 km/h at one pulse in a second, since the last reading."""
    driver = PULSE(Pin(14), per_pulse=2.4, kind="wind_speed")
    for _ in range(20):
        time.sleep_ms(500)
        world.handlers[14](None)
    assert abs(_measure(driver)[0] - 4.8) < 1e-6
    time.sleep_ms(10_000)
    assert _measure(driver) == (0,)


def test_detect():
    """Sensors are known by address and identity, and keep their fields."""
    world.i2c[5, 4] = {
        24: MCP9808Chip(20),
        35: BH1750Chip(100),
        56: AHT20Chip((0, 0)),
        68: SHT((0, 0)),
        69: SHT((0, 0), True),
        80: MCP9808Chip(20),  # an EEPROM of a clock, say
    }
    world.wires[12] = [DS18B20Chip(_ROM, 20)]
    from esp_weather import detect

    found = detect.sensors()
    assert [(each["type"], each["field"]) for each in found] == [
        ("mcp9808", 1),
        ("bh1750", 2),
        ("aht20", 3),
        ("sht3x", 5),
        ("sht4x", 7),
        ("ds18b20", 9),
    ]
    world.i2c[5, 4].pop(24)
    world.i2c[5, 4][118] = BME280Chip(_BMP280 + _HUMIDITY, (519888, 28_000, 415148))
    assert detect.sensors() == found  # No field is left for the new one.
    os.remove("sensors.json")
    assert [each["type"] for each in detect.sensors()][-1] == "ds18b20"


def test_auto():
    """What is found is measured and reported."""
    world.i2c[5, 4] = {118: BME280Chip(_BMP280 + _HUMIDITY, (519888, 28_000, 415148))}
    config(signed=True, sensors="auto")
    run(60_000)
    first, last = bodies()
    assert [each["field"] for each in last["readings"]] == [1, 2, 3]
    assert first["fields"]["3"] == {"kind": "pressure", "unit": "hPa"}
