"""What the field of a station measures: the table of kinds, and one field of one kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.const import (
    CONCENTRATION_MICROGRAMS_PER_CUBIC_METER,
    CONCENTRATION_PARTS_PER_MILLION,
    DEGREE,
    LIGHT_LUX,
    PERCENTAGE,
    UV_INDEX,
    EntityCategory,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfIrradiance,
    UnitOfLength,
    UnitOfMass,
    UnitOfPower,
    UnitOfPrecipitationDepth,
    UnitOfPressure,
    UnitOfSoundPressure,
    UnitOfSpeed,
    UnitOfTemperature,
    UnitOfVolumetricFlux,
)

from .protocol.readings import Reason, ReportError

# As the old server stored them
_DECIMALS: Final = 4
# A first value in this range may be a temperature in °C; the old server had no other kind.
_GUESSED_TEMPERATURES: Final = (-60.0, 85.0)
# What a DS18B20 sends in °C while it is not connected, and before its first conversion
_DS18B20_DISCONNECTED: Final = -127.0
DS18B20_AFTER_START: Final = 85.0

_GRAMS_PER_CUBIC_METER: Final = "g/m³"
_MILLIGRAMS_PER_CUBIC_METER: Final = "mg/m³"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A quantity that a field can measure.

    `minimum` and `maximum` are in the first of the `units`: no sensor of a weather
    station can have measured what lies outside. `tolerance` is how far above the
    maximum a value still counts as the maximum.
    """

    device_class: SensorDeviceClass | None = None
    entity_category: EntityCategory | None = None
    maximum: float = inf
    minimum: float = -inf
    precision: int | None = None
    state_class: SensorStateClass = SensorStateClass.MEASUREMENT
    tolerance: float = 0
    units: tuple[str, ...] = ()


_TEMPERATURE_UNITS: Final = (
    UnitOfTemperature.CELSIUS,
    UnitOfTemperature.FAHRENHEIT,
    UnitOfTemperature.KELVIN,
)
_SPEED_UNITS: Final = (
    UnitOfSpeed.METERS_PER_SECOND,
    UnitOfSpeed.KILOMETERS_PER_HOUR,
    UnitOfSpeed.MILES_PER_HOUR,
    UnitOfSpeed.KNOTS,
)
_VOLTAGE_UNITS: Final = (
    UnitOfElectricPotential.VOLT,
    UnitOfElectricPotential.MILLIVOLT,
)


def _particles(device_class: SensorDeviceClass) -> Kind:
    return Kind(
        device_class=device_class,
        minimum=0,
        maximum=10_000,
        precision=0,
        units=(CONCENTRATION_MICROGRAMS_PER_CUBIC_METER,),
    )


NUMBER: Final = "number"
TEMPERATURE: Final = "temperature"
HUMIDITY: Final = "humidity"

# The kinds of a field, the usual ones first: dialogs show them in this order.
KINDS: Final[Mapping[str, Kind]] = {
    TEMPERATURE: Kind(
        device_class=SensorDeviceClass.TEMPERATURE,
        minimum=-273.15,
        maximum=1000,
        precision=1,
        units=_TEMPERATURE_UNITS,
    ),
    HUMIDITY: Kind(
        device_class=SensorDeviceClass.HUMIDITY,
        minimum=0,
        maximum=100,
        precision=0,
        tolerance=5,
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
    "dew_point": Kind(
        device_class=SensorDeviceClass.TEMPERATURE,
        minimum=-273.15,
        maximum=1000,
        precision=1,
        units=_TEMPERATURE_UNITS,
    ),
    "absolute_humidity": Kind(
        device_class=SensorDeviceClass.ABSOLUTE_HUMIDITY,
        minimum=0,
        maximum=1000,
        precision=1,
        units=(_GRAMS_PER_CUBIC_METER, _MILLIGRAMS_PER_CUBIC_METER),
    ),
    "wind_speed": Kind(
        device_class=SensorDeviceClass.WIND_SPEED,
        minimum=0,
        maximum=150,
        precision=1,
        units=_SPEED_UNITS,
    ),
    "wind_gust": Kind(
        device_class=SensorDeviceClass.WIND_SPEED,
        minimum=0,
        maximum=150,
        precision=1,
        units=_SPEED_UNITS,
    ),
    "wind_direction": Kind(
        device_class=SensorDeviceClass.WIND_DIRECTION,
        minimum=0,
        maximum=360,
        precision=0,
        state_class=SensorStateClass.MEASUREMENT_ANGLE,
        units=(DEGREE,),
    ),
    "rain": Kind(
        device_class=SensorDeviceClass.PRECIPITATION,
        minimum=0,
        precision=1,
        state_class=SensorStateClass.TOTAL_INCREASING,
        units=(
            UnitOfPrecipitationDepth.MILLIMETERS,
            UnitOfPrecipitationDepth.CENTIMETERS,
            UnitOfPrecipitationDepth.INCHES,
        ),
    ),
    "rain_rate": Kind(
        device_class=SensorDeviceClass.PRECIPITATION_INTENSITY,
        minimum=0,
        maximum=2000,
        precision=1,
        units=(
            UnitOfVolumetricFlux.MILLIMETERS_PER_HOUR,
            UnitOfVolumetricFlux.MILLIMETERS_PER_DAY,
            UnitOfVolumetricFlux.INCHES_PER_HOUR,
            UnitOfVolumetricFlux.INCHES_PER_DAY,
        ),
    ),
    "uv_index": Kind(minimum=0, maximum=50, precision=1, units=(UV_INDEX,)),
    "irradiance": Kind(
        device_class=SensorDeviceClass.IRRADIANCE,
        minimum=0,
        maximum=3000,
        precision=0,
        units=(
            UnitOfIrradiance.WATTS_PER_SQUARE_METER,
            UnitOfIrradiance.BTUS_PER_HOUR_SQUARE_FOOT,
        ),
    ),
    "illuminance": Kind(
        device_class=SensorDeviceClass.ILLUMINANCE,
        minimum=0,
        maximum=200_000,
        precision=0,
        units=(LIGHT_LUX,),
    ),
    "co2": Kind(
        device_class=SensorDeviceClass.CO2,
        minimum=0,
        maximum=100_000,
        precision=0,
        units=(CONCENTRATION_PARTS_PER_MILLION,),
    ),
    "pm1": _particles(SensorDeviceClass.PM1),
    "pm25": _particles(SensorDeviceClass.PM25),
    "pm10": _particles(SensorDeviceClass.PM10),
    "voc_index": Kind(minimum=0, maximum=500, precision=0),
    "aqi": Kind(
        device_class=SensorDeviceClass.AQI, minimum=0, maximum=1000, precision=0
    ),
    "soil_moisture": Kind(
        device_class=SensorDeviceClass.MOISTURE,
        minimum=0,
        maximum=100,
        precision=0,
        tolerance=5,
        units=(PERCENTAGE,),
    ),
    "battery": Kind(
        device_class=SensorDeviceClass.BATTERY,
        entity_category=EntityCategory.DIAGNOSTIC,
        minimum=0,
        maximum=100,
        precision=0,
        tolerance=5,
        units=(PERCENTAGE,),
    ),
    "battery_voltage": Kind(
        device_class=SensorDeviceClass.VOLTAGE,
        entity_category=EntityCategory.DIAGNOSTIC,
        minimum=0,
        maximum=100,
        precision=2,
        units=_VOLTAGE_UNITS,
    ),
    "voltage": Kind(
        device_class=SensorDeviceClass.VOLTAGE, precision=2, units=_VOLTAGE_UNITS
    ),
    "current": Kind(
        device_class=SensorDeviceClass.CURRENT,
        precision=2,
        units=(UnitOfElectricCurrent.AMPERE, UnitOfElectricCurrent.MILLIAMPERE),
    ),
    "power": Kind(
        device_class=SensorDeviceClass.POWER,
        precision=1,
        units=(UnitOfPower.WATT, UnitOfPower.MILLIWATT, UnitOfPower.KILO_WATT),
    ),
    "sound_level": Kind(
        device_class=SensorDeviceClass.SOUND_PRESSURE,
        minimum=0,
        maximum=200,
        precision=0,
        units=(UnitOfSoundPressure.DECIBEL, UnitOfSoundPressure.WEIGHTED_DECIBEL_A),
    ),
    "distance": Kind(
        device_class=SensorDeviceClass.DISTANCE,
        precision=2,
        units=(
            UnitOfLength.METERS,
            UnitOfLength.CENTIMETERS,
            UnitOfLength.MILLIMETERS,
            UnitOfLength.KILOMETERS,
            UnitOfLength.INCHES,
            UnitOfLength.FEET,
        ),
    ),
    "weight": Kind(
        device_class=SensorDeviceClass.WEIGHT,
        precision=2,
        units=(
            UnitOfMass.KILOGRAMS,
            UnitOfMass.GRAMS,
            UnitOfMass.POUNDS,
            UnitOfMass.OUNCES,
        ),
    ),
    NUMBER: Kind(),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a station.

    `minimum`, `maximum`, `tolerance` and `offset` are in `unit`, the unit that the
    station sends.
    """

    number: int
    kind_name: str
    name: str | None
    unit: str | None
    offset: float
    minimum: float
    maximum: float
    tolerance: float
    # Whether the station has this kind in a field that was known before
    is_numbered: bool

    @property
    def kind(self) -> Kind:
        """Return what the field measures."""
        return KINDS[self.kind_name]

    def calibrate(self, value: float) -> float:
        """Return a value that the station sent with the offset added.

        Rounded to 4 decimals. Raises ReportError if the field's kind cannot have
        this value.
        """
        # Adding 0.0 turns a rounded -0.0 into 0.0.
        calibrated = round(value + self.offset, _DECIMALS) + 0.0
        if self.minimum <= calibrated <= self.maximum:
            if calibrated == _DS18B20_DISCONNECTED and self.is_celsius:
                raise ReportError(Reason.SENSOR_DISCONNECTED)
            return calibrated
        if self.tolerance:
            if self.maximum < calibrated <= self.maximum + self.tolerance:
                return self.maximum
            if calibrated < self.minimum <= value:
                return self.minimum
        raise ReportError(
            Reason.DATA_OUT_OF_RANGE,
            minimum=f"{self.minimum:g}",
            maximum=f"{self.maximum:g}",
            unit=self.unit or "",
        )

    @property
    def is_celsius(self) -> bool:
        """Return whether the station sends this field in °C."""
        return self.unit == UnitOfTemperature.CELSIUS


def make_field(
    number: int,
    kind_name: str,
    *,
    name: str | None = None,
    unit: str | None = None,
    offset: float = 0.0,
    is_numbered: bool = False,
) -> Field:
    """Return a field of a known kind; without a unit, in the first of its kind.

    Only a plain number may have a unit that its kind does not list.
    """
    kind = KINDS[kind_name]
    base_unit = kind.units[0] if kind.units else None
    unit = unit or base_unit
    minimum, maximum, tolerance = kind.minimum, kind.maximum, kind.tolerance
    if unit != base_unit and kind.device_class in UNIT_CONVERTERS:
        convert = UNIT_CONVERTERS[kind.device_class].converter_factory(base_unit, unit)
        minimum = round(convert(minimum), _DECIMALS)
        maximum = round(convert(maximum), _DECIMALS)
    return Field(
        number,
        kind_name,
        name,
        unit,
        offset,
        minimum,
        maximum,
        tolerance,
        is_numbered,
    )


def guess_kind(value: float) -> str:
    """Return the kind of a field that nobody has described, from its first value.

    A temperature if it can be one of a weather station in °C, as on the old server;
    else a plain number.
    """
    low, high = _GUESSED_TEMPERATURES
    is_temperature = low <= value <= high or value == _DS18B20_DISCONNECTED
    return TEMPERATURE if is_temperature else NUMBER
