"""The module `machine` of the ESP8266's port, as far as a station needs it."""

import errno
import sys

import network
import world

PWRON_RESET = 0
WDT_RESET = 1
SOFT_RESET = 4
DEEPSLEEP_RESET = 5
HARD_RESET = 6


class Pin:
    """A pin that records the values written to it."""

    IN = 0
    OUT = 1
    IRQ_FALLING = 2
    OPEN_DRAIN = 2
    PULL_UP = 1

    def __init__(self, number, mode=-1, pull=-1, value=None):
        """Raise ValueError for a pin that is missing or reserved on an ESP8266."""
        world.enter("Pin")
        esp8266 = (0, 1, 2, 3, 4, 5, 9, 10, 12, 13, 14, 15, 16)
        if sys.platform == "esp8266" and number not in esp8266:
            raise ValueError("invalid pin")
        self.number = number
        self.init(mode, pull, value)

    def init(self, mode=-1, pull=-1, value=None):
        """Configure the pin."""
        if value is not None:
            self.value(value)

    def irq(self, handler=None, trigger=IRQ_FALLING):
        """Call a handler when the pin falls."""
        world.enter("Pin.irq")
        world.handlers[self.number] = handler

    def value(self, *new):
        """Return the value, or set it."""
        values = world.pins.setdefault(self.number, [])
        if new:
            values.append(new[0])
            return None
        return values[-1] if values else 0


class ADC:
    """A channel of the ESP8266, to 1.0 V, or a pin of an ESP32, to 3.3 V."""

    ATTN_11DB = 3

    def __init__(self, source, *, atten=None):
        """Raise ValueError for what the port does not take."""
        world.enter("ADC")
        self._is_channel = sys.platform == "esp8266"
        if self._is_channel:
            if source not in (0, 1) or atten is not None:
                raise ValueError("not a valid ADC Channel")
            self._number = source
        else:
            self._number = source.number
            assert atten == self.ATTN_11DB

    def read_u16(self):
        """Return what is measured: 65535 at full scale."""
        world.enter("ADC.read_u16")
        full_scale = 1.0 if self._is_channel else 3.3
        return min(65535, int(world.volts[self._number] / full_scale * 65535))


class SoftI2C:
    """A bus in software: the only I2C that the ESP8266 has."""

    def __init__(self, *, scl, sda, freq=400_000, timeout=50_000):
        """Use the chips at these pins."""
        world.enter("SoftI2C")
        self._chips = world.i2c.setdefault((scl.number, sda.number), {})

    def _chip(self, address):
        world.enter("I2C")
        if address not in self._chips:
            raise OSError(errno.ENODEV)
        return self._chips[address]

    def scan(self):
        """Return the addresses of the chips."""
        world.enter("I2C")
        return sorted(self._chips)

    def writeto(self, address, data):
        """Write bytes to a chip."""
        chip = self._chip(address)
        if not hasattr(chip, "command"):
            raise OSError(errno.EIO)
        chip.command(bytes(data))

    def readfrom_into(self, address, buffer):
        """Fill a buffer with bytes of a chip."""
        buffer[:] = self._chip(address).answer(len(buffer))

    def readfrom_mem(self, address, register, count):
        """Return bytes of a chip, beginning with a register."""
        chip = self._chip(address)
        if not hasattr(chip, "read"):
            raise OSError(errno.EIO)
        return bytes(chip.read(register, count))

    def readfrom_mem_into(self, address, register, buffer):
        """Fill a buffer with bytes of a chip, beginning with a register."""
        buffer[:] = self._chip(address).read(register, len(buffer))

    def writeto_mem(self, address, register, data):
        """Write bytes to a chip, beginning with a register."""
        self._chip(address).write(register, data)


I2C = SoftI2C  # as the port has it


class RTC:
    """The clock, whose memory survives all but a power cut."""

    def __init__(self):
        """Use it."""
        world.enter("RTC")

    def memory(self, *new):
        """Return the memory, or set it."""
        world.enter("RTC.memory")
        if not new:
            return bytes(world.rtc_memory)
        if len(new[0]) > 492:  # ports/esp8266/machine_rtc.c: MEM_USER_MAXLEN
            raise ValueError("buffer too long")
        if len(new[0]) == len(world.rtc_memory):
            world.rtc_memory[:] = new[0]  # without a piece of the heap
        else:
            world.rtc_memory = bytearray(new[0])
        return None


class Timer:
    """A timer, which fires while the firmware sleeps (see ../clock/time.py)."""

    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, number):
        """Create a timer that does nothing yet."""
        world.enter("Timer")

    def init(self, *, mode=PERIODIC, period=-1, callback=None):
        """Call back every `period` milliseconds."""
        world.enter("Timer.init")
        self.period = period
        self.elapsed = 0
        self.callback = callback
        world.timers.append(self)

    def deinit(self):
        """Stop."""
        world.enter("Timer.deinit")
        if self in world.timers:
            world.timers.remove(self)


def _stop_timers():
    """Stop the timers of the board, as a reset does, but not those of the tests."""
    world.timers[:] = [each for each in world.timers if not isinstance(each, Timer)]


def reset_cause():
    """Return why the board has started."""
    world.enter("reset_cause")
    return world.reset_cause


def reset():
    """Restart the board."""
    world.enter("reset")
    network.restart()
    _stop_timers()
    world.reset_cause = SOFT_RESET
    raise world.Reset


def deepsleep(ms):
    """Sleep, then restart the board."""
    world.enter("deepsleep")
    network.restart()
    _stop_timers()
    if ms * 1000 >= 1 << 32:  # ports/esp8266/modmachine.c counts in an uint32_t
        raise AssertionError("The ESP8266 would wake too soon")
    world.reset_cause = DEEPSLEEP_RESET
    raise world.DeepSleep(ms)
