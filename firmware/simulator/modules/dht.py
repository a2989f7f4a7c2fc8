"""The module `dht` of the port: same calls, same exceptions, same buffer."""

import errno

import world


class DHT22:
    """The DHT22 at a pin."""

    def __init__(self, pin):
        """Use a pin."""
        self._number = pin.number
        self.buf = bytearray(5)

    def measure(self):
        """Get 5 bytes of the chip."""
        chip = world.dhts.get(self._number)
        if chip is None:
            raise OSError(errno.ETIMEDOUT)
        buf = self.buf
        buf[:] = chip.answer()
        if buf[0] + buf[1] + buf[2] + buf[3] & 0xFF != buf[4]:
            raise Exception("checksum error")  # noqa: TRY002 # as the port does

    def humidity(self):
        """Return the relative humidity in %."""
        return (self.buf[0] << 8 | self.buf[1]) * 0.1

    def temperature(self):
        """Return the temperature in °C."""
        value = ((self.buf[2] & 0x7F) << 8 | self.buf[3]) * 0.1
        return -value if self.buf[2] & 0x80 else value
