"""Relabels the statistics of a field whose kind or unit has changed."""

from functools import partial

from homeassistant.components.recorder import get_instance
from homeassistant.components.sensor import SensorStateClass
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.util.unit_conversion import BaseUnitConverter

from ..field import Field, Kind

# The journal raises the issue of a recorder that has changed.
try:
    from .recorder_internals import (
        StatisticMeanType,
        StatisticMetaData,
        async_import_statistics,
        get_metadata,
    )
except ImportError:
    _IS_KNOWN = False
else:
    _IS_KNOWN = True


async def async_relabel_statistics(
    hass: HomeAssistant,
    entity_id: str,
    kind_before: Kind | None,
    unit_before: str | None,
    field: Field,
) -> None:
    """Relabel the statistics of a sensor with the current unit of its field.

    The numbers remain those that the station has sent, whatever unit they were shown
    in. Statistics that Home Assistant cannot continue start over: those of another
    form, such as the total of rain, and those in an unknown unit.
    """
    if DATA_INSTANCE not in hass.data or not _IS_KNOWN:
        return
    instance = get_instance(hass)
    found = await instance.async_add_executor_job(
        partial(get_metadata, hass, statistic_ids={entity_id})
    )
    if entity_id not in found:
        return
    _, metadata = found[entity_id]
    wanted = _metadata(entity_id, field)
    unit = metadata["unit_of_measurement"]
    converter = _converter(kind_before)
    is_convertible = converter is not None and {unit, unit_before} <= (
        converter.VALID_UNITS
    )
    has_same_form = (metadata["has_sum"], metadata["mean_type"]) == (
        wanted["has_sum"],
        wanted["mean_type"],
    )
    if not has_same_form or not (is_convertible or unit in {unit_before, field.unit}):
        instance.async_clear_statistics([entity_id])
        # Else the last state before now would decide the unit.
        async_import_statistics(hass, wanted, [])
        return
    if is_convertible and unit != unit_before:
        instance.async_change_statistics_unit(
            entity_id,
            new_unit_of_measurement=str(unit_before),
            old_unit_of_measurement=str(unit),
        )
    instance.async_update_statistics_metadata(
        entity_id,
        new_unit_class=wanted["unit_class"],
        new_unit_of_measurement=wanted["unit_of_measurement"],
    )


def _metadata(entity_id: str, field: Field) -> StatisticMetaData:
    """Return the metadata that Home Assistant gives to the statistics of a field."""
    state_class = field.kind.state_class
    converter = _converter(field.kind)
    mean_type = StatisticMeanType.ARITHMETIC
    if state_class is SensorStateClass.TOTAL_INCREASING:
        mean_type = StatisticMeanType.NONE
    elif state_class is SensorStateClass.MEASUREMENT_ANGLE:
        mean_type = StatisticMeanType.CIRCULAR
    return StatisticMetaData(
        has_sum=state_class is SensorStateClass.TOTAL_INCREASING,
        mean_type=mean_type,
        name=None,
        source="recorder",
        statistic_id=entity_id,
        unit_class=None if converter is None else converter.UNIT_CLASS,
        unit_of_measurement=field.unit,
    )


def _converter(kind: Kind | None) -> type[BaseUnitConverter] | None:
    if kind is None or kind.device_class is None:
        return None
    return UNIT_CONVERTERS.get(kind.device_class)
