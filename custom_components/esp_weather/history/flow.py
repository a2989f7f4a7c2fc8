"""Options flow steps that import and export the readings of a station."""

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import datetime
from functools import partial
import re
from typing import Any, Final, override
from zoneinfo import available_timezones

import voluptuous as vol

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.core import callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.selector import (
    BooleanSelector,
    DateTimeSelector,
    FileSelector,
    FileSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.util import dt as dt_util

from ..config import StationConfig
from ..const import CONF_ARCHIVE
from ..field import Field
from ..messages import async_translate
from ..protocol.readings import FIELDS
from .exporter import CONF_FORMAT, FORMATS, HistoryExport
from .files import uploaded_file
from .importer import (
    FieldOf,
    HistoryImport,
    fault_line,
    field_like,
    known_fields,
    source_name,
)
from .reader import Found, HistoryReader, Source

CONF_END: Final = "end"
CONF_FIELD: Final = "field"
CONF_FILE: Final = "file"
CONF_OVERWRITE: Final = "overwrite"
CONF_START: Final = "start"
CONF_TIME_ZONE: Final = "time_zone"

FILE_SELECTOR: Final = FileSelector(FileSelectorConfig(accept=".db,.csv,.txt,.tsv"))

_FILE_SCHEMA: Final = vol.Schema({vol.Required(CONF_FILE): FILE_SELECTOR})
_EXPORT_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_FORMAT): SelectSelector(
            SelectSelectorConfig(options=list(FORMATS), translation_key=CONF_FORMAT)
        ),
        vol.Optional(CONF_START): DateTimeSelector(),
        vol.Optional(CONF_END): DateTimeSelector(),
    }
)


class HistoryFlow(OptionsFlowWithReload):
    """Imports a file step by step, or exports one."""

    _error: ServiceValidationError | None = None
    _export: HistoryExport | None = None
    _history: HistoryImport | None = None
    _archive = False
    _overwrite = False
    _fields: Mapping[Source, FieldOf]
    _overview: HistoryReader
    _report: dict[str, Any]
    _task: asyncio.Task[Any] | None = None
    _zone: str | None = None

    async def async_step_history(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the file."""
        if user_input is not None:
            self._close()
            self._error = None
            try:
                self._history = HistoryImport(
                    self.hass,
                    partial(uploaded_file, self.hass, user_input[CONF_FILE]),
                )
            except ServiceValidationError as err:
                self._error = err
            else:
                return self._async_start("history_look", self._async_look())
        return self.async_show_form(
            step_id="history",
            data_schema=_FILE_SCHEMA,
            errors=self._errors,
            description_placeholders={"error": await self._async_error_message()},
            last_step=False,
        )

    async def async_step_history_look(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the progress of the first look at the file."""
        return self._async_wait("history_look", "history_fields", "history")

    async def async_step_history_fields(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what is in the file, and ask which readings belong to which field."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._error = None
            self._overwrite = user_input[CONF_OVERWRITE]
            self._archive = user_input.get(CONF_ARCHIVE, False)
            self._zone = user_input.get(CONF_TIME_ZONE)
            chosen = {
                number: sources[user_input[key]]
                for number in FIELDS
                if (key := f"{CONF_FIELD}_{number}") in user_input
                for sources in [self._sources]
            }
            if not chosen:
                errors["base"] = "history_no_field"
            elif len({*chosen.values()}) < len(chosen):
                errors["base"] = "history_field_twice"
            else:
                entry = self.config_entry
                found = self._overview.sources
                self._fields = {
                    source: FieldOf(entry, field_like(entry, number, found[source]))
                    for number, source in chosen.items()
                }
                return self._async_start("history_read", self._async_read())
        return self.async_show_form(
            step_id="history_fields",
            data_schema=self.add_suggested_values_to_schema(
                self._fields_schema(),
                user_input
                or {
                    **{
                        f"{CONF_FIELD}_{number}": source_name(source)
                        for source, number in self._suggested.items()
                    },
                    CONF_OVERWRITE: self._overwrite,
                    CONF_ARCHIVE: True,
                    CONF_TIME_ZONE: self.hass.config.time_zone,
                },
            ),
            errors=errors or self._errors,
            description_placeholders={
                "error": await self._async_error_message(),
                "sources": "\n".join(
                    f"| {_escape(source_name(source))} | {found.readings} | {found.lowest:g}"
                    f" | {found.highest:g} |"
                    for source, found in self._overview.sources.items()
                ),
            },
            last_step=False,
        )

    async def async_step_history_read(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the progress of reading."""
        return self._async_wait("history_read", "history_confirm", "history_fields")

    async def async_step_history_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what would be imported."""
        if user_input is not None:
            return self._async_start("history_import", self._async_import())
        return self.async_show_form(
            step_id="history_confirm",
            description_placeholders=await self._async_placeholders(self._report),
            last_step=True,
        )

    async def async_step_history_import(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the progress of the import."""
        return self._async_wait(
            "history_import", "history_imported", "history_import_failed"
        )

    async def async_step_history_imported(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what was imported."""
        return self.async_abort(
            reason="history_imported",
            description_placeholders=await self._async_placeholders(self._report),
        )

    async def async_step_history_import_failed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show why the import has failed."""
        return await self._async_abort_failed()

    async def async_step_export(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the format and the period of the export."""
        if user_input is not None:
            self._error = None
            try:
                self._export = HistoryExport(
                    self.hass,
                    [self.config_entry],
                    user_input[CONF_FORMAT],
                    _time(user_input.get(CONF_START)),
                    _time(user_input.get(CONF_END)),
                )
            except ServiceValidationError as err:
                self._error = err
            else:
                return self._async_start(
                    "export_run", self._export.async_run(self._async_show_percentage)
                )
        return self.async_show_form(
            step_id="export",
            data_schema=self.add_suggested_values_to_schema(
                _EXPORT_SCHEMA, user_input or {CONF_FORMAT: FORMATS[0]}
            ),
            errors=self._errors,
            description_placeholders={"error": await self._async_error_message()},
            last_step=True,
        )

    async def async_step_export_run(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the progress of the export."""
        return self._async_wait("export_run", "exported", "export")

    async def async_step_exported(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show where the file is."""
        assert self._task is not None
        result = self._task.result()
        return self.async_abort(
            reason="history_exported",
            description_placeholders={
                "readings": str(result["readings"]),
                "path": result["path"],
                "url": result["url"],
                "name": result["path"].rpartition("/")[2],
            },
        )

    @callback
    @override
    def async_remove(self) -> None:
        """Discard what was read when the dialog is closed."""
        self._close()

    @callback
    def _close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._history is not None:
            self.hass.async_create_task(self._history.async_close())
            self._history = None
        if self._export is not None:
            self._export.async_stop()
            self._export = None

    @property
    def _sources(self) -> dict[str, Source]:
        """Return the sources in the file by their names in the dialog."""
        return {source_name(source): source for source in self._overview.sources}

    @property
    def _suggested(self) -> dict[Source, int]:
        """Return the fields that sources seem to belong to."""
        sources = self._overview.sources
        entry = self.config_entry
        known = known_fields(self.hass, [entry], None, sources)
        suggested = {
            source: known[source].field.number for source in sources if source in known
        }
        fields = StationConfig.from_entry(entry).fields
        # A column named like what one of the fields measures
        for source in sources:
            numbers = [
                number
                for number, field in fields.items()
                if _is_called(field, source.column) and number not in suggested.values()
            ]
            if not source.mac and source not in suggested and numbers:
                suggested[source] = numbers[0]
        return suggested

    def _fields_schema(self) -> vol.Schema:
        sources = self._overview.sources
        numbers = {
            number
            for number, field in StationConfig.from_entry(
                self.config_entry
            ).fields.items()
            if FieldOf(self.config_entry, field).entity_id(self.hass)
        } | {*self._suggested.values()}
        for number in FIELDS:
            if len(numbers) < min(len(sources), len(FIELDS)):
                numbers.add(number)
        selector = SelectSelector(
            SelectSelectorConfig(
                options=[
                    SelectOptionDict(
                        value=source_name(source), label=_label(source, found)
                    )
                    for source, found in sources.items()
                ],
                mode=SelectSelectorMode.DROPDOWN,
            )
        )
        schema: dict[vol.Marker, Any] = {
            vol.Optional(f"{CONF_FIELD}_{number}"): selector
            for number in sorted(numbers)
        }
        if self._overview.clock.without_zone:
            schema[vol.Required(CONF_TIME_ZONE)] = SelectSelector(
                SelectSelectorConfig(
                    options=sorted(available_timezones()),
                    mode=SelectSelectorMode.DROPDOWN,
                )
            )
        schema[vol.Required(CONF_OVERWRITE)] = BooleanSelector()
        if StationConfig.from_entry(self.config_entry).archive:
            schema[vol.Required(CONF_ARCHIVE)] = BooleanSelector()
        return vol.Schema(schema)

    async def _async_look(self) -> None:
        assert self._history is not None
        self._overview = await self._history.async_read(
            self._async_show_percentage, zone=dt_util.get_default_time_zone()
        )
        if not self._overview.sources:
            await self._history.async_check_found()

    async def _async_read(self) -> None:
        assert self._history is not None
        zone = await dt_util.async_get_time_zone(
            self._zone or self.hass.config.time_zone
        )
        await self._history.async_read(self._async_show_percentage, self._fields, zone)
        await self._history.async_check_found()
        self._report = await self._history.async_import(
            self._async_show_percentage, overwrite=self._overwrite, dry_run=True
        )

    async def _async_import(self) -> None:
        assert self._history is not None
        self._report = await self._history.async_import(
            self._async_show_percentage,
            overwrite=self._overwrite,
            archive=self._archive,
        )

    @callback
    def _async_start(
        self, step_id: str, job: Coroutine[Any, Any, Any]
    ) -> ConfigFlowResult:
        self._task = self.hass.async_create_task(job)
        # Shown even if the task is done by now: Home Assistant would otherwise pass
        # the user's input on to the next step.
        return self._async_show_history_progress(step_id)

    @callback
    def _async_show_history_progress(self, step_id: str) -> ConfigFlowResult:
        return self.async_show_progress(
            step_id=step_id, progress_action=step_id, progress_task=self._task
        )

    @callback
    def _async_wait(self, step_id: str, then: str, failed: str) -> ConfigFlowResult:
        """Continue when the task is done, with another step if it has failed."""
        assert self._task is not None
        if not self._task.done():
            return self._async_show_history_progress(step_id)
        try:
            self._task.result()
        except ServiceValidationError as err:
            self._error = err
            then = failed
        return self.async_show_progress_done(next_step_id=then)

    @callback
    def _async_show_percentage(self, percentage: int) -> None:
        self.async_update_progress(percentage / 100)

    @property
    def _errors(self) -> dict[str, str]:
        return {"base": "history_failed"} if self._error else {}

    async def _async_abort_failed(self) -> ConfigFlowResult:
        return self.async_abort(
            reason="history_failed",
            description_placeholders={"error": await self._async_error_message()},
        )

    async def _async_error_message(self) -> str:
        if self._error is None:
            return ""
        return await async_translate(
            self.hass,
            f"exceptions.{self._error.translation_key}.message",
            self._error.translation_placeholders or {},
        )

    async def _async_placeholders(self, report: dict[str, Any]) -> dict[str, str]:
        """Return the summary of the import as placeholders of the dialog."""
        entities = [
            await async_translate(
                self.hass,
                "common.history_entity",
                {
                    "name": await self._async_name(found["entity_id"], found["field"]),
                    "first": _local_time(found["first_hour"]),
                    "last": _local_time(found["last_hour"]),
                    "readings": str(found["readings"]),
                    "new": str(found["hours_imported"]),
                    "kept": str(found["hours_kept"]),
                },
            )
            for found in report["entities"]
        ]
        return {
            **{
                key: str(value)
                for key, value in report.items()
                if isinstance(value, int)
            },
            "entities": "\n".join(f"- {entity}" for entity in entities),
            "first_faults": "\n".join(
                [
                    *(f"**{warning}**\n" for warning in report["warnings"]),
                    *map(fault_line, report["first_faults"]),
                ]
            ),
        }

    async def _async_name(self, entity_id: str | None, field: int) -> str:
        """Return what a person calls the sensor of a field, which may be a new one."""
        entity = er.async_get(self.hass).async_get(entity_id or "")
        if entity is None:
            return await async_translate(
                self.hass, "common.history_new_entity", {"field": str(field)}
            )
        return entity.name or entity.original_name or entity.entity_id


def _is_called(field: Field, column: str) -> bool:
    """Return whether a column has the name or the kind of a field."""
    name = column.lower()
    return name == (field.name or "").lower() or name.startswith(field.kind_name)


def _escape(text: str) -> str:
    """Return text of a file as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_\[\]<>|~])", r"\\\1", text)


def _label(source: Source, found: Found) -> str:
    name = source_name(source)
    return f"{name}: {found.readings} ({found.lowest:g} … {found.highest:g})"


def _local_time(time: str) -> str:
    return f"{dt_util.as_local(datetime.fromisoformat(time)):%Y-%m-%d %H:%M}"


def _time(text: str | None) -> datetime | None:
    """Parse the value of a time selector, which is in local time."""
    if text is None:
        return None
    return datetime.fromisoformat(text).replace(tzinfo=dt_util.get_default_time_zone())
