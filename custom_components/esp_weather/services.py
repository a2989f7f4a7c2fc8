"""The actions that import and export readings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Self
from zoneinfo import available_timezones

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
from homeassistant.helpers.service import (
    async_get_config_entry,
    async_register_admin_service,
)
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .data import EspWeatherConfigEntry
from .history.exporter import CONF_FORMAT, FORMATS, ExportView, HistoryExport
from .history.files import allowed_file, uploaded_file
from .history.flow import FILE_SELECTOR
from .history.importer import (
    FieldOf,
    HistoryImport,
    OnProgress,
    field_like,
    known_fields,
)
from .history.reader import Found, Source
from .messages import async_translate, invalid
from .protocol.readings import FIELDS, normalize_mac

SERVICE_EXPORT_HISTORY: Final = "export_history"
SERVICE_IMPORT_HISTORY: Final = "import_history"

ATTR_ARCHIVE: Final = "archive"
ATTR_COLUMNS: Final = "columns"
ATTR_CREATE_ENTITIES: Final = "create_entities"
ATTR_DRY_RUN: Final = "dry_run"
ATTR_END: Final = "end"
ATTR_FILE: Final = "file"
ATTR_OVERWRITE: Final = "overwrite"
ATTR_START: Final = "start"
ATTR_TIME_ZONE: Final = "time_zone"

_IMPORT_HISTORY_SCHEMA: Final = vol.Schema(
    {
        vol.Optional(ATTR_FILE): FILE_SELECTOR,
        vol.Optional(CONF_PATH): cv.string,
        vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
        vol.Optional(CONF_MAC): cv.string,
        vol.Optional(ATTR_COLUMNS): {
            cv.string: vol.All(vol.Coerce(int), vol.In(FIELDS))
        },
        vol.Optional(ATTR_TIME_ZONE): cv.string,
        vol.Optional(ATTR_CREATE_ENTITIES, default=False): cv.boolean,
        vol.Optional(ATTR_OVERWRITE, default=False): cv.boolean,
        vol.Optional(ATTR_ARCHIVE, default=False): cv.boolean,
        vol.Optional(ATTR_DRY_RUN, default=False): cv.boolean,
    }
)
_EXPORT_HISTORY_SCHEMA: Final = vol.Schema(
    {
        vol.Optional(ATTR_CONFIG_ENTRY_ID): vol.All(cv.ensure_list, [cv.string]),
        vol.Optional(CONF_FORMAT, default=FORMATS[0]): vol.In(FORMATS),
        vol.Optional(ATTR_START): cv.datetime,
        vol.Optional(ATTR_END): cv.datetime,
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions and the view that serves exported files."""
    async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_IMPORT_HISTORY,
        _async_import_history,
        schema=_IMPORT_HISTORY_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )
    async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_EXPORT_HISTORY,
        _async_export_history,
        schema=_EXPORT_HISTORY_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )
    hass.http.register_view(ExportView())


async def _async_import_history(call: ServiceCall) -> ServiceResponse:
    hass = call.hass
    if (ATTR_FILE in call.data) == (CONF_PATH in call.data):
        raise invalid("upload_or_path")
    if ATTR_FILE in call.data:
        open_file = partial(uploaded_file, hass, call.data[ATTR_FILE])
    else:
        open_file = partial(allowed_file, hass, call.data[CONF_PATH])
    target = _Target.of(call)
    zone = None
    if (name := call.data.get(ATTR_TIME_ZONE)) is not None:
        if name not in await hass.async_add_executor_job(available_timezones):
            raise invalid("invalid_time_zone", time_zone=name)
        zone = await dt_util.async_get_time_zone(name)
    history = HistoryImport(hass, open_file)
    try:
        async with _Notification(call) as notification:
            reading = await notification.async_progress("common.history_reading")
            sources = None
            if target.is_open:
                sources = (await history.async_read(reading, zone=zone)).sources
            await history.async_read(reading, target.fields(hass, sources), zone)
            await history.async_check_found()
            return await history.async_import(
                await notification.async_progress("common.history_importing"),
                overwrite=call.data[ATTR_OVERWRITE],
                archive=call.data[ATTR_ARCHIVE],
                dry_run=call.data[ATTR_DRY_RUN],
            )
    finally:
        await history.async_close()


async def _async_export_history(call: ServiceCall) -> ServiceResponse:
    export = HistoryExport(
        call.hass,
        _stations(call.hass, call.data.get(ATTR_CONFIG_ENTRY_ID)),
        call.data[CONF_FORMAT],
        _utc(call.data.get(ATTR_START)),
        _utc(call.data.get(ATTR_END)),
    )
    async with _Notification(call) as notification:
        return await export.async_run(
            await notification.async_progress("common.history_exporting")
        )


@dataclass(frozen=True, slots=True)
class _Target:
    """The fields that a call assigns the readings of a file to."""

    stations: list[EspWeatherConfigEntry]
    mac: str | None
    columns: dict[str, int] | None
    creates_entities: bool

    @classmethod
    def of(cls, call: ServiceCall) -> Self:
        """Return the target of a call. Raises ServiceValidationError."""
        entry_id = call.data.get(ATTR_CONFIG_ENTRY_ID)
        stations = _stations(call.hass, [entry_id] if entry_id else None)
        mac = call.data.get(CONF_MAC)
        columns = call.data.get(ATTR_COLUMNS)
        if len(stations) != 1 and (mac is not None or columns is not None):
            raise invalid("history_without_station")
        if mac is not None:
            try:
                mac = normalize_mac(mac)
            except ValueError as err:
                raise invalid("invalid_mac") from err
        return cls(stations, mac, columns, call.data[ATTR_CREATE_ENTITIES])

    @property
    def is_open(self) -> bool:
        """Return whether the fields depend on the content of the file."""
        return self.columns is not None or self.creates_entities

    def fields(
        self, hass: HomeAssistant, sources: Mapping[Source, Found] | None
    ) -> dict[Source, FieldOf]:
        """Return the field of each source to import."""
        fields = known_fields(hass, self.stations, self.mac, sources)
        if self.columns is not None:
            (entry,) = self.stations
            fields = {
                source: FieldOf(entry, field_like(entry, number, sources[source]))
                for title, number in self.columns.items()
                if sources and (source := Source("", title)) in sources
            }
        if self.creates_entities:
            return fields
        return {source: of for source, of in fields.items() if of.entity_id(hass)}


def _stations(
    hass: HomeAssistant, entry_ids: list[str] | None
) -> list[EspWeatherConfigEntry]:
    """Return the named stations, or all. Raises ServiceValidationError."""
    if entry_ids is None:
        return hass.config_entries.async_entries(DOMAIN)
    return [async_get_config_entry(hass, DOMAIN, entry_id) for entry_id in entry_ids]


def _utc(time: datetime | None) -> datetime | None:
    """Return a time with a time zone, that of Home Assistant if it has none."""
    return None if time is None else dt_util.as_utc(time)


class _Notification:
    """Shows the progress of an action in a notification until the block ends."""

    def __init__(self, call: ServiceCall) -> None:
        self._hass = call.hass
        self._id = f"{call.service}_{call.context.id}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        persistent_notification.async_dismiss(self._hass, self._id)

    async def async_progress(self, key: str) -> OnProgress:
        """Return a callback that shows the progress under the title `key`."""
        text = await async_translate(self._hass, key)

        @callback
        def show(percentage: int) -> None:
            persistent_notification.async_create(
                self._hass, f"{text}: {percentage} %", "ESP Weather", self._id
            )

        return show
