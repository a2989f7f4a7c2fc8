"""The options of the advice on a room's windows."""

from collections.abc import Mapping
from typing import Any, Final

import voluptuous as vol

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import Platform, UnitOfTemperature, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)
from homeassistant.util.unit_conversion import (
    TemperatureConverter,
    TemperatureDeltaConverter,
)

from ..config import StationConfig
from ..const import CONF_WINDOWS
from .config import (
    COMFORT_RANGE,
    CONF_COMFORT,
    CONF_HOLD,
    CONF_HYSTERESIS,
    CONF_MOISTURE,
    CONF_NOTIFY,
    CONF_OUTSIDE,
    HYSTERESIS_RANGE,
    MAXIMUM_HOLD,
    WindowsConfig,
)

# Options stored in °C or K and shown in the user's unit, with their converters
_TEMPERATURES: Final = {
    CONF_HYSTERESIS: (TemperatureDeltaConverter, HYSTERESIS_RANGE),
    CONF_COMFORT: (TemperatureConverter, COMFORT_RANGE),
}


class WindowsFlow(OptionsFlowWithReload):
    """The options flow step for the advice on the windows."""

    async def async_step_windows(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the sensor outside, the limits, and whom to notify."""
        if user_input is not None:
            return self.async_create_entry(
                data={
                    **self.config_entry.options,
                    CONF_WINDOWS: _stored(self.hass, user_input),
                }
            )
        return self.async_show_form(
            step_id="windows",
            data_schema=self.add_suggested_values_to_schema(
                _schema(self.hass),
                _suggested(
                    self.hass,
                    WindowsConfig.from_options(
                        StationConfig.from_entry(self.config_entry).windows
                    ),
                ),
            ),
        )


def _schema(hass: HomeAssistant) -> vol.Schema:
    unit = hass.config.units.temperature_unit
    schema: dict[vol.Marker, Any] = {
        vol.Optional(CONF_OUTSIDE): EntitySelector(
            EntitySelectorConfig(
                filter={
                    "domain": Platform.SENSOR,
                    "device_class": SensorDeviceClass.TEMPERATURE,
                }
            )
        )
    }
    for key, (converter, limits) in _TEMPERATURES.items():
        minimum, maximum = (
            round(converter.convert(limit, UnitOfTemperature.CELSIUS, unit), 1)
            for limit in limits
        )
        schema[vol.Required(key)] = NumberSelector(
            NumberSelectorConfig(
                min=minimum,
                max=maximum,
                step=0.1,
                mode=NumberSelectorMode.BOX,
                unit_of_measurement=unit,
            )
        )
    schema[vol.Required(CONF_HOLD)] = NumberSelector(
        NumberSelectorConfig(
            min=0,
            max=MAXIMUM_HOLD,
            mode=NumberSelectorMode.BOX,
            unit_of_measurement=UnitOfTime.MINUTES,
        )
    )
    schema[vol.Required(CONF_MOISTURE)] = BooleanSelector()
    schema[vol.Optional(CONF_NOTIFY)] = EntitySelector(
        EntitySelectorConfig(filter={"domain": NOTIFY_DOMAIN}, multiple=True)
    )
    return vol.Schema(schema)


def _suggested(hass: HomeAssistant, config: WindowsConfig) -> dict[str, Any]:
    unit = hass.config.units.temperature_unit
    stored = {CONF_HYSTERESIS: config.hysteresis, CONF_COMFORT: config.comfort}
    return {
        CONF_OUTSIDE: config.outside_entity,
        CONF_HOLD: config.hold / 60,
        CONF_MOISTURE: config.moisture,
        CONF_NOTIFY: list(config.notify),
        **{
            key: round(
                converter.convert(stored[key], UnitOfTemperature.CELSIUS, unit), 1
            )
            for key, (converter, _) in _TEMPERATURES.items()
        },
    }


def _stored(hass: HomeAssistant, user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user's input in the units in which it is stored."""
    unit = hass.config.units.temperature_unit
    stored = {key: value for key, value in user_input.items() if value or value == 0}
    for key, (converter, (minimum, maximum)) in _TEMPERATURES.items():
        value = converter.convert(user_input[key], unit, UnitOfTemperature.CELSIUS)
        # Rounding in another unit must not move a value beyond its limit.
        stored[key] = min(max(round(value, 3), minimum), maximum)
    return stored
