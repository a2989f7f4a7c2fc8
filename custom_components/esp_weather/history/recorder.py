"""The parts of Home Assistant's recorder that history uses beyond the public API.

If a newer Home Assistant lacks one of these names, only the actions and dialogs that need
it fail, not the integration.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from homeassistant.components.recorder import get_instance
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import DATA_INSTANCE

from ..messages import invalid
from .hours import Method

try:
    from homeassistant.components.recorder.db_schema import (
        StateAttributes,
        States,
        StatesMeta,
        Statistics,
        StatisticsMeta,
        StatisticsShortTerm,
    )
    from homeassistant.components.recorder.models import (
        StatisticData,
        StatisticMeanType,
        StatisticMetaData,
    )
    from homeassistant.components.recorder.statistics import (
        UNIT_CLASS_TO_UNIT_CONVERTER,
        async_import_statistics,
        async_list_statistic_ids,
        statistics_during_period,
    )
    from homeassistant.components.recorder.tasks import SynchronizeTask
except ImportError as err:
    if TYPE_CHECKING:
        raise
    MISSING: str | None = str(err)
else:
    MISSING = None

__all__ = [
    "MISSING",
    "StateAttributes",
    "States",
    "StatesMeta",
    "StatisticData",
    "StatisticMetaData",
    "Statistics",
    "StatisticsMeta",
    "StatisticsShortTerm",
    "async_check",
    "async_import_statistics",
    "async_list_statistic_ids",
    "async_wait_for_recorder",
    "check_kind",
    "statistics_during_period",
    "unit_converter",
]


def async_check(hass: HomeAssistant) -> None:
    """Raise ServiceValidationError if there is no recorder to work with."""
    if DATA_INSTANCE not in hass.data:
        raise invalid("recorder_not_running")
    if MISSING is not None:
        raise invalid("history_unsupported", error=MISSING)


async def async_wait_for_recorder(hass: HomeAssistant) -> None:
    """Return once the recorder has done everything that is queued now.

    Recorder.async_block_till_done() does not wait for the task in progress.
    """
    done = hass.loop.create_future()
    get_instance(hass).queue_task(SynchronizeTask(done))
    await done


def check_kind(method: Method, metadata: StatisticMetaData) -> None:
    """Raise ServiceValidationError unless the statistics are of this kind."""
    mean_type = {
        Method.MEAN: StatisticMeanType.ARITHMETIC,
        Method.ANGLE: StatisticMeanType.CIRCULAR,
        Method.METER: StatisticMeanType.NONE,
    }[method]
    has_sum = method is Method.METER
    if (metadata["mean_type"], metadata["has_sum"]) != (mean_type, has_sum):
        raise invalid("history_kind", entity_id=metadata["statistic_id"])


def unit_converter(
    unit: str | None, metadata: StatisticMetaData
) -> Callable[[float], float]:
    """Return the converter from the unit of readings to that of their statistics.

    Raises ServiceValidationError.
    """
    statistic_id = metadata["statistic_id"]
    statistics_unit = metadata["unit_of_measurement"]
    if statistics_unit == unit:
        return float
    converter = UNIT_CLASS_TO_UNIT_CONVERTER.get(metadata["unit_class"])
    if converter is None or not {unit, statistics_unit} <= converter.VALID_UNITS:
        raise invalid(
            "history_unit",
            entity_id=statistic_id,
            unit=unit or "-",
            statistics_unit=statistics_unit or "-",
        )
    return converter.converter_factory(unit, statistics_unit)
