"""The module `onewire` of the port: the bus that ds18x20 uses."""

import world


class OneWireError(Exception):
    """No chip answers on the wire."""


class OneWire:
    """The chips at a pin."""

    def __init__(self, pin):
        """Use a pin."""
        pin.init(pin.OPEN_DRAIN, pin.PULL_UP)
        self._number = pin.number

    @property
    def chips(self):
        """Return the chips that are connected now."""
        return world.wires.get(self._number, [])
