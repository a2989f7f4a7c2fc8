"""Run examples/micropython/main.py, which is in the folder, with a DHT22 at pin 4."""

import sys

import esp8266  # noqa: F401 # before what asks for the platform
import world

sys.path.insert(0, ".")


class Chip:
    """A DHT22 that measures 21.5 °C and 48.2 %."""

    def answer(self):
        """Return the five bytes of the chip."""
        values = (482 >> 8, 482 & 0xFF, 215 >> 8, 215 & 0xFF)
        return bytes((*values, sum(values) & 0xFF))


world.dhts[4] = Chip()
import main  # noqa: E402, F401
