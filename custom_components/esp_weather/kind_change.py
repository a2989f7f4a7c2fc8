"""Applies a changed kind or unit of a field as if it had been so from the start."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN, SensorEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import CONF_KIND, CONF_UNIT, DOMAIN
from .field import KINDS, Field
from .recording.relabel import async_relabel_statistics

_NUMBERED: Final = "numbered"
_PRIVATE: Final = f"{SENSOR_DOMAIN}.private"


class KindChange:
    """Brings the entity and the statistics of a field up to date with its kind.

    The entity registry stores the kind that the entity was set up with, so that
    no change is missed, whatever made it and whatever happens meanwhile.
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

    @property
    def changes_id(self) -> bool:
        """Return whether the entity gets another ID, which the user has not changed."""
        after = entity_options(self.field)
        return self._has_usual_id and any(
            self._before is not None and self._before.get(key) != after[key]
            for key in (CONF_KIND, _NUMBERED)
        )

    @callback
    def async_free_id(self) -> None:
        """Release the entity ID for another entity."""
        entity = self._registry.entities.get_entry(self._id)
        assert entity is not None
        self._registry.async_update_entity(
            entity.entity_id, new_entity_id=f"{entity.entity_id}_{self._id}".lower()
        )

    async def async_before_setup(self) -> None:
        """Relabel the statistics."""
        entry = self._registry.entities.get_entry(self._id)
        if entry is not None and self._before is not None and self.is_needed:
            await async_relabel_statistics(
                self._hass,
                entry.entity_id,
                KINDS.get(self._before[CONF_KIND]),
                self._before[CONF_UNIT],
                self.field,
            )

    @callback
    def async_after_setup(self, sensor: SensorEntity) -> None:
        """Give the entity the ID and the options of a new one."""
        entry = self._registry.entities.get_entry(self._id)
        if entry is None:
            return
        if self.changes_id:
            entry = self._registry.async_update_entity(
                entry.entity_id,
                new_entity_id=self._registry.async_regenerate_entity_id(entry),
            )
        options: Mapping[str, Mapping[str, Any] | None] = {
            DOMAIN: entity_options(self.field)
        }
        if self.is_needed and not entry.disabled:
            # The sensor platform stores the unit of the unit system here.
            options = {_PRIVATE: None, **(sensor.get_initial_entity_options() or {})}
        for domain, values in options.items():
            self._registry.async_update_entity_options(entry.entity_id, domain, values)


def entity_options(field: Field) -> dict[str, str | bool | None]:
    """Return what the entity registry stores about the field of an entity."""
    return {
        CONF_KIND: field.kind_name,
        CONF_UNIT: field.unit,
        _NUMBERED: field.is_numbered,
    }
