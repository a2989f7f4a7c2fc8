"""Options flow of a station."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import voluptuous as vol

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_NAME, CONF_UNIT_OF_MEASUREMENT, UnitOfTime
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)

from .config import Place, StationConfig, chosen_settings
from .const import (
    CONF_ARCHIVE,
    CONF_FIELDS,
    CONF_KIND,
    CONF_LEGACY,
    CONF_OFFSET,
    CONF_PLACE,
    CONF_TIMEOUT,
)
from .field import KINDS, NUMBER, Field
from .history.flow import HistoryFlow
from .protocol.readings import FIELDS
from .windows.options import WindowsFlow

_MAX_TIMEOUT: Final = 7 * 24 * 60  # minutes
_NOWHERE: Final = "elsewhere"


def kind_selector(kinds: Sequence[str]) -> SelectSelector:
    """Return a selector of the kinds, in this order."""
    return SelectSelector(
        SelectSelectorConfig(
            options=list(kinds),
            mode=SelectSelectorMode.DROPDOWN,
            translation_key=CONF_KIND,
        )
    )


KIND_SELECTOR: Final = kind_selector(list(KINDS))
PLACE_SELECTOR: Final = SelectSelector(
    SelectSelectorConfig(
        options=[*Place, _NOWHERE],
        mode=SelectSelectorMode.LIST,
        translation_key=CONF_PLACE,
    )
)


def place_of(user_input: Mapping[str, Any]) -> dict[str, str]:
    """Return the place that the user has chosen as it is stored in the options."""
    place: str = user_input[CONF_PLACE]
    return {} if place == _NOWHERE else {CONF_PLACE: place}


class EspWeatherOptionsFlow(HistoryFlow, WindowsFlow):
    """Changes the options of a station and of its fields."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose what to change."""
        steps = ["station", "fields", "history", "export"]
        if StationConfig.from_entry(self.config_entry).place is Place.INSIDE:
            steps.insert(1, "windows")
        return self.async_show_menu(step_id="init", menu_options=steps)

    async def async_step_station(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the place, the inactivity timeout, unsigned reports and the archive."""
        options = dict(self.config_entry.options)
        config = StationConfig.from_entry(self.config_entry)
        shown = {
            CONF_PLACE: config.place or _NOWHERE,
            CONF_TIMEOUT: config.timeout / 60,
            CONF_LEGACY: config.legacy,
            CONF_ARCHIVE: config.archive,
        }
        if user_input is not None:
            if user_input != shown:
                options.pop(CONF_PLACE, None)
                options |= {
                    **place_of(user_input),
                    CONF_TIMEOUT: int(user_input[CONF_TIMEOUT]),
                    CONF_LEGACY: user_input[CONF_LEGACY],
                    CONF_ARCHIVE: user_input[CONF_ARCHIVE],
                }
            return self.async_create_entry(data=options)
        return self.async_show_form(
            step_id="station",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema(
                    {
                        vol.Required(CONF_PLACE): PLACE_SELECTOR,
                        vol.Required(CONF_TIMEOUT): NumberSelector(
                            NumberSelectorConfig(
                                min=0,
                                max=_MAX_TIMEOUT,
                                mode=NumberSelectorMode.BOX,
                                unit_of_measurement=UnitOfTime.MINUTES,
                            )
                        ),
                        vol.Required(CONF_LEGACY): BooleanSelector(),
                        vol.Required(CONF_ARCHIVE): BooleanSelector(),
                    }
                ),
                shown,
            ),
        )

    async def async_step_fields(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what the fields measure; those that have reported come first."""
        fields = StationConfig.from_entry(self.config_entry).fields
        errors: dict[str, str] = {}
        wrong_unit: dict[str, str] = {}
        if user_input is not None:
            chosen: dict[str, Any] = {}
            stored = self.config_entry.options.get(CONF_FIELDS, {})
            for number in FIELDS:
                field = fields.get(number)
                entered = _without_blanks(user_input[_section(number)])
                if entered == _without_blanks(_suggested(field)):
                    # Including what this version does not know
                    if str(number) in stored:
                        chosen[str(number)] = stored[str(number)]
                    continue
                _drop_former_unit(field, entered)
                if wrong := _wrong_unit(entered):
                    errors["base"] = "invalid_unit"
                    wrong_unit = {"field": str(number), **wrong}
                elif settings := chosen_settings(self.config_entry, number, entered):
                    chosen[str(number)] = settings
            if not errors:
                options = dict(self.config_entry.options)
                if chosen or stored:
                    options[CONF_FIELDS] = chosen
                return self.async_create_entry(data=options)
        order = [*fields, *(number for number in FIELDS if number not in fields)]
        station = getattr(self.config_entry, "runtime_data", None)
        return self.async_show_form(
            step_id="fields",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema(
                    {
                        vol.Required(_section(number)): _field_section(
                            fields.get(number)
                        )
                        for number in order
                    }
                ),
                user_input
                or {
                    _section(number): _suggested(fields.get(number)) for number in order
                },
            ),
            errors=errors,
            description_placeholders={
                **{f"value_{number}": _newest(station, number) for number in FIELDS},
                **wrong_unit,
            },
        )


def _section(number: int) -> str:
    return f"field_{number}"


def _field_section(field: Field | None) -> section:
    """Return the section of the form for one field."""
    offset = NumberSelectorConfig(mode=NumberSelectorMode.BOX, step="any")
    if field is not None and field.unit is not None:
        offset["unit_of_measurement"] = field.unit
    return section(
        vol.Schema(
            {
                vol.Optional(CONF_KIND): KIND_SELECTOR,
                vol.Optional(CONF_UNIT_OF_MEASUREMENT): SelectSelector(
                    SelectSelectorConfig(
                        options=list(KINDS[field.kind_name].units) if field else [],
                        mode=SelectSelectorMode.DROPDOWN,
                        custom_value=True,
                    )
                ),
                vol.Optional(CONF_NAME): TextSelector(),
                vol.Required(CONF_OFFSET, default=0): NumberSelector(offset),
            }
        ),
        {"collapsed": field is None},
    )


def _suggested(field: Field | None) -> dict[str, Any]:
    if field is None:
        return {}
    return {
        CONF_KIND: field.kind_name,
        CONF_UNIT_OF_MEASUREMENT: field.unit,
        CONF_NAME: field.name,
        CONF_OFFSET: field.offset,
    }


def _without_blanks(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are not empty, with texts stripped."""
    stripped = {
        key: value.strip() if isinstance(value, str) else value
        for key, value in settings.items()
    }
    return {key: value for key, value in stripped.items() if value}


def _drop_former_unit(field: Field | None, entered: dict[str, Any]) -> None:
    """Drop a unit that the form still has from the former kind."""
    if (
        field is not None
        and entered.get(CONF_KIND) != field.kind_name
        and entered.get(CONF_UNIT_OF_MEASUREMENT) == field.unit
    ):
        entered.pop(CONF_UNIT_OF_MEASUREMENT, None)


def _wrong_unit(entered: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the placeholders of the error if a unit does not belong to its kind."""
    kind, unit = entered.get(CONF_KIND), entered.get(CONF_UNIT_OF_MEASUREMENT)
    if not kind or not unit or kind == NUMBER or unit in KINDS[kind].units:
        return None
    return {"unit": unit, "units": ", ".join(KINDS[kind].units) or "–"}


def _newest(station: Any, number: int) -> str:
    """Return the newest value of a field for the dialog."""
    if station is None or (value := station.newest_value(number)) is None:
        return "–"
    return f"{value:g}"
