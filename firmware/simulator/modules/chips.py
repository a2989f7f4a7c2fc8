"""The sensors' chips, with the registers of their data sheets."""

from struct import pack
import time


class MCP9808:
    """Microchip DS25095, section 5: a 16-bit word behind each pointer.

    `temperature` is what surrounds it in °C, a number or a function. `readings`
    counts how often its register was read.
    """

    CONVERSION_MS = (30, 65, 130, 250)

    def __init__(self, temperature):
        """Power on: resolution 0.0625 °C, measuring all the time."""
        self.temperature = temperature
        self.words = {1: 0, 5: 0, 6: 0x0054, 7: 0x0400}
        self.resolution = 3
        self.readings = 0
        self._awake_since = time.ticks_ms()

    def write(self, register, data):
        """Take bytes behind a pointer."""
        if register == 8:
            assert len(data) == 1
            self.resolution = data[0] & 3
        else:
            assert register == 1 and len(data) == 2
            self._convert()
            awake = not data[0] & 1
            if awake and self.words[1] & 0x100:
                self._awake_since = time.ticks_ms()
            self.words[1] = data[0] << 8 | data[1]

    def read(self, register, count):
        """Return bytes behind a pointer."""
        if register == 8:
            return bytes((self.resolution,))
        assert count == 2
        if register == 5:
            self._convert()
            self.readings += 1
        return pack(">H", self.words[register])

    def _convert(self):
        """Update the register if the conversion has had enough time."""
        awake = time.ticks_diff(time.ticks_ms(), self._awake_since)
        if self.words[1] & 0x100 or awake < self.CONVERSION_MS[self.resolution]:
            return
        now = self.temperature() if callable(self.temperature) else self.temperature
        step = 8 >> self.resolution
        value = int(now * 16 // step * step) & 0x1FFF
        # The flags of the alarm: above the critical, the upper, below the lower
        # limit. These are 0 °C after power-on.
        flags = 0xC000 if now > 0 else 0x2000 if now < 0 else 0
        self.words[5] = flags | value


class BME280:
    """Bosch BST-BME280-DS002, section 5: a byte behind each address.

    `measured` is what its converters give: temperature, humidity, pressure.
    """

    def __init__(self, calibration, measured):
        """Power on, with dig_T1 to T3, P1 to P9 and H1 to H6."""
        self.measured = measured
        self.bytes = bytearray(256)
        self.bytes[0xD0] = 0x60
        h1, h2, h3, h4, h5, h6 = calibration[12:]
        self.bytes[0x88:0xA0] = pack("<HhhHhhhhhhhh", *calibration[:12])
        self.bytes[0xA1] = h1
        self.bytes[0xE1:0xE8] = pack(
            "<hBbBbb", h2, h3, h4 >> 4, h4 & 0xF | (h5 & 0xF) << 4, h5 >> 4, h6
        )
        self.bytes[0xF7:0xFF] = b"\x80\x00\x00\x80\x00\x00\x80\x00"
        self._humidity_is_on = False

    def read(self, register, count):
        """Return bytes beginning with an address."""
        return self.bytes[register : register + count]

    def write(self, register, data):
        """Take a byte at an address."""
        assert len(data) == 1
        self.bytes[register] = data[0]
        if register != 0xF4 or data[0] & 3 not in (1, 2):
            return
        # Section 5.4.3: ctrl_hum counts from the next writing of ctrl_meas on.
        self._humidity_is_on = bool(self.bytes[0xF2] & 7)
        temperature, humidity, pressure = self.measured
        if not self._humidity_is_on:
            humidity = 0x8000
        self.bytes[0xF7:0xFA] = (pressure << 4).to_bytes(3, "big")
        self.bytes[0xFA:0xFD] = (temperature << 4).to_bytes(3, "big")
        self.bytes[0xFD:0xFF] = humidity.to_bytes(2, "big")


class DS18B20:
    """Maxim DS18B20: 9 bytes of memory, the last one their checksum."""

    def __init__(self, rom, temperature):
        """Power on: 85 °C until the first conversion."""
        self.rom = rom
        self.temperature = temperature
        self.memory = bytearray(b"\x50\x05\x4b\x46\x7f\xff\x0c\x10\x1c")
        self.started = None

    def convert(self):
        """Begin to measure."""
        self.started = time.ticks_ms()

    def scratchpad(self):
        """Return the memory."""
        if self.started is not None:
            if time.ticks_diff(time.ticks_ms(), self.started) >= 750:
                self.memory[:2] = pack("<h", int(self.temperature * 16 // 1))
            self.memory[8] = crc8(self.memory[:8])
        return self.memory


def with_crc(data):
    """Return two bytes with the checksum that Sensirion and Aosong use."""
    return bytes(data) + bytes((crc_ff(data),))


def crc_ff(data):
    """Return the checksum x8 + x5 + x4 + 1 from 0xFF on, bit by bit."""
    crc = 0xFF
    for byte in data:
        for bit in range(7, -1, -1):
            top = crc >> 7 ^ byte >> bit & 1
            crc = crc << 1 & 0xFF
            if top:
                crc ^= 0x31
    return crc


class SHT:
    """Sensirion SHT3x or SHT4x: answers commands; `raw` is temperature and humidity."""

    def __init__(self, raw, is_sht4x=False):
        """Power on."""
        self.raw = raw
        self._measure = b"\xfd" if is_sht4x else b"\x24\x00"
        self._identify = b"\x89" if is_sht4x else b"\xf3\x2d"
        self._reply = None
        self._ready = 0

    def command(self, data):
        """Take a command. Raises OSError for one that it does not know."""
        if data == self._measure:
            self._ready = time.ticks_ms() + (8.3 if len(data) == 1 else 15.5)
            self._reply = [pack(">H", value) for value in self.raw]
        elif data == self._identify:
            self._reply = [b"\x80\x10", b"\x12\x34"]
            self._ready = 0
        else:
            self._reply = None
            raise OSError(5)

    def answer(self, count):
        """Return what was asked for. Raises OSError if it is not ready."""
        if self._reply is None or time.ticks_ms() < self._ready:
            raise OSError(5)
        return b"".join(with_crc(each) for each in self._reply)[:count]


class AHT20:
    """Aosong AHT20: `raw` is temperature and humidity, 20 bits each."""

    def __init__(self, raw):
        """Power on: not calibrated."""
        self.raw = raw
        self.status = 0x10
        self._started = None

    def command(self, data):
        """Take a command."""
        if data[0] == 0xBE:
            self.status |= 0x08
        elif data == b"\xac\x33\x00" and self.status & 0x08:
            self._started = time.ticks_ms()

    def answer(self, count):
        """Return its status, and what it has measured."""
        busy = (
            self._started is not None
            and time.ticks_diff(time.ticks_ms(), self._started) < 80
        )
        temperature, humidity = self.raw
        data = (humidity << 20 | temperature).to_bytes(5, "big")
        data = bytes((self.status | (0x80 if busy else 0),)) + data
        return with_crc(data)[:count]


class BH1750:
    """ROHM BH1750: returns a 16-bit word."""

    def __init__(self, raw):
        """Power on."""
        self.raw = raw
        self._started = None

    def command(self, data):
        """Take a command."""
        assert data == b"\x20"
        self._started = time.ticks_ms()

    def answer(self, count):
        """Return what it has measured."""
        done = time.ticks_diff(time.ticks_ms(), self._started or 0) >= 180
        return pack(">H", self.raw if done else 0)[:count]


def crc8(data):
    """Return the checksum of one wire: x8 + x5 + x4 + 1, 0 if data ends with its own."""
    crc = 0
    for byte in data:
        for _ in range(8):
            mix = (crc ^ byte) & 1
            crc >>= 1
            if mix:
                crc ^= 0x8C
            byte >>= 1
    return crc


class DHT22:
    """Aosong AM2302: returns the values of the previous measurement."""

    def __init__(self, temperature, humidity):
        """Power on."""
        self.temperature = temperature
        self.humidity = humidity
        self.checksum_error = False
        self._last = (0, 0)

    def answer(self):
        """Return 5 bytes and measure anew."""
        temperature, humidity = self._last
        self._last = (self.temperature, self.humidity)
        tenths = int(abs(temperature) * 10 + 0.5) | (0x8000 if temperature < 0 else 0)
        data = pack(">HH", int(humidity * 10 + 0.5), tenths)
        return data + bytes((sum(data) + self.checksum_error & 0xFF,))
