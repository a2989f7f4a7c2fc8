"""The module `ds18x20` of the port: same calls, same exceptions, same buffer."""

from chips import crc8
from onewire import OneWireError


class DS18X20:
    """The DS18B20s of a wire."""

    def __init__(self, onewire):
        """Use the wire."""
        self.ow = onewire
        self.buf = bytearray(9)

    def scan(self):
        """Return the ROM codes of the chips."""
        return [bytearray(chip.rom) for chip in self.ow.chips]

    def convert_temp(self):
        """Have all chips measure."""
        if not self.ow.chips:
            raise OneWireError
        for chip in self.ow.chips:
            chip.convert()

    def read_temp(self, rom):
        """Return the temperature of a chip in °C."""
        if not self.ow.chips:
            raise OneWireError
        self.buf[:] = b"\xff" * 9  # a wire on which nobody pulls
        for chip in self.ow.chips:
            if chip.rom == bytes(rom):
                self.buf[:] = chip.scratchpad()
        if crc8(self.buf):
            raise Exception("CRC error")  # noqa: TRY002 # as the port does
        value = self.buf[1] << 8 | self.buf[0]
        return (value - 0x10000 if value & 0x8000 else value) / 16
