"""Statistics of a field whose kind or unit turns out to be another one."""

from functools import partial

from homeassistant.components.recorder import get_instance
from homeassistant.components.sensor import SensorStateClass
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import DATA_INSTANCE

from ..field import Field

# The journal raises the issue of a recorder that has changed.
try:
    from .recorder_internals import StatisticMeanType, get_metadata
except ImportError:
    _IS_KNOWN = False
else:
    _IS_KNOWN = True


async def async_relabel_statistics(
    hass: HomeAssistant, entity_id: str, before: str | None, field: Field
) -> None:
    """Have the statistics of a sensor be in the unit that its field has now.

    The numbers stay what they are: the station has sent them in that unit all the
    time. Statistics that Home Assistant cannot continue are deleted: those in a unit
    other than the one before, and those of another form, as of a total.
    """
    if DATA_INSTANCE not in hass.data or not _IS_KNOWN:
        return
    instance = get_instance(hass)
    metadata = await instance.async_add_executor_job(
        partial(get_metadata, hass, statistic_ids={entity_id})
    )
    if entity_id not in metadata:
        return
    _, found = metadata[entity_id]
    state_class = field.kind.state_class
    if (
        found["unit_of_measurement"] != before
        or found["has_sum"] != (state_class is SensorStateClass.TOTAL_INCREASING)
        or (found["mean_type"] is StatisticMeanType.CIRCULAR)
        != (state_class is SensorStateClass.MEASUREMENT_ANGLE)
    ):
        instance.async_clear_statistics([entity_id])
        return
    converter = UNIT_CONVERTERS.get(field.kind.device_class)
    instance.async_update_statistics_metadata(
        entity_id,
        new_unit_class=None if converter is None else converter.UNIT_CLASS,
        new_unit_of_measurement=field.unit,
    )
