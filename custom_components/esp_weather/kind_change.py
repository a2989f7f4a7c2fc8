"""A field whose kind or unit has changed: as if it had been so from the start."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import CONF_KIND, CONF_UNIT, DOMAIN
from .field import Field
from .recording.relabel import async_relabel_statistics


class KindChange:
    """Brings the entity and the statistics of a field up to date with its kind.

    The entity registry keeps the kind that the entity was set up with, so that
    nothing is missed, whoever has changed it and whatever happens meanwhile.
    """

    def __init__(self, hass: HomeAssistant, entity_id: str, field: Field) -> None:
        """Initialize the change of a registered entity that is not loaded."""
        self._hass = hass
        self.field = field
        self._registry = er.async_get(hass)
        entry = self._registry.entities[entity_id]
        self._id = entry.id
        self._before = entry.options.get(DOMAIN)
        self._has_usual_id = (
            self._registry.async_regenerate_entity_id(entry) == entity_id
        )

    @property
    def is_needed(self) -> bool:
        """Return whether the entity was set up with another kind or unit."""
        return self._before is not None and self._before != entity_options(self.field)

    async def async_before_setup(self) -> None:
        """Relabel the statistics."""
        entry = self._registry.entities.get_entry(self._id)
        if entry is not None and self._before is not None and self.is_needed:
            await async_relabel_statistics(
                self._hass, entry.entity_id, self._before.get(CONF_UNIT), self.field
            )

    @callback
    def async_after_setup(self) -> None:
        """Give the entity the ID of its new name, unless the user has changed it."""
        entry = self._registry.entities.get_entry(self._id)
        if entry is None:
            return
        if self.is_needed and self._has_usual_id:
            entity_id = self._registry.async_regenerate_entity_id(entry)
            if entity_id != entry.entity_id:
                entry = self._registry.async_update_entity(
                    entry.entity_id, new_entity_id=entity_id
                )
        if self._before != entity_options(self.field):
            self._registry.async_update_entity_options(
                entry.entity_id, DOMAIN, entity_options(self.field)
            )


def entity_options(field: Field) -> dict[str, str | None]:
    """Return what the entity registry keeps of a field that an entity is set up with."""
    return {CONF_KIND: field.kind_name, CONF_UNIT: field.unit}
