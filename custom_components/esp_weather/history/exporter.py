"""Exports the readings in Home Assistant's recorder to a file as the old server kept it.

A value is written as the station has sent it: in the unit of the field and without its
calibration, according to the current options. So importing the file again with
the same options yields the same readings.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import batched, chain, count
from math import inf
import os
from pathlib import Path
import re
import sqlite3
from typing import Any, Final, override

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from homeassistant.components.http import KEY_HASS, KEY_HASS_USER, HomeAssistantView
from homeassistant.components.http.auth import async_sign_path
from homeassistant.components.recorder import get_instance
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT
from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.helpers.recorder import session_scope
from homeassistant.util import dt as dt_util, slugify
from homeassistant.util.json import json_loads_object

from ..config import StationConfig, mac_of
from ..const import DOMAIN
from ..data import EspWeatherConfigEntry
from ..messages import invalid
from ..recording.archive import CREATE_TABLE
from . import recorder
from .errors import StoppedError
from .importer import FieldOf, OnProgress

CONF_FORMAT: Final = "format"
FORMATS: Final = ("csv", "db")

COLUMNS: Final = ("Id", "API_key", "date_time", "mac", "field", "data")

_FOLDER: Final = DOMAIN
_NAME: Final = re.compile(r"[a-z0-9_-]+\.(csv|db)")
_LINK_LIFETIME: Final = timedelta(hours=24)
_HOUR: Final = 3600.0
# Time windows are made shorter or longer, so that each has about this many rows.
_LEAST_ROWS: Final = 5_000
_MOST_ROWS: Final = 20_000
_ROWS_AT_ONCE: Final = 1_000
_IDS_AT_ONCE: Final = 500
_MINUTE: Final = 60_000_000  # microseconds

# Id, time, MAC, field and value
type _Line = tuple[int, str, str, int, float]
# MAC and number of a field, and the function from its state to the value that was sent
type _FieldInUnit = tuple[str, int, Callable[[float], float] | None]


class HistoryExport:
    """An export to a file."""

    def __init__(
        self,
        hass: HomeAssistant,
        stations: Sequence[EspWeatherConfigEntry],
        file_format: str,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> None:
        """Prepare to export what was measured from `start` on and before `end`.

        Raises ServiceValidationError if that is impossible.
        """
        recorder.async_check(hass)
        if not hass.config.media_dirs:
            raise invalid("export_no_media")
        if start and end and start >= end:
            raise invalid("export_no_time")
        self._hass = hass
        self._fields = {
            entity_id: of
            for entry in stations
            for field in StationConfig.from_entry(entry).fields.values()
            if (entity_id := (of := FieldOf(entry, field)).entity_id(hass))
        }
        self._start = start.timestamp() if start else 0.0
        self._end = (end or dt_util.utcnow() + timedelta(days=1)).timestamp()
        self._format = file_format
        name = slugify(stations[0].title) if len(stations) == 1 else "all"
        now = dt_util.now()
        self._stem = f"{DOMAIN}-{name}-{now:%Y%m%d-%H%M%S}"
        self._stopped = False

    async def async_run(self, on_progress: OnProgress) -> dict[str, Any]:
        """Export, and return the path of the file, a link to it and a summary.

        Raises ServiceValidationError if there is nothing to export, or HomeAssistantError
        if it fails.
        """
        forget = self._hass.async_add_shutdown_job(HassJob(self.async_stop))
        shown = 0

        def show(done: float) -> None:
            nonlocal shown
            if (percentage := int(100 * done)) > shown:
                shown = percentage
                self._hass.loop.call_soon_threadsafe(on_progress, percentage)

        # Include what the recorder has not written yet.
        await recorder.async_wait_for_recorder(self._hass)
        try:
            path, readings = await get_instance(self._hass).async_add_executor_job(
                self._write, show
            )
        except StoppedError as err:
            raise invalid("history_stopped") from err
        except (OSError, sqlite3.Error, SQLAlchemyError) as err:
            raise invalid("export_failed", error=str(err)) from err
        finally:
            forget()
        return {
            "path": str(path),
            "url": async_sign_path(
                self._hass, ExportView.url.format(name=path.name), _LINK_LIFETIME
            ),
            "readings": readings,
        }

    @callback
    def async_stop(self) -> None:
        """Cancel the export and delete its file."""
        self._stopped = True

    def _write(self, on_progress: Callable[[float], None]) -> tuple[Path, int]:
        folder = export_folder(self._hass)
        folder.mkdir(parents=True, exist_ok=True)
        path = _free_path(folder, self._stem, self._format)
        part = path.with_suffix(f".{self._format}.part")
        writer = _CsvWriter(part) if self._format == "csv" else _DatabaseWriter(part)
        try:
            with closing(writer):
                written = 0
                for done, lines in self._batches():
                    writer.write(lines)
                    written += len(lines)
                    on_progress(done)
                    if self._stopped:
                        raise StoppedError
            if not written:
                raise invalid("export_nothing")
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
        return path, written

    def _batches(self) -> Iterator[tuple[float, list[_Line]]]:
        """Return the readings in order of time, with the share that is done."""
        metadata = self._metadata()
        if not metadata:
            return
        lines = _Lines(metadata)
        ids = list(metadata)
        if (span := self._span(ids, self._start)) is None:
            return
        first, last = start, _ = span
        window = _HOUR
        while start <= last:
            query = (
                select(
                    recorder.States.last_updated_ts,
                    recorder.States.metadata_id,
                    recorder.States.state,
                    recorder.States.attributes_id,
                )
                .where(
                    recorder.States.metadata_id.in_(ids),
                    recorder.States.last_updated_ts >= start,
                    recorder.States.last_updated_ts < min(start + window, self._end),
                )
                .order_by(recorder.States.last_updated_ts, recorder.States.state_id)
            )
            # Each window has a transaction of its own, so that the recorder's log does
            # not grow. Its rows are fetched into memory, since not every database can be queried
            # for the units while it still returns rows.
            with session_scope(hass=self._hass, read_only=True) as session:
                # Plain tuples, which take a third of the time
                cursor = session.connection().execute(query).cursor
                assert cursor is not None
                rows = cursor.fetchall()
                lines.load_units(session, {row[3] for row in rows})
            start += window
            if not rows:
                # Nothing was recorded for a while.
                span = self._span(ids, start)
                start = span[0] if span else inf
            elif len(rows) > _MOST_ROWS:
                window /= 2
            elif len(rows) < _LEAST_ROWS:
                window *= 2
            for part in batched(rows, _ROWS_AT_ONCE):
                yield (part[-1][0] - first) / max(last - first, 1.0), lines.of(part)

    def _metadata(self) -> dict[int, FieldOf]:
        """Return the field of each metadata ID."""
        query = select(
            recorder.StatesMeta.metadata_id, recorder.StatesMeta.entity_id
        ).where(recorder.StatesMeta.entity_id.in_(self._fields))
        with session_scope(hass=self._hass, read_only=True) as session:
            return {
                metadata_id: self._fields[entity_id]
                for metadata_id, entity_id in session.execute(query)
            }

    def _span(self, ids: Sequence[int], start: float) -> tuple[float, float] | None:
        """Return the times of the first and the last state from `start` on."""
        time = recorder.States.last_updated_ts
        found: list[tuple[float, float]] = []
        with session_scope(hass=self._hass, read_only=True) as session:
            # One query per field, each answered by the index
            for metadata_id in ids:
                first, last = session.execute(
                    select(func.min(time), func.max(time)).where(
                        recorder.States.metadata_id == metadata_id,
                        time >= start,
                        time < self._end,
                    )
                ).one()
                if first is not None:
                    found.append((first, last))
        if not found:
            return None
        return min(first for first, _ in found), max(last for _, last in found)


class _Lines:
    """Converts rows of the recorder into lines of the old server."""

    def __init__(self, metadata: dict[int, FieldOf]) -> None:
        self._metadata = {
            metadata_id: (mac_of(of.entry), of.field)
            for metadata_id, of in metadata.items()
        }
        self._numbers = count(1)
        self._minute = -1
        self._prefix = ""
        # The unit in each set of attributes, None if there is none
        self._units: dict[int | None, str | None] = {}
        self._fields: dict[tuple[int, int | None], _FieldInUnit] = {}

    def load_units(self, session: Session, attributes_ids: set[int | None]) -> None:
        """Look up the units of states with these attributes."""
        unknown = attributes_ids - self._units.keys()
        if not unknown:
            return
        self._units.update(dict.fromkeys(unknown))
        for lot in batched(unknown, _IDS_AT_ONCE):
            query = select(
                recorder.StateAttributes.attributes_id,
                recorder.StateAttributes.shared_attrs,
            ).where(recorder.StateAttributes.attributes_id.in_(lot))
            for attributes_id, attributes in session.execute(query):
                unit = json_loads_object(attributes).get(ATTR_UNIT_OF_MEASUREMENT)
                self._units[attributes_id] = None if unit is None else str(unit)

    def of(self, rows: Sequence[Any]) -> list[_Line]:
        """Return the lines of the rows that hold a value."""
        lines = []
        known = self._fields
        for time, metadata_id, state, attributes_id in rows:
            try:
                value = float(state)
            except TypeError, ValueError:
                continue  # unknown or unavailable
            key = (metadata_id, attributes_id)
            if (field := known.get(key)) is None:
                field = known[key] = self._field(metadata_id, attributes_id)
            mac, number, reverse = field
            if reverse is not None:
                value = reverse(value)
            minute, rest = divmod(round(time * 1_000_000), _MINUTE)
            if minute != self._minute:
                self._minute = minute
                moment = datetime.fromtimestamp(minute * 60, UTC)
                self._prefix = f"{moment:%Y-%m-%dT%H:%M:}"
            second = f"{rest / 1_000_000:09.6f}".removesuffix(".000000")
            lines.append(
                (
                    next(self._numbers),
                    f"{self._prefix}{second}+00:00",
                    mac,
                    number,
                    value,
                )
            )
        return lines

    def _field(self, metadata_id: int, attributes_id: int | None) -> _FieldInUnit:
        """Return MAC, number, and the function from a state to the value that was sent."""
        mac, field = self._metadata[metadata_id]
        unit = self._units[attributes_id]
        converter = UNIT_CONVERTERS.get(field.kind.device_class)
        offset = field.offset
        convert: Callable[[float], float] = float
        if (
            unit != field.unit
            and converter is not None
            and {unit, field.unit} <= converter.VALID_UNITS
        ):
            convert = converter.converter_factory(unit, field.unit)
        elif not offset:
            return mac, field.number, None
        return mac, field.number, lambda value: round(convert(value) - offset, 4) + 0.0


class _Writer(ABC):
    """Writes lines to a file."""

    @abstractmethod
    def write(self, lines: list[_Line]) -> None:
        """Write some lines."""

    @abstractmethod
    def close(self) -> None:
        """Write the rest and sync the file."""


class _CsvWriter(_Writer):
    """Writes a CSV file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._file.write(",".join(COLUMNS) + "\n")

    @override
    def write(self, lines: list[_Line]) -> None:
        # No cell needs quoting. The column of the key is empty.
        self._file.writelines(
            f"{number},,{time},{mac},{field},{value}\n"
            for number, time, mac, field, value in lines
        )

    @override
    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class _DatabaseWriter(_Writer):
    """Writes a data.db."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        # The file is renamed once it is complete.
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(CREATE_TABLE)
        self._database.execute("BEGIN")

    @override
    def write(self, lines: list[_Line]) -> None:
        self._database.executemany("INSERT INTO data VALUES (?, '', ?, ?, ?, ?)", lines)

    @override
    def close(self) -> None:
        self._database.execute("COMMIT")
        self._database.close()


class ExportView(HomeAssistantView):
    """Serves exported files to administrators."""

    url = f"/api/{DOMAIN}/history/{{name}}"
    name = f"api:{DOMAIN}:history"

    async def get(self, request: web.Request, name: str) -> web.StreamResponse:
        """Return a file as a download."""
        hass = request.app[KEY_HASS]
        user = request[KEY_HASS_USER]
        # The link of an action without a user is signed for the system.
        if not (user.is_admin or user.system_generated):
            raise web.HTTPForbidden
        path = export_folder(hass) / name if hass.config.media_dirs else None
        if (
            path is None
            or not _NAME.fullmatch(name)
            or not await hass.async_add_executor_job(path.is_file)
        ):
            return web.Response(status=HTTPStatus.NOT_FOUND)
        return web.FileResponse(
            path, headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )


def export_folder(hass: HomeAssistant) -> Path:
    """Return the folder for exported files, which may not exist yet."""
    folders = hass.config.media_dirs
    return Path(folders.get("local") or next(iter(folders.values())), _FOLDER)


def _free_path(folder: Path, stem: str, suffix: str) -> Path:
    """Return the path of a file that does not exist."""
    numbered = (f"{stem}-{number}" for number in count(2))
    paths = (folder / f"{name}.{suffix}" for name in chain([stem], numbered))
    return next(path for path in paths if not path.exists())
