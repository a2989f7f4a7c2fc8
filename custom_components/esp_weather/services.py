"""The action that brings the readings of an old server along."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import voluptuous as vol

from homeassistant.components import persistent_notification
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, CONF_MAC, CONF_PATH
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import FileSelector, FileSelectorConfig
from homeassistant.helpers.service import (
    async_get_config_entry,
    async_register_admin_service,
)

from .const import DOMAIN
from .history.importer import HistoryImport, invalid, uploaded_file
from .messages import async_translate

SERVICE_IMPORT_HISTORY: Final = "import_history"

ATTR_DRY_RUN: Final = "dry_run"
ATTR_FILE: Final = "file"
ATTR_OVERWRITE: Final = "overwrite"

_IMPORT_HISTORY_SCHEMA: Final = vol.Schema(
    {
        vol.Optional(ATTR_FILE): FileSelector(FileSelectorConfig(accept=".db,.csv")),
        vol.Optional(CONF_PATH): cv.string,
        vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
        vol.Optional(CONF_MAC): cv.string,
        vol.Optional(ATTR_OVERWRITE, default=False): cv.boolean,
        vol.Optional(ATTR_DRY_RUN, default=False): cv.boolean,
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_IMPORT_HISTORY,
        _async_import_history,
        schema=_IMPORT_HISTORY_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )


async def _async_import_history(call: ServiceCall) -> ServiceResponse:
    hass = call.hass
    if (ATTR_FILE in call.data) == (CONF_PATH in call.data):
        raise invalid("upload_or_path")
    if ATTR_FILE in call.data:
        open_file = partial(uploaded_file, hass, call.data[ATTR_FILE])
    else:
        open_file = partial(_allowed_file, hass, call.data[CONF_PATH])
    stations = hass.config_entries.async_entries(DOMAIN)
    if ATTR_CONFIG_ENTRY_ID in call.data:
        entry_id = call.data[ATTR_CONFIG_ENTRY_ID]
        stations = [async_get_config_entry(hass, DOMAIN, entry_id)]
    reading = await async_translate(hass, "common.history_reading")
    importing = await async_translate(hass, "common.history_importing")
    history = await HistoryImport.async_create(hass, stations, call.data.get(CONF_MAC))
    notification_id = f"{SERVICE_IMPORT_HISTORY}_{call.context.id}"

    @callback
    def show(what: str, percentage: int) -> None:
        persistent_notification.async_create(
            hass, f"{what}: {percentage} %", "ESP Weather", notification_id
        )

    try:
        await history.async_read(open_file, partial(show, reading))
        return await history.async_import(
            partial(show, importing),
            overwrite=call.data[ATTR_OVERWRITE],
            dry_run=call.data[ATTR_DRY_RUN],
        )
    finally:
        persistent_notification.async_dismiss(hass, notification_id)
        await history.async_close()


@contextmanager
def _allowed_file(hass: HomeAssistant, path: str) -> Generator[Path]:
    """Return a file that Home Assistant is allowed to show to its users.

    Raises ServiceValidationError.
    """
    # A relative path is one from the configuration folder.
    path = hass.config.path(path)
    if not hass.config.is_allowed_path(path):
        raise invalid("path_not_allowed", path=path)
    if not (file := Path(path)).is_file():
        raise invalid("file_not_found", path=path)
    yield file
