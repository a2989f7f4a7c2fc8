"""The dialogs that change the options of a station."""

from collections.abc import Mapping
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

KIND_SELECTOR: Final = SelectSelector(
    SelectSelectorConfig(
        options=list(KINDS),
        mode=SelectSelectorMode.DROPDOWN,
        translation_key=CONF_KIND,
    )
)
PLACE_SELECTOR: Final = SelectSelector(
    SelectSelectorConfig(
        options=[*Place, _NOWHERE],
        mode=SelectSelectorMode.LIST,
        translation_key=CONF_PLACE,
    )
)


def place_of(user_input: Mapping[str, Any]) -> dict[str, str]:
    """Return the option of the place that the user has chosen."""
    place: str = user_input[CONF_PLACE]
    return {} if place == _NOWHERE else {CONF_PLACE: place}


class EspWeatherOptionsFlow(HistoryFlow, WindowsFlow):
    """Changes what a station may do and what its fields measure."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose what to change."""
        steps = ["station", "fields", "history", "export"]
        if self.config_entry.options.get(CONF_PLACE) == Place.INSIDE:
            steps.insert(1, "windows")
        return self.async_show_menu(step_id="init", menu_options=steps)

    async def async_step_station(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the place, the inactivity timeout and whether unsigned reports are accepted."""
        options = dict(self.config_entry.options)
        if user_input is not None:
            options.pop(CONF_PLACE, None)
            return self.async_create_entry(
                data={
                    **options,
                    **place_of(user_input),
                    CONF_TIMEOUT: int(user_input[CONF_TIMEOUT]),
                    CONF_LEGACY: user_input[CONF_LEGACY],
                }
            )
        config = StationConfig.from_entry(self.config_entry)
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
                    }
                ),
                {
                    CONF_PLACE: config.place or _NOWHERE,
                    CONF_TIMEOUT: config.timeout / 60,
                    CONF_LEGACY: config.legacy,
                },
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
            chosen = {}
            for number in FIELDS:
                settings = _settings(fields.get(number), user_input[_section(number)])
                if (kind := settings.get(CONF_KIND)) is not None:
                    unit = settings.get(CONF_UNIT_OF_MEASUREMENT)
                    units = KINDS[kind].units
                    if unit and kind != NUMBER and unit not in units:
                        errors["base"] = "invalid_unit"
                        wrong_unit = {
                            "field": str(number),
                            "unit": unit,
                            "units": ", ".join(units) or "-",
                        }
                chosen[number] = settings
            if not errors:
                return self.async_create_entry(
                    data={
                        **self.config_entry.options,
                        CONF_FIELDS: chosen_settings(self.config_entry, chosen),
                    }
                )
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
    """Return the part of the form that is about one field."""
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


def _settings(field: Field | None, user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the user has entered for a field.

    The unit of the former kind is not kept with another kind.
    """
    settings = {
        key: value.strip() if isinstance(value, str) else value
        for key, value in user_input.items()
        if value
    }
    if (
        field is not None
        and settings.get(CONF_KIND) != field.kind_name
        and settings.get(CONF_UNIT_OF_MEASUREMENT) == field.unit
    ):
        settings.pop(CONF_UNIT_OF_MEASUREMENT, None)
    return settings


def _newest(station: Any, number: int) -> str:
    """Return the newest value of a field as the dialog shows it."""
    if station is None or (value := station.newest_value(number)) is None:
        return "–"
    return f"{value:g}"
