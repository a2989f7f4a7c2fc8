"""What the field of a station measures: its kind, unit, limits and calibration."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.const import (
    CONF_NAME,
    CONF_UNIT_OF_MEASUREMENT,
    LIGHT_LUX,
    PERCENTAGE,
    EntityCategory,
    UnitOfElectricPotential,
    UnitOfPressure,
    UnitOfTemperature,
)

from .const import CONF_FIELDS, CONF_KIND, CONF_OFFSET
from .protocol.readings import FIELDS, ReportError

# As the old server stored them.
_DECIMALS: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A quantity that a field can measure.

    `minimum` and `maximum` are in the first of the `units`: what no sensor of
    a weather station can have measured lies outside.
    """

    device_class: SensorDeviceClass | None = None
    entity_category: EntityCategory | None = None
    maximum: float = inf
    minimum: float = -inf
    precision: int | None = None
    units: tuple[str, ...] = ()


TEMPERATURE: Final = "temperature"

KINDS: Final[Mapping[str, Kind]] = {
    TEMPERATURE: Kind(
        device_class=SensorDeviceClass.TEMPERATURE,
        minimum=-273.15,
        maximum=1000,
        precision=1,
        units=(
            UnitOfTemperature.CELSIUS,
            UnitOfTemperature.FAHRENHEIT,
            UnitOfTemperature.KELVIN,
        ),
    ),
    "humidity": Kind(
        device_class=SensorDeviceClass.HUMIDITY,
        minimum=0,
        maximum=100,
        precision=0,
        units=(PERCENTAGE,),
    ),
    "pressure": Kind(
        device_class=SensorDeviceClass.ATMOSPHERIC_PRESSURE,
        minimum=0,
        maximum=2000,
        precision=1,
        units=(
            UnitOfPressure.HPA,
            UnitOfPressure.PA,
            UnitOfPressure.KPA,
            UnitOfPressure.MMHG,
            UnitOfPressure.INHG,
        ),
    ),
    "battery_voltage": Kind(
        device_class=SensorDeviceClass.VOLTAGE,
        entity_category=EntityCategory.DIAGNOSTIC,
        minimum=0,
        maximum=100,
        precision=2,
        units=(UnitOfElectricPotential.VOLT, UnitOfElectricPotential.MILLIVOLT),
    ),
    "illuminance": Kind(
        device_class=SensorDeviceClass.ILLUMINANCE,
        minimum=0,
        maximum=200_000,
        precision=0,
        units=(LIGHT_LUX,),
    ),
    "number": Kind(),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a station, as its options describe it.

    `minimum`, `maximum` and `offset` are in `unit`, the unit that the station
    sends.
    """

    number: int
    kind_name: str
    name: str | None
    unit: str | None
    offset: float
    minimum: float
    maximum: float

    @property
    def kind(self) -> Kind:
        """Return what the field measures."""
        return KINDS[self.kind_name]

    def calibrate(self, value: float) -> float:
        """Return a value that the station sent with the offset added.

        Rounded to 4 decimals. Raises ReportError if the field's kind cannot
        have this value.
        """
        if not self.minimum <= value <= self.maximum:
            raise ReportError(
                "data_out_of_range",
                minimum=f"{self.minimum:g}",
                maximum=f"{self.maximum:g}",
                unit=self.unit or "",
            )
        # Adding 0.0 turns a rounded -0.0 into 0.0.
        return round(value + self.offset, _DECIMALS) + 0.0


def fields_of(options: Mapping[str, Any]) -> dict[int, Field]:
    """Return the fields 1 to 9 as the options of a config entry describe them.

    A field that is not in the options measures temperature in °C.
    """
    # The keys are text, since the options are stored as JSON.
    return _DEFAULT_FIELDS | {
        int(number): _field(int(number), settings)
        for number, settings in options.get(CONF_FIELDS, {}).items()
    }


def _field(number: int, settings: Mapping[str, Any]) -> Field:
    kind_name = settings.get(CONF_KIND, TEMPERATURE)
    kind = KINDS[kind_name]
    base_unit = kind.units[0] if kind.units else None
    unit = settings.get(CONF_UNIT_OF_MEASUREMENT, base_unit)
    minimum, maximum = kind.minimum, kind.maximum
    if unit != base_unit:
        convert = UNIT_CONVERTERS[kind.device_class].converter_factory(base_unit, unit)
        minimum = round(convert(minimum), _DECIMALS)
        maximum = round(convert(maximum), _DECIMALS)
    return Field(
        number=number,
        kind_name=kind_name,
        name=settings.get(CONF_NAME),
        unit=unit,
        offset=settings.get(CONF_OFFSET, 0.0),
        minimum=minimum,
        maximum=maximum,
    )


# All stations share those that their options do not describe.
_DEFAULT_FIELDS: Final = {number: _field(number, {}) for number in FIELDS}
