"""The way of an old server's readings into Home Assistant's long-term statistics."""

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Self

from homeassistant.components.file_upload import process_uploaded_file
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.models import StatisticData, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    UNIT_CLASS_TO_UNIT_CONVERTER,
    async_import_statistics,
    async_list_statistic_ids,
    statistics_during_period,
)
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.const import CONF_MAC
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.util import dt as dt_util

from ..config import StationConfig
from ..const import DOMAIN
from ..data import EspWeatherConfigEntry
from ..field import Field
from ..messages import async_translate
from ..protocol.readings import normalize_mac
from .reader import SECONDS_PER_HOUR, HistoryError, Hour, OldHistory, Source

type OnProgress = Callable[[int], None]
type OpenFile = Callable[[], AbstractContextManager[Path]]

# Home Assistant compiles an hour some seconds after its end, and would lose that
# of all entities if it found one of them there already.
_COMPILED_AFTER: Final = timedelta(minutes=1)
# So many hours are in memory and in the recorder's queue at a time.
_HOURS_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class _Target:
    """The statistics that the readings of a field belong to."""

    field: Field
    metadata: StatisticMetaData
    convert: Callable[[float], float]


class HistoryImport:
    """The import of one file: read it, then import it, and close."""

    def __init__(
        self,
        hass: HomeAssistant,
        targets: dict[Source, _Target],
        mac: str | None,
        end: float,
    ) -> None:
        """Prepare to read; async_create() does the rest."""
        self._hass = hass
        self._targets = targets
        self._mac = mac
        self._jobs: list[asyncio.Future[Any]] = []
        self._history = OldHistory(
            {source: target.field.calibrate for source, target in targets.items()}, end
        )

    @classmethod
    async def async_create(
        cls,
        hass: HomeAssistant,
        stations: list[EspWeatherConfigEntry],
        mac: str | None = None,
    ) -> Self:
        """Return an import for these stations.

        If there is only one, it may go by another MAC in the file: `mac`. Raises
        ServiceValidationError if that is none, if the recorder is not running, or
        if readings cannot be converted to the unit that their statistics have.
        """
        if DATA_INSTANCE not in hass.data:
            raise invalid("recorder_not_running")
        only = stations[0].data[CONF_MAC] if len(stations) == 1 else None
        if mac is not None:
            if only is None:
                raise invalid("history_without_station")
            try:
                mac = normalize_mac(mac)
            except ValueError as err:
                raise invalid("invalid_mac") from err
        end = (dt_util.utcnow() - _COMPILED_AFTER).timestamp()
        # Statistics of the hours before may still be in its queue.
        await _async_wait_for_recorder(hass)
        targets = {
            (mac or station.data[CONF_MAC], number): target
            for station in stations
            for number, target in (await _async_targets(hass, station)).items()
        }
        return cls(hass, targets, mac or only, end)

    async def async_read(self, open_file: OpenFile, on_progress: OnProgress) -> None:
        """Read a file, calling back with the percentage that is done.

        Raises ServiceValidationError if that cannot be done.
        """
        shown = 0

        def show(done: float) -> None:
            nonlocal shown
            if (percentage := int(100 * done)) > shown:
                shown = percentage
                self._hass.loop.call_soon_threadsafe(on_progress, percentage)

        def read() -> None:
            with open_file() as path:
                self._history.read(path, self._mac, show)

        try:
            await self._async_run(read)
        except HistoryError as err:
            raise invalid(err.reason, **err.placeholders) from err

    async def async_import(
        self, on_progress: OnProgress, *, overwrite: bool = False, dry_run: bool = False
    ) -> dict[str, Any]:
        """Import what was read and return a report, ready to be JSON.

        Hours that have statistics already keep them, unless `overwrite`. With
        `dry_run` nothing is imported and the report tells what would be.
        """
        history = self._history
        entities = []
        all_series = await self._async_run(history.series)
        hours = sum(series.hours for series in all_series)
        done = 0
        for series in all_series:
            target = self._targets[series.source]
            imported = 0
            chunks = _chunks(history.hours(series.source))
            while chunk := await self._async_run(next, chunks, None):
                done += len(chunk)
                if not overwrite:
                    chunk = await self._async_missing(target, chunk)
                imported += len(chunk)
                if chunk and not dry_run:
                    await self._async_import_hours(target, chunk)
                on_progress(100 * done // hours)
            entities.append(
                {
                    "entity_id": target.metadata["statistic_id"],
                    "first_hour": _iso_time(series.first),
                    "last_hour": _iso_time(series.last),
                    "readings": series.readings,
                    "hours_imported": imported,
                    "hours_kept": series.hours - imported,
                }
            )
        return {
            "lines": history.lines,
            "entities": entities,
            "bad_lines": history.bad_lines,
            "first_bad_lines": [
                {
                    "line": line.number,
                    "reason": await async_translate(
                        self._hass,
                        f"exceptions.{line.reason.reason}.message",
                        line.reason.placeholders,
                    ),
                }
                for line in history.first_bad_lines
            ],
            "readings_too_new": history.too_new,
            "readings_without_entity": history.unknown,
            "sources_without_entity": [
                {"mac": mac, "field": field, "readings": readings}
                for (mac, field), readings in history.unknown_sources.items()
            ],
        }

    async def async_close(self) -> None:
        """Delete what was read, also if somebody has given up waiting for it."""
        self._history.stop()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        await self._hass.async_add_executor_job(self._history.close)

    async def _async_run[T, *Ts](self, job: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run what takes its time, one at a time."""
        running = self._hass.async_add_executor_job(job, *args)
        # A thread cannot be cancelled, so async_close() waits for this one.
        self._jobs = [running]
        return await asyncio.shield(running)

    async def _async_missing(self, target: _Target, hours: list[Hour]) -> list[Hour]:
        """Return the hours that have no statistics yet."""
        statistic_id = target.metadata["statistic_id"]
        statistics = await get_instance(self._hass).async_add_executor_job(
            statistics_during_period,
            self._hass,
            dt_util.utc_from_timestamp(hours[0].start),
            dt_util.utc_from_timestamp(hours[-1].start + SECONDS_PER_HOUR),
            {statistic_id},
            "hour",
            None,
            {"mean"},
        )
        present = {row["start"] for row in statistics.get(statistic_id, ())}
        return [hour for hour in hours if hour.start not in present]

    async def _async_import_hours(self, target: _Target, hours: list[Hour]) -> None:
        convert = target.convert
        async_import_statistics(
            self._hass,
            target.metadata,
            [
                StatisticData(
                    start=dt_util.utc_from_timestamp(hour.start),
                    mean=convert(hour.mean),
                    min=convert(hour.minimum),
                    max=convert(hour.maximum),
                )
                for hour in hours
            ],
        )
        await _async_wait_for_recorder(self._hass)


async def _async_wait_for_recorder(hass: HomeAssistant) -> None:
    """Return when the recorder has done everything that it was told up to now.

    Recorder.async_block_till_done() does not wait for the task it is just at.
    """
    done = hass.loop.create_future()
    get_instance(hass).queue_task(SynchronizeTask(done))
    await done


async def _async_targets(
    hass: HomeAssistant, station: EspWeatherConfigEntry
) -> dict[int, _Target]:
    """Return where the readings of each field belong that has an entity.

    Raises ServiceValidationError.
    """
    registry = er.async_get(hass)
    fields = {
        entity_id: field
        for field in StationConfig.from_entry(station).fields.values()
        if (
            entity_id := registry.async_get_entity_id(
                SENSOR_DOMAIN, DOMAIN, f"{station.data[CONF_MAC]}_{field.number}"
            )
        )
    }
    if not fields:
        return {}
    targets = {}
    for info in await async_list_statistic_ids(hass, set(fields)):
        field = fields[info["statistic_id"]]
        metadata = StatisticMetaData(
            mean_type=info["mean_type"],
            has_sum=info["has_sum"],
            name=info["name"],
            source=info["source"],
            statistic_id=info["statistic_id"],
            unit_class=info["unit_class"],
            unit_of_measurement=info["statistics_unit_of_measurement"],
        )
        targets[field.number] = _Target(field, metadata, _converter(field, metadata))
    return targets


def _converter(field: Field, metadata: StatisticMetaData) -> Callable[[float], float]:
    """Return the function from the unit of a field to that of its statistics.

    Raises ServiceValidationError.
    """
    unit = metadata["unit_of_measurement"]
    if unit == field.unit:
        return float
    converter = UNIT_CLASS_TO_UNIT_CONVERTER.get(metadata["unit_class"])
    if converter is None or not {unit, field.unit} <= converter.VALID_UNITS:
        raise invalid(
            "history_unit",
            entity_id=metadata["statistic_id"],
            unit=field.unit or "-",
            statistics_unit=unit or "-",
        )
    return converter.converter_factory(field.unit, unit)


def _chunks(hours: Iterator[Hour]) -> Iterator[list[Hour]]:
    """Return the hours in groups that span a limited time each."""
    span = _HOURS_AT_ONCE * SECONDS_PER_HOUR
    for _, group in groupby(hours, lambda hour: hour.start // span):
        yield list(group)


def _iso_time(hour: int) -> str:
    return dt_util.utc_from_timestamp(hour * SECONDS_PER_HOUR).isoformat()


@contextmanager
def uploaded_file(hass: HomeAssistant, file_id: str) -> Generator[Path]:
    """Return a file that was uploaded, and delete it afterwards.

    Raises ServiceValidationError if it is not there any more.
    """
    try:
        with process_uploaded_file(hass, file_id) as path:
            yield path
    except ValueError as err:
        raise invalid("upload_not_found") from err


def invalid(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the error `key` of the translations."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders=placeholders,
    )
