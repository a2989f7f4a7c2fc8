"""5-minute means of recorded temperatures."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.components.recorder import get_instance, history, statistics
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, UnitOfTemperature
from homeassistant.core import HomeAssistant, State
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import TemperatureConverter

PERIOD: Final = 300  # seconds

# The newest periods may not have statistics yet.
_WITHOUT_STATISTICS: Final = timedelta(hours=2)

# Means by the number of their 5 minutes since 1970
type Means = dict[int, float]


async def async_temperature_means(
    hass: HomeAssistant, entity_ids: Iterable[str], start: datetime, end: datetime
) -> dict[str, Means]:
    """Return the mean temperatures of entities in °C.

    From short-term statistics; from the states before these begin, and in the last
    2 hours where there are none. A state counts until the next one; one that is not a
    temperature leaves a gap.
    """
    return await get_instance(hass).async_add_executor_job(
        _temperature_means, hass, set(entity_ids), start, end
    )


def _temperature_means(
    hass: HomeAssistant, entity_ids: set[str], start: datetime, end: datetime
) -> dict[str, Means]:
    rows = statistics.statistics_during_period(
        hass,
        start,
        end,
        entity_ids,
        "5minute",
        {"temperature": UnitOfTemperature.CELSIUS},
        {"mean"},
    )
    found: dict[str, Means] = {}
    for entity_id in entity_ids:
        compiled = {
            int(row["start"] // PERIOD): mean
            for row in rows.get(entity_id, ())
            if (mean := row.get("mean")) is not None
        }
        newest = max(start, end - _WITHOUT_STATISTICS)
        first = dt_util.utc_from_timestamp(
            min(compiled, default=int(end.timestamp()) // PERIOD) * PERIOD
        )
        # Before its statistics begin, an entity may have states.
        spans = [(start, first), (newest, end)] if first < newest else [(start, end)]
        found[entity_id] = means = {}
        for since, until in spans:
            states = history.state_changes_during_period(hass, since, until, entity_id)
            means.update(
                _means(states.get(entity_id, ()), since.timestamp(), until.timestamp())
            )
        means.update(compiled)
    return found


def _means(states: Iterable[State], start: float, end: float) -> Means:
    """Return the means of temperatures, each of which counts until the next one."""
    sums: dict[int, tuple[float, float]] = {}
    ordered = list(states)
    ends = [max(start, state.last_updated_timestamp) for state in ordered[1:]] + [end]
    for state, until in zip(ordered, ends, strict=False):
        if (value := celsius(state.state, state.attributes)) is None:
            continue
        since = max(start, state.last_updated_timestamp)
        while since < until:
            period = int(since // PERIOD)
            part = min(until, (period + 1) * PERIOD) - since
            total, seconds = sums.get(period, (0.0, 0.0))
            sums[period] = total + part * value, seconds + part
            since += part
    return {period: total / seconds for period, (total, seconds) in sums.items()}


def celsius(value: str, attributes: Mapping[str, Any]) -> float | None:
    """Return the temperature of a state in °C, None if it has none."""
    unit = attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    if unit not in TemperatureConverter.VALID_UNITS:
        return None
    try:
        number = TemperatureConverter.convert(
            float(value), unit, UnitOfTemperature.CELSIUS
        )
    except ValueError:
        return None
    # Neither inf nor nan, nor below absolute zero
    return number if -273.15 <= number < 1000 else None
