"""Imports the readings of a file into Home Assistant's long-term statistics."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from functools import partial
from itertools import groupby
from pathlib import Path
import sqlite3
from typing import Any, Final, cast

from homeassistant.components.recorder import get_instance
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN, SensorStateClass
from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from ..config import StationConfig, mac_of
from ..const import DOMAIN
from ..data import DATA, EspWeatherConfigEntry
from ..field import Field
from ..messages import async_translate, invalid
from ..protocol.readings import FIELDS, Reading, Reason
from ..recording.archive import ARCHIVE_DECIMALS, StagedReadings
from . import recorder
from .errors import HistoryError, HistoryReason, StoppedError
from .files import OpenFile
from .hours import SECONDS_PER_HOUR, Hour, Method
from .reader import Fault, Found, HistoryReader, Source, Target
from .writer import hour_writer

type OnProgress = Callable[[int], None]

# Home Assistant compiles an hour some seconds after its end, and would lose the hour
# of all entities if one of them already had it.
_COMPILED_AFTER: Final = timedelta(minutes=1)
# Hours that are in memory and in the recorder's queue at a time
_HOURS_AT_ONCE: Final = 2_000
_NAMED_SOURCES: Final = 20
_METHODS: Final[Mapping[SensorStateClass, Method]] = {
    SensorStateClass.MEASUREMENT: Method.MEAN,
    SensorStateClass.MEASUREMENT_ANGLE: Method.ANGLE,
    SensorStateClass.TOTAL_INCREASING: Method.METER,
}


@dataclass(frozen=True, slots=True)
class FieldOf:
    """A field of a station, which need not have reported yet."""

    entry: EspWeatherConfigEntry
    field: Field

    @property
    def method(self) -> Method:
        """Return the kind of the field's statistics."""
        return _METHODS[self.field.kind.state_class]

    @property
    def unique_id(self) -> str:
        """Return the unique ID of the field's sensor."""
        return f"{mac_of(self.entry)}_{self.field.number}"

    def entity_id(self, hass: HomeAssistant) -> str | None:
        """Return the entity ID of the field's sensor if there is one."""
        registry = er.async_get(hass)
        return registry.async_get_entity_id(SENSOR_DOMAIN, DOMAIN, self.unique_id)


def known_fields(
    hass: HomeAssistant,
    stations: Sequence[EspWeatherConfigEntry],
    mac: str | None = None,
    sources: Mapping[Source, Found] | None = None,
) -> dict[Source, FieldOf]:
    """Return the fields that sources of these names belong to.

    A single station may have another MAC in the file: `mac`. Fields that
    nobody has described are guessed from the `sources` of the file, if given.
    """
    fields = {}
    for entry in stations:
        known = StationConfig.from_entry(entry).fields
        for number in FIELDS:
            names = [Source(mac or mac_of(entry), str(number))]
            if len(stations) == 1:
                names.append(Source("", f"field{number}"))
            field = known.get(number)
            if field is None and sources is not None:
                found = [sources[name] for name in names if name in sources]
                field = field_like(entry, number, found[0]) if found else None
            if field is None:
                continue
            of = FieldOf(entry, field)
            if entity_id := of.entity_id(hass):
                names.append(Source("", entity_id))
            fields.update(dict.fromkeys(names, of))
    return fields


def field_like(entry: EspWeatherConfigEntry, number: int, found: Found) -> Field:
    """Return a field; one that nobody has described is guessed from its readings."""
    config = StationConfig.from_entry(entry)
    return config.fields.get(number) or config.guess_field(number, found.highest)


class HistoryImport:
    """The import of one file: read it, then import it, and close."""

    def __init__(self, hass: HomeAssistant, open_file: OpenFile) -> None:
        """Prepare to open the file. Raises ServiceValidationError without a recorder."""
        recorder.async_check(hass)
        self._hass = hass
        self._open_file = open_file
        self._files = ExitStack()
        self._path: Path | None = None
        self._reader: HistoryReader | None = None
        self._fields: Mapping[Source, FieldOf] = {}
        self._zone: tzinfo | None = None
        self._staged: StagedReadings | None = None
        self._job: asyncio.Future[Any] | None = None
        self._stop = asyncio.Event()
        # Otherwise Home Assistant would wait for the reading thread.
        self._forget = hass.async_add_shutdown_job(HassJob(self._async_stop))

    async def async_read(
        self,
        on_progress: OnProgress,
        fields: Mapping[Source, FieldOf] | None = None,
        zone: tzinfo | None = None,
    ) -> HistoryReader:
        """Read the file, calling back with the percentage that is done.

        The readings of the sources in `fields` are aggregated into hours; without any the
        file is only inspected. Times without a time zone are in `zone`. Raises
        ServiceValidationError if the file cannot be read.
        """
        self._fields = fields or {}
        self._zone = zone
        end = (dt_util.utcnow() - _COMPILED_AFTER).timestamp()
        await self._async_run(self._replace_reader, None)
        reader = HistoryReader(
            {
                source: Target(
                    of.field.calibrate,
                    StationConfig.from_entry(of.entry).timeout,
                    of.method,
                )
                for source, of in self._fields.items()
            },
            end,
            zone,
        )
        await self._async_read_with(reader, on_progress)
        return reader

    async def _async_read_with(
        self, reader: HistoryReader, on_progress: OnProgress
    ) -> None:
        self._reader = reader
        shown = 0

        def show(done: float) -> None:
            nonlocal shown
            if (percentage := int(100 * done)) > shown:
                shown = percentage
                self._hass.loop.call_soon_threadsafe(on_progress, percentage)

        def read() -> None:
            if self._path is None:
                self._path = self._files.enter_context(self._open_file())
            reader.read(self._path, show)

        try:
            await self._async_run(read)
        except HistoryError as err:
            raise invalid(err.reason, **err.placeholders) from err

    async def async_check_found(self) -> None:
        """Raise ServiceValidationError with the reason if there is nothing to import."""
        assert self._reader is not None
        reader = self._reader
        if any(reader.store.span(hours).hours for hours in reader.hours.values()):
            return
        entries = {of.entry.entry_id for of in self._fields.values()}
        if (
            len(entries) > 1
            and reader.sources
            and not any(source.mac for source in reader.sources)
        ):
            raise invalid("history_without_station")
        key, placeholders = await self._async_why_nothing(reader)
        raise invalid(key, **placeholders)

    async def _async_why_nothing(
        self, reader: HistoryReader
    ) -> tuple[str, dict[str, str]]:
        if reader.sources.keys() & self._fields.keys() and reader.too_new:
            return "history_nothing_new", {}
        if reader.sources:
            lines = [
                f"- {source_name(source)}: {found.readings} ({found.lowest:g} … {found.highest:g})"
                for source, found in list(reader.sources.items())[:_NAMED_SOURCES]
            ]
            return "history_nothing_sources", {"sources": "\n".join(lines)}
        if reader.faults:
            faults = await self._async_faults(reader.first_faults)
            lines = [fault_line(fault) for fault in faults]
            is_zone_missing = any(
                fault.error.reason is Reason.TIME_WITHOUT_ZONE
                for fault in reader.first_faults
            )
            key = (
                "history_nothing_zone" if is_zone_missing else "history_nothing_faults"
            )
            return key, {"faults": "\n".join(lines)}
        return "history_nothing_empty", {}

    async def async_import(
        self,
        on_progress: OnProgress,
        *,
        overwrite: bool = False,
        archive: bool = False,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Import what was read and return a summary, ready for JSON.

        Hours that have statistics already keep them, unless `overwrite`. With `archive`,
        each reading is also added to the archive. With `dry_run` nothing is imported and
        the summary says what would be. A field without an entity gets one.
        """
        assert self._reader is not None
        reader = self._reader
        store = reader.store
        spans = {
            source: span
            for source, hours in reader.hours.items()
            if (span := store.span(hours)).hours
        }
        if not dry_run:
            for source in spans:
                await self._async_add_entity(reader, source)
        # Earlier statistics may still be in its queue.
        await self._async_wait_for_recorder()
        all_metadata = await self._async_metadata(spans)
        total = sum(span.hours for span in spans.values())
        done = 0
        entities = []
        for source, span in spans.items():
            field = self._fields[source].field
            metadata = all_metadata.get(source)
            hours = reader.hours[source]
            imported = 0
            writer = None
            if metadata is not None and not dry_run:
                convert = recorder.unit_converter(field.unit, metadata)
                writer = hour_writer(self._hass, metadata, convert, hours)
            chunks = _chunks(store.read(hours))
            while chunk := await self._async_run(next, chunks, None):
                done += len(chunk)
                new = {hour.start for hour in chunk}
                if not overwrite and metadata is not None:
                    new -= await self._async_known(metadata["statistic_id"], chunk)
                imported += len(new)
                if writer is not None:
                    await writer.async_write(chunk, new)
                    await self._async_wait_for_recorder()
                on_progress(100 * done // total)
            if writer is not None:
                await writer.async_end()
                await self._async_wait_for_recorder()
            entities.append(
                {
                    "entity_id": metadata["statistic_id"] if metadata else None,
                    "field": field.number,
                    "first_hour": _iso_time(span.first),
                    "last_hour": _iso_time(span.last),
                    "readings": reader.hours[source].readings,
                    "hours_imported": imported,
                    "hours_kept": span.hours - imported,
                }
            )
        report = {**await self._async_report(reader), "entities": entities}
        archived = 0
        if archive and not dry_run:
            archived = await self._async_archive(on_progress)
        return {**report, "readings_archived": archived}

    async def _async_archive(self, on_progress: OnProgress) -> int:
        """Read the file again, for single readings; return how many were archived."""
        await self._async_run(self._replace_reader, None)
        self._staged = staged = StagedReadings()
        reader = HistoryReader(
            {
                source: Target(
                    partial(_sent_value, of.field),
                    timeout=0,
                    take=partial(staged.add, mac_of(of.entry), of.field.number),
                )
                for source, of in self._fields.items()
            },
            dt_util.utcnow().timestamp() + SECONDS_PER_HOUR,
            self._zone,
        )
        await self._async_read_with(reader, on_progress)
        try:
            return await self._hass.data[DATA].archive.async_merge(staged)
        except (OSError, sqlite3.Error) as err:
            if self._stop.is_set():
                raise invalid("history_stopped") from err
            raise invalid("history_not_archived", error=str(err)) from err

    async def _async_report(self, reader: HistoryReader) -> dict[str, Any]:
        """Return the part of the summary about the file."""
        others = {
            source: found
            for source, found in reader.sources.items()
            if source not in self._fields
        }
        return {
            "lines": reader.lines,
            "faults": reader.faults,
            "first_faults": await self._async_faults(reader.first_faults),
            "readings_too_new": reader.too_new,
            "readings_without_entity": sum(found.readings for found in others.values())
            + reader.unlisted,
            "sources_without_entity": [
                _source_report(source, found) for source, found in others.items()
            ],
            "times_without_zone": reader.clock.without_zone,
            "times_skipped": reader.clock.skipped,
            "times_doubled": reader.clock.doubled,
            "warnings": await self._async_warnings(reader),
        }

    async def _async_faults(self, faults: list[Fault]) -> list[dict[str, Any]]:
        return [
            {
                "line": fault.line,
                "column": fault.column,
                "value": fault.value,
                "reason": await async_translate(
                    self._hass,
                    f"exceptions.{fault.error.reason}.message",
                    fault.error.placeholders,
                ),
                "readings": fault.count,
            }
            for fault in faults
        ]

    async def _async_warnings(self, reader: HistoryReader) -> list[str]:
        """Return what may be missing from a database."""
        database = reader.database
        if database is None:
            return []
        warnings = []
        if database.damage is not None:
            missing = await self._hass.async_add_executor_job(
                lambda: database.missing_part
            )
            warnings.append(
                await async_translate(
                    self._hass,
                    f"exceptions.{HistoryReason.DAMAGED}.message",
                    {
                        "last": str(max(0, database.last_read)),
                        "missing": f"{100 * missing:.0f}",
                        "error": database.damage,
                    },
                )
            )
        if await self._hass.async_add_executor_job(lambda: database.is_wal_missing):
            warnings.append(
                await async_translate(
                    self._hass,
                    f"exceptions.{HistoryReason.WAL_MISSING}.message",
                    {"tables": "data"},
                )
            )
        return warnings

    async def async_close(self) -> None:
        """Delete what was read, even if its caller was cancelled."""
        self._forget()
        self._async_stop()
        if self._job is not None:
            await asyncio.gather(self._job, return_exceptions=True)
        await self._hass.async_add_executor_job(self._close)

    @callback
    def _async_stop(self) -> None:
        self._stop.set()
        if self._reader is not None:
            self._reader.stop()
        if self._staged is not None:
            self._staged.stop()

    def _close(self) -> None:
        self._replace_reader(None)
        if self._staged is not None:
            self._staged.close()
        if self._path is None:
            # An upload is deleted once it has been opened.
            with suppress(ServiceValidationError):
                self._files.enter_context(self._open_file())
        self._files.close()

    def _replace_reader(self, reader: HistoryReader | None) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = reader

    async def _async_run[T, *Ts](self, job: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run a long task in a thread, one at a time.

        Raises ServiceValidationError when Home Assistant stops.
        """
        if self._stop.is_set():
            raise invalid("history_stopped")
        stopped = object()

        def run() -> T | object:
            try:
                return job(*args)
            except StoppedError:
                return stopped

        # A thread cannot be cancelled, so async_close() waits for this one.
        self._job = self._hass.async_add_executor_job(run)
        result = await asyncio.shield(self._job)
        if result is stopped:
            raise invalid("history_stopped")
        return cast("T", result)

    async def _async_wait_for_recorder(self) -> None:
        """Wait for the recorder, but no longer than Home Assistant runs."""
        waiting = [
            asyncio.ensure_future(recorder.async_wait_for_recorder(self._hass)),
            asyncio.ensure_future(self._stop.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _async_add_entity(self, reader: HistoryReader, source: Source) -> None:
        """Create the entity of a field that has none."""
        of = self._fields[source]
        if of.entity_id(self._hass) is None:
            await of.entry.runtime_data.async_add_field(
                Reading(of.field.number, reader.sources[source].highest)
            )

    async def _async_metadata(
        self, sources: Mapping[Source, Any]
    ) -> dict[Source, recorder.StatisticMetaData]:
        """Return the metadata of the statistics of each field that has an entity.

        Raises ServiceValidationError.
        """
        entity_ids = {
            entity_id: source
            for source in sources
            if (entity_id := self._fields[source].entity_id(self._hass)) is not None
        }
        if not entity_ids:
            return {}
        metadata = {
            entity_ids[info["statistic_id"]]: recorder.StatisticMetaData(
                mean_type=info["mean_type"],
                has_sum=info["has_sum"],
                name=info["name"],
                source=info["source"],
                statistic_id=info["statistic_id"],
                unit_class=info["unit_class"],
                unit_of_measurement=info["statistics_unit_of_measurement"],
            )
            for info in await recorder.async_list_statistic_ids(
                self._hass, set(entity_ids)
            )
        }
        for source, found in metadata.items():
            recorder.check_kind(self._fields[source].method, found)
            recorder.unit_converter(self._fields[source].field.unit, found)
        return metadata

    async def _async_known(self, statistic_id: str, hours: list[Hour]) -> set[int]:
        """Return the starts of the hours that have statistics."""
        found = await get_instance(self._hass).async_add_executor_job(
            recorder.statistics_during_period,
            self._hass,
            dt_util.utc_from_timestamp(hours[0].start),
            dt_util.utc_from_timestamp(hours[-1].start + SECONDS_PER_HOUR),
            {statistic_id},
            "hour",
            None,
            {"mean"},
        )
        return {int(row["start"]) for row in found.get(statistic_id, [])}


def _sent_value(field: Field, value: float) -> float:
    """Return a value as the archive keeps it. Raises ReportError if it is impossible."""
    field.calibrate(value)
    return round(value, ARCHIVE_DECIMALS) + 0.0


def source_name(source: Source) -> str:
    """Return the name of a source for users."""
    return f"{source.mac} {source.column}".strip()


def fault_line(fault: Mapping[str, Any]) -> str:
    """Return a fault as a line of text."""
    what = f"{fault['column']} `{fault['value']}`".strip()
    times = f" (× {fault['readings']})" if fault["readings"] > 1 else ""
    return f"- {fault['line']}: {what}: {fault['reason']}{times}"


def _source_report(source: Source, found: Found) -> dict[str, Any]:
    return {
        "mac": source.mac or None,
        "column": source.column,
        "readings": found.readings,
        "lowest": found.lowest,
        "highest": found.highest,
        "first": dt_util.utc_from_timestamp(found.first).isoformat(),
        "last": dt_util.utc_from_timestamp(found.last).isoformat(),
    }


def _chunks(hours: Iterator[Hour]) -> Iterator[list[Hour]]:
    """Return the hours in groups that span a limited time each."""
    span = _HOURS_AT_ONCE * SECONDS_PER_HOUR
    for _, group in groupby(hours, lambda hour: hour.start // span):
        yield list(group)


def _iso_time(start: int) -> str:
    return dt_util.utc_from_timestamp(start).isoformat()
