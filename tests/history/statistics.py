"""Reads the statistics that the recorder has stored."""

from datetime import UTC, datetime
from typing import Any

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.db_schema import Statistics, StatisticsMeta
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import session_scope

MEAN = (Statistics.mean, Statistics.min, Statistics.max)
ANGLE = (Statistics.mean, Statistics.mean_weight)
METER = (Statistics.state, Statistics.sum)


async def stored_hours(
    hass: HomeAssistant, statistic_id: str | None, columns: tuple[Any, ...] = MEAN
) -> dict[datetime, tuple[Any, ...]]:
    """Return mean, minimum and maximum, or other columns, of each stored hour."""
    instance = get_instance(hass)
    await instance.async_block_till_done()

    def read() -> dict[datetime, tuple[Any, ...]]:
        with session_scope(hass=hass, read_only=True) as session:
            return {
                datetime.fromtimestamp(start, UTC): tuple(values)
                for start, *values in session.query(Statistics.start_ts, *columns)
                .join(StatisticsMeta, StatisticsMeta.id == Statistics.metadata_id)
                .where(StatisticsMeta.statistic_id == statistic_id)
                .order_by(Statistics.start_ts)
            }

    return await instance.async_add_executor_job(read)
