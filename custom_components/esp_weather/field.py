"""What the field of a station measures: the table of kinds, and one field of one kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.const import (
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

# Decimals that the old server stored
_DECIMALS: Final = 4
_SCALE: Final = 10.0**_DECIMALS
# A first value in this range is taken for a temperature in °C, as on the old server.
_GUESSED_TEMPERATURES: Final = (-60.0, 85.0)
# What a DS18B20 reads while disconnected, and before its first conversion: the
# values that its Arduino library returns in each unit
_DS18B20_DISCONNECTED: Final[Mapping[str | None, float]] = {
    UnitOfTemperature.CELSIUS: -127.0,
    UnitOfTemperature.FAHRENHEIT: -196.6,
}
_DS18B20_AFTER_START: Final[Mapping[str | None, float]] = {
    UnitOfTemperature.CELSIUS: 85.0,
    UnitOfTemperature.FAHRENHEIT: 185.0,
}

# Home Assistant 2026.3 names these units differently than 2026.11.
_GRAMS_PER_CUBIC_METER: Final = "g/m³"
_MILLIGRAMS_PER_CUBIC_METER: Final = "mg/m³"
_MICROGRAMS_PER_CUBIC_METER: Final = "μg/m³"
_PARTS_PER_MILLION: Final = "ppm"


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
    # The usual range, where that is much narrower than the possible one
    usual: tuple[float, float] | None = None

    def is_possible(self, value: float) -> bool:
        """Return whether a value in the first unit is in the range."""
        return self.minimum <= value <= self.maximum

    def is_usual(self, value: float) -> bool:
        """Return whether a value in the first unit is in the usual range."""
        low, high = self.usual or (self.minimum, self.maximum)
        return low <= value <= high


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
        units=(_MICROGRAMS_PER_CUBIC_METER,),
    )


NUMBER: Final = "number"
TEMPERATURE: Final = "temperature"
HUMIDITY: Final = "humidity"

# All kinds, the usual ones first: dialogs show them in this order.
KINDS: Final[Mapping[str, Kind]] = {
    TEMPERATURE: Kind(
        device_class=SensorDeviceClass.TEMPERATURE,
        minimum=-273.15,
        maximum=1000,
        precision=1,
        units=_TEMPERATURE_UNITS,
        usual=_GUESSED_TEMPERATURES,
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
        usual=(850, 1100),
    ),
    "dew_point": Kind(
        device_class=SensorDeviceClass.TEMPERATURE,
        minimum=-273.15,
        maximum=1000,
        precision=1,
        units=_TEMPERATURE_UNITS,
        usual=_GUESSED_TEMPERATURES,
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
        usual=(0, 200),
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
        usual=(0, 100),
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
        usual=(0, 1500),
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
        units=(_PARTS_PER_MILLION,),
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
        usual=(0, 15),
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
    # Whether an earlier field of the station has the same kind
    is_numbered: bool
    # Whether neither the user nor the station has said what the field measures; one
    # whose guess turns out to be right is the same
    is_guessed: bool = field(compare=False)

    @property
    def kind(self) -> Kind:
        """Return what the field measures."""
        return KINDS[self.kind_name]

    def calibrate(self, value: float) -> float:
        """Return a value that the station sent with the offset added.

        Rounded to 4 decimals. A kind with a tolerance stays at its limit where the
        offset would take a possible value beyond it. Raises ReportError if the
        field's kind cannot have this value.
        """
        calibrated = self.add_offset(value)
        if value == _DS18B20_DISCONNECTED.get(self.unit):
            raise ReportError(Reason.SENSOR_DISCONNECTED)
        if self.minimum <= calibrated <= self.maximum:
            return calibrated
        if self.tolerance:
            highest = self.maximum + self.tolerance
            if (
                self.minimum <= value <= highest
                or self.minimum <= calibrated <= highest
            ):
                return min(max(calibrated, self.minimum), self.maximum)
        raise ReportError(
            Reason.DATA_OUT_OF_RANGE,
            minimum=f"{self.minimum:g}",
            maximum=f"{self.maximum:g}",
            unit=self.unit or "",
        )

    def add_offset(self, value: float) -> float:
        """Return a value with the offset added, whether it is possible or not."""
        value += self.offset
        # Rounds as round() does, which takes longer in a running Home Assistant: its
        # code is seldom in the processor's cache. Most values are rounded already.
        rounded = (value * _SCALE + 0.5) // 1 / _SCALE
        if rounded == value:
            return rounded
        # Adding 0.0 turns -0.0 into 0.0.
        return float(f"{value:.{_DECIMALS}f}") + 0.0

    def may_have_started(self, value: float) -> bool:
        """Return whether a DS18B20 sends this value before its first measurement."""
        return value == _DS18B20_AFTER_START.get(self.unit)


def make_field(
    number: int,
    kind_name: str,
    *,
    name: str | None = None,
    unit: str | None = None,
    offset: float = 0.0,
    is_numbered: bool = False,
    is_guessed: bool = False,
) -> Field:
    """Return a field of a known kind; without a unit, in the first of its kind.

    Only a plain number may have a unit that its kind does not list.
    """
    kind = KINDS[kind_name]
    base_unit = kind.units[0] if kind.units else None
    unit = unit or base_unit
    minimum, maximum = float(kind.minimum), float(kind.maximum)
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
        kind.tolerance,
        is_numbered,
        is_guessed,
    )


def guess_kind(value: float) -> str:
    """Return the kind of a field that nobody has described, from its first value.

    A temperature if the value is plausible in °C, as on the old server;
    else a plain number.
    """
    low, high = _GUESSED_TEMPERATURES
    is_temperature = (
        low <= value <= high
        or value == _DS18B20_DISCONNECTED[UnitOfTemperature.CELSIUS]
    )
    return TEMPERATURE if is_temperature else NUMBER


def likely_kinds(value: float) -> list[str]:
    """Return all kinds, the likely ones for this value first.

    Temperature is not among the likely ones: a plausible one is never asked about.
    """
    return sorted(KINDS, key=lambda name: not KINDS[name].is_usual(value))


def likely_unit(kind_name: str, value: float) -> str | None:
    """Return the first unit in which a value is usual for a kind, else possible.

    None means the kind's first unit, also if the value is possible in no unit.
    """
    kind = KINDS[kind_name]
    for is_likely in (kind.is_usual, kind.is_possible):
        for unit in kind.units:
            converted = value
            if unit != kind.units[0] and kind.device_class in UNIT_CONVERTERS:
                converted = UNIT_CONVERTERS[kind.device_class].convert(
                    value, unit, kind.units[0]
                )
            if is_likely(converted):
                return unit if unit != kind.units[0] else None
    return None
