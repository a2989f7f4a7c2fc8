"""The drivers, byte for byte against their chips."""

import time

from chips import (
    BME280 as BME280Chip,
    DHT22 as DHT22Chip,
    DS18B20 as DS18B20Chip,
    MCP9808 as MCP9808Chip,
)
from esp_weather.bme280 import BME280, compensate
from esp_weather.dht22 import DHT22
from esp_weather.ds18b20 import DS18B20
from esp_weather.mcp9808 import MCP9808
from helpers import raises
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
    """Return what the formula in floats of the data sheet's appendix gives."""
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
