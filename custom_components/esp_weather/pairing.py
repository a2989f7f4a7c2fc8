"""Keys that are shown in a config flow and wait for a station to use them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from homeassistant.core import HomeAssistant, callback

from .protocol.readings import Declaration, Reading

_TIME_LIMIT: Final = 600.0  # seconds
# More than anybody has open; each is compared with the key of every unknown sender.
_MAX_WAITING: Final = 10


class Pairing:
    """A key that waits for a station, and what the first station to use it has sent."""

    def __init__(self, hass: HomeAssistant, key: str) -> None:
        """Initialize the pairing of a new key."""
        self.key = key.encode()
        self.fields: Mapping[int, Declaration] = {}
        self.values: dict[int, float] = {}
        # Whether the station has sent all its fields in one report
        self.is_complete = False
        # Resolves to the MAC of the station; cancelled on timeout.
        self.mac: asyncio.Future[str] = hass.loop.create_future()

    @callback
    def async_found(
        self,
        mac: str,
        readings: Iterable[Reading],
        fields: Mapping[int, Declaration] = {},
    ) -> None:
        """Note the report of a station. Only the first station counts."""
        if not self.mac.done():
            self.mac.set_result(mac)
        elif self.mac.cancelled() or self.mac.result() != mac:
            return
        self.fields = {**self.fields, **fields}
        for reading in readings:
            self.values[reading.field] = reading.value


class Pairings:
    """The keys that wait for a station."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Initialize without keys."""
        self._hass = hass
        self._waiting: dict[str, tuple[Pairing, asyncio.TimerHandle]] = {}

    @property
    def keys(self) -> list[str]:
        """Return the keys that are valid at the moment."""
        return list(self._waiting)

    @callback
    def async_start(self, key: str) -> Pairing:
        """Start the pairing of a key, which expires after 10 minutes.

        If too many keys are waiting, the oldest one expires at once.
        """
        if len(self._waiting) >= _MAX_WAITING:
            self.async_end(next(iter(self._waiting)))
        pairing = Pairing(self._hass, key)
        time_limit = self._hass.loop.call_later(_TIME_LIMIT, self.async_end, key)
        self._waiting[key] = (pairing, time_limit)
        return pairing

    @callback
    def async_end(self, key: str) -> None:
        """Invalidate a key; does nothing if it is not waiting."""
        if key in self._waiting:
            pairing, time_limit = self._waiting.pop(key)
            time_limit.cancel()
            pairing.mac.cancel()

    def match(self, matches: Callable[[bytes], bool]) -> Pairing | None:
        """Return the pairing whose key matches."""
        for pairing, _ in self._waiting.values():
            if matches(pairing.key):
                return pairing
        return None
