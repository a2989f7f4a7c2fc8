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
        self._newest: T | None = None

    @override
    async def async_save(self, data: T) -> None:
        """Return once this or newer data is on the disk.

        Raises WriteError if it cannot be written; the file is then as it was.
        """
        self._newest = data
        await self.hass.async_add_executor_job(self._write_newest)

    def _write_newest(self) -> None:
        # A cancelled save goes on in its thread, and must not overtake a later one.
        with self._writing:
            content = {
                "version": self.version,
                "minor_version": self.minor_version,
                "key": self.key,
                "data": self._newest,
            }
            save_json(self.path, content, atomic_writes=True)
