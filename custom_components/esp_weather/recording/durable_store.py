"""A store whose content is on the disk once it is saved, even while HA stops."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, override

from homeassistant.core import HomeAssistant
from homeassistant.helpers.json import save_json
from homeassistant.helpers.storage import Store


class DurableStore[T: Mapping[str, Any] | Sequence[Any]](Store[T]):
    """A file of Home Assistant's storage that is written and synced at once.

    Home Assistant's own store puts off what is saved during a stop until all
    integrations have stopped, and does not tell when it could not write.
    """

    def __init__(self, hass: HomeAssistant, version: int, key: str) -> None:
        """Name the file; nothing is read yet."""
        super().__init__(hass, version, key)
        self._writing = Lock()
        # Numbered, so that one write serves all who wait for it
        self._newest: tuple[int, T | None] = (0, None)
        self._written = 0

    @override
    async def async_save(self, data: T) -> None:
        """Return once this or newer data is on the disk.

        Raises WriteError if it cannot be written; the file is then as it was.
        """
        number = self._newest[0] + 1
        self._newest = (number, data)
        await self.hass.async_add_executor_job(self._write, number)

    def _write(self, least: int) -> None:
        """Write the newest data unless data at least as new as that number is there."""
        # A cancelled save goes on in its thread, and must not overtake a later one.
        with self._writing:
            if self._written >= least:
                return
            number, data = self._newest
            content = {
                "version": self.version,
                "minor_version": self.minor_version,
                "key": self.key,
                "data": data,
            }
            save_json(self.path, content, atomic_writes=True)
            self._written = number
