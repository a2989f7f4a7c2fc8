"""The dialog that imports the readings of an old server for one station."""

import asyncio
from datetime import datetime
from functools import partial
from typing import Any, Final, override

import voluptuous as vol

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_MAC
from homeassistant.core import callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.selector import (
    BooleanSelector,
    FileSelector,
    FileSelectorConfig,
    TextSelector,
)
from homeassistant.util import dt as dt_util

from ..messages import async_translate
from .importer import HistoryImport, uploaded_file

CONF_FILE: Final = "file"
CONF_OVERWRITE: Final = "overwrite"

_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_FILE): FileSelector(FileSelectorConfig(accept=".db,.csv")),
        vol.Required(CONF_MAC): TextSelector(),
        vol.Required(CONF_OVERWRITE): BooleanSelector(),
    }
)


class HistoryFlow(OptionsFlowWithReload):
    """The steps from the upload, through a look at what is in it, to the import."""

    _error: ServiceValidationError | None = None
    _history: HistoryImport | None = None
    _overwrite = False
    _report: dict[str, Any]
    _task: asyncio.Task[dict[str, Any]]

    async def async_step_history(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the file."""
        if user_input is not None:
            self._close()
            self._error = None
            self._overwrite = user_input[CONF_OVERWRITE]
            try:
                self._history = await HistoryImport.async_create(
                    self.hass, [self.config_entry], user_input[CONF_MAC]
                )
            except ServiceValidationError as err:
                self._error = err
            else:
                self._task = self.hass.async_create_task(
                    self._async_read(self._history, user_input[CONF_FILE])
                )
                return self._async_show_history_progress("history_read")
        return self.async_show_form(
            step_id="history",
            data_schema=self.add_suggested_values_to_schema(
                _SCHEMA,
                {
                    CONF_MAC: self.config_entry.data[CONF_MAC],
                    CONF_OVERWRITE: self._overwrite,
                },
            ),
            errors={"base": "history_failed"} if self._error else {},
            description_placeholders={"error": await self._async_error_message()},
            last_step=False,
        )

    async def async_step_history_read(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show how the reading goes on."""
        if not self._task.done():
            return self._async_show_history_progress("history_read")
        try:
            self._report = self._task.result()
        except ServiceValidationError as err:
            self._error = err
            return self.async_show_progress_done(next_step_id="history")
        return self.async_show_progress_done(next_step_id="history_confirm")

    async def async_step_history_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what would be imported."""
        assert self._history is not None
        if user_input is not None:
            self._task = self.hass.async_create_task(
                self._history.async_import(
                    self._async_show_percentage, overwrite=self._overwrite
                )
            )
            return self._async_show_history_progress("history_import")
        return self.async_show_form(
            step_id="history_confirm",
            description_placeholders=_placeholders(self._report),
            last_step=True,
        )

    async def async_step_history_import(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show how the import goes on."""
        if not self._task.done():
            return self._async_show_history_progress("history_import")
        self._report = self._task.result()
        return self.async_show_progress_done(next_step_id="history_imported")

    async def async_step_history_imported(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what was imported."""
        return self.async_abort(
            reason="history_imported",
            description_placeholders=_placeholders(self._report),
        )

    @callback
    @override
    def async_remove(self) -> None:
        """Forget what was read when the dialog is over."""
        self._close()

    @callback
    def _close(self) -> None:
        if self._history is not None:
            self._task.cancel()
            self.hass.async_create_task(self._history.async_close())
            self._history = None

    async def _async_read(self, history: HistoryImport, file_id: str) -> dict[str, Any]:
        await history.async_read(
            partial(uploaded_file, self.hass, file_id), self._async_show_percentage
        )
        return await history.async_import(
            self._async_show_percentage, overwrite=self._overwrite, dry_run=True
        )

    @callback
    def _async_show_history_progress(self, step_id: str) -> ConfigFlowResult:
        # Shown even if the task is done by now: Home Assistant would give what the
        # user has submitted to the step that comes next, too.
        return self.async_show_progress(
            step_id=step_id, progress_action=step_id, progress_task=self._task
        )

    @callback
    def _async_show_percentage(self, percentage: int) -> None:
        self.async_update_progress(percentage / 100)

    async def _async_error_message(self) -> str:
        if self._error is None:
            return ""
        return await async_translate(
            self.hass,
            f"exceptions.{self._error.translation_key}.message",
            self._error.translation_placeholders or {},
        )


def _placeholders(report: dict[str, Any]) -> dict[str, str]:
    """Return the report in the form that the texts of the dialog have a place for."""
    return {
        **{key: str(value) for key, value in report.items()},
        "entities": "\n".join(
            "| {entity_id} | {first} | {last} | {readings} | {hours_imported}"
            " | {hours_kept} |".format(
                first=_local_time(entity["first_hour"]),
                last=_local_time(entity["last_hour"]),
                **entity,
            )
            for entity in report["entities"]
        ),
        "first_bad_lines": "\n".join(
            f"- {line['line']}: {line['reason']}" for line in report["first_bad_lines"]
        ),
    }


def _local_time(time: str) -> str:
    return f"{dt_util.as_local(datetime.fromisoformat(time)):%Y-%m-%d %H:%M}"
