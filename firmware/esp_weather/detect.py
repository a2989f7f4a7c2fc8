"""Finds the sensors at the default pins.

A sensor keeps its field: detected sensors are stored, and new ones take the
next fields.
"""

from binascii import hexlify
import json
import sys

import machine

from esp_weather import registry
from esp_weather.crc8 import check

_FILE = "sensors.json"
_SCL, _SDA = (5, 4) if sys.platform == "esp8266" else (22, 21)
_WIRE = 12 if sys.platform == "esp8266" else 4


def sensors() -> list:
    """Return the settings of all sensors that were ever detected."""
    try:
        with open(_FILE) as file:
            known = [dict(each) for each in json.load(file)]
    except Exception:  # noqa: BLE001 # Nothing was found before.
        known = []
    is_new = False
    for found in _on_i2c() + _on_wire():
        if any(all(each.get(name) == found[name] for name in found) for each in known):
            continue
        count = len(registry.TYPES[found["type"]][2])
        field = 1
        for each in known:
            field = max(field, each["field"] + len(registry.TYPES[each["type"]][2]))
        if field + count > 10:
            print("No field is left for", found)
            continue
        found["field"] = field
        print("found", found)
        known.append(found)
        is_new = True
    if is_new:
        with open(_FILE, "w") as file:
            json.dump(known, file)
    return known


def _on_i2c() -> list:
    found = []
    try:
        bus = machine.SoftI2C(scl=machine.Pin(_SCL), sda=machine.Pin(_SDA))
        addresses = bus.scan()
    except Exception as err:  # noqa: BLE001 # Without pull-ups there is no bus.
        print("I2C:", err)
        return []
    for address in addresses:
        for name, of, identify in _KNOWN:
            if address not in of:
                continue
            try:
                if identify(bus, address):
                    found.append(
                        {"type": name, "scl": _SCL, "sda": _SDA, "address": address}
                    )
                    break
            except Exception:  # noqa: BLE001 # It is another one.
                continue
    return found


def _on_wire() -> list:
    try:
        from ds18x20 import DS18X20  # noqa: PLC0415
        from onewire import OneWire  # noqa: PLC0415

        roms = DS18X20(OneWire(machine.Pin(_WIRE))).scan()
    except Exception as err:  # noqa: BLE001
        print("1-Wire:", err)
        return []
    return [
        {"type": "ds18b20", "pin": _WIRE, "rom": hexlify(rom).decode()}
        for rom in sorted(bytes(rom) for rom in roms)
        if rom[0] == 0x28
    ]


def _is_mcp9808(bus: machine.I2C, address: int) -> bool:
    return bytes(bus.readfrom_mem(address, 6, 2)) == b"\x00\x54"


def _is_bme280(bus: machine.I2C, address: int) -> bool:
    return bytes(bus.readfrom_mem(address, 0xD0, 1)) == b"\x60"


def _is_sht3x(bus: machine.I2C, address: int) -> bool:
    return _has_checksum(bus, address, b"\xf3\x2d", 3)  # its status


def _is_sht4x(bus: machine.I2C, address: int) -> bool:
    return _has_checksum(bus, address, b"\x89", 6)  # its serial number


def _has_checksum(bus: machine.I2C, address: int, command: bytes, count: int) -> bool:
    data = bytearray(count)
    bus.writeto(address, command)
    bus.readfrom_into(address, data)
    check(memoryview(data)[:3])
    return any(data)


def _is_aht20(bus: machine.I2C, address: int) -> bool:
    bus.writeto(address, b"\xbe\x08\x00")
    data = bytearray(1)
    bus.readfrom_into(address, data)
    return data[0] != 0xFF


def _is_there(_bus: machine.I2C, _address: int) -> bool:
    return True  # It has no ID register; no other known sensor uses its addresses.


_KNOWN = (
    ("mcp9808", range(24, 32), _is_mcp9808),
    ("bme280", (118, 119), _is_bme280),
    ("sht3x", (68, 69), _is_sht3x),
    ("sht4x", (68, 69), _is_sht4x),
    ("aht20", (56,), _is_aht20),
    ("bh1750", (35, 92), _is_there),
)
