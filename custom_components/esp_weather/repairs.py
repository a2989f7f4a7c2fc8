"""Repair flows of a station."""

from typing import TYPE_CHECKING, Any, Final

import voluptuous as vol

from homeassistant.components.repairs import RepairsFlow
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import TextSelector

from .config import StationConfig
from .config_flow import is_key
from .const import CONF_FIELDS, CONF_KIND
from .field import likely_kinds, likely_unit
from .options_flow import kind_selector
from .refusals import Issue

if TYPE_CHECKING:
    # Missing before Home Assistant 2026.5
    from homeassistant.components.repairs import RepairsFlowResult

_KEY_SCHEMA: Final = vol.Schema({vol.Required(CONF_API_KEY): TextSelector()})


async def async_create_fix_flow(
    hass: HomeAssistant,
    issue_id: str,
    data: dict[str, str | int | float | None] | None,
) -> RepairsFlow:
    """Return the dialog that fixes an issue of refusals.py."""
    assert data is not None
    entry = hass.config_entries.async_get_known_entry(str(data["entry_id"]))
    if data["issue"] == Issue.WRONG_KEY:
        return KeyRepairFlow(entry)
    return KindRepairFlow(entry, str(data["field"]), float(data["value"] or 0))


class KeyRepairFlow(RepairsFlow):
    """Asks for the key that a station sends."""

    def __init__(self, entry: ConfigEntry[Any]) -> None:
        """Initialize the dialog of a config entry."""
        self._entry = entry

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Begin; `user_input` names the issue."""
        return await self.async_step_key()

    async def async_step_key(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask for the key."""
        errors: dict[str, str] = {}
        if user_input is not None:
            key = user_input[CONF_API_KEY].strip()
            if is_key(key):
                self.hass.config_entries.async_update_entry(
                    self._entry, data={**self._entry.data, CONF_API_KEY: key}
                )
                self.hass.config_entries.async_schedule_reload(self._entry.entry_id)
                return self.async_create_entry(data={})
            errors[CONF_API_KEY] = "invalid_key"
        return self.async_show_form(
            step_id="key",
            data_schema=_KEY_SCHEMA,
            errors=errors,
            description_placeholders={"station": self._entry.title},
        )


class KindRepairFlow(RepairsFlow):
    """Asks what a field measures."""

    def __init__(self, entry: ConfigEntry[Any], field: str, value: float) -> None:
        """Initialize the dialog of a field that has sent a value."""
        self._entry = entry
        self._field = field
        self._value = value

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Begin; `user_input` names the issue."""
        return await self.async_step_kind()

    async def async_step_kind(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask for the kind, the likely ones first."""
        if user_input is not None:
            self._choose(user_input[CONF_KIND])
            self.hass.config_entries.async_schedule_reload(self._entry.entry_id)
            return self.async_create_entry(data={})
        field = StationConfig.from_entry(self._entry).fields.get(int(self._field))
        selector = kind_selector(likely_kinds(self._value))
        return self.async_show_form(
            step_id="kind",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema({vol.Required(CONF_KIND): selector}),
                {CONF_KIND: field.kind_name if field else None},
            ),
            description_placeholders={
                "station": self._entry.title,
                "field": self._field,
            },
        )

    def _choose(self, kind: str) -> None:
        """Store the kind, with the unit that the value seems to be in."""
        fields = self._entry.options.get(CONF_FIELDS, {})
        settings = {**fields.get(self._field, {}), CONF_KIND: kind}
        settings.pop(CONF_UNIT_OF_MEASUREMENT, None)
        if (unit := likely_unit(kind, self._value)) is not None:
            settings[CONF_UNIT_OF_MEASUREMENT] = unit
        self.hass.config_entries.async_update_entry(
            self._entry,
            options={
                **self._entry.options,
                CONF_FIELDS: {**fields, self._field: settings},
            },
        )
