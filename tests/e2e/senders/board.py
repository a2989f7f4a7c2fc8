"""Run the main.py of this folder with a DHT22 at pin 4: board.py MAC."""

from binascii import unhexlify
import sys

import esp8266  # noqa: F401 # before modules that check the platform
import world


class Chip:
    """A DHT22 that measures 21.5 °C and 48.2 %."""

    def answer(self):
        """Return the five bytes of the chip."""
        values = [482 >> 8, 482 & 0xFF, 215 >> 8, 215 & 0xFF]
        return bytes(values + [sum(values) & 0xFF])


world.mac = unhexlify(sys.argv[1].replace(":", ""))
world.dhts[4] = Chip()
__import__("main")
