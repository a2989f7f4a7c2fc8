"""The dialogs that set up a station and its fields."""

import asyncio
from collections.abc import Mapping
import json
import secrets
from typing import Any, Final, override

import voluptuous as vol
from yarl import URL

from homeassistant.config_entries import (
    SOURCE_IGNORE,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import (
    CONF_API_KEY,
    CONF_MAC,
    CONF_NAME,
    CONF_UNIT_OF_MEASUREMENT,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.network import NoURLAvailableError, get_url
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo
from homeassistant.helpers.typing import DiscoveryInfoType
from homeassistant.setup import async_setup_component

from .const import (
    CONF_FIELDS,
    CONF_KIND,
    CONF_LEGACY,
    CONF_OFFSET,
    CONF_TIMEOUT,
    DEFAULT_LEGACY,
    DEFAULT_TIMEOUT,
    DOMAIN,
)
from .field import KINDS, fields_of
from .history.flow import HistoryFlow
from .protocol.readings import FIELDS, normalize_mac
from .reporting.pairing import async_end_pairing, async_start_pairing
from .station import EspWeatherConfigEntry

CONF_FIELD: Final = "field"

# Home Assistant centres what a progress step says, which no JSON survives, and leaves
# it a narrow column, which this is as wide as the JSON.
_LEFT_ALIGNED: Final = {
    "left": '<table role="presentation"><tr><td align="left">',
    "end": "</td></tr></table>",
}
_KEY_BYTES: Final = 10
_MAX_KEY_LENGTH: Final = 64
# A shorter one is taken from an old station, once the user has been warned.
_MIN_KEY_LENGTH: Final = 8
_MAX_TIMEOUT: Final = 7 * 24 * 60

_STATION_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_NAME): TextSelector(),
        vol.Required(CONF_MAC): TextSelector(),
        vol.Required(CONF_API_KEY): TextSelector(),
    }
)
_NAME_SCHEMA: Final = vol.Schema({vol.Required(CONF_NAME): TextSelector()})


class EspWeatherConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sets up a station or changes its name, MAC and key."""

    VERSION = 1

    def __init__(self) -> None:
        """Start with a fresh key."""
        self._key = secrets.token_hex(_KEY_BYTES)
        # A key that is known to be short: the user was warned of it or has it already.
        self._short_key = ""
        self._station: dict[str, str] = {}
        self._pairing: asyncio.Task[str] | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: EspWeatherConfigEntry) -> OptionsFlow:
        """Return the dialog of the options."""
        return EspWeatherOptionsFlow()

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how the station gets to know its key."""
        return self.async_show_menu(step_id="user", menu_options=["pair", "manual"])

    @override
    async def async_step_dhcp(
        self, discovery_info: DhcpServiceInfo
    ) -> ConfigFlowResult:
        """Offer a station whose host name was seen on the network."""
        await self.async_set_unique_id(normalize_mac(discovery_info.macaddress))
        self._abort_if_unique_id_configured()
        self.context["title_placeholders"] = {"name": discovery_info.hostname}
        return await self.async_step_discovered()

    async def async_step_discovered(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how the station that was seen gets to know its key."""
        return self.async_show_menu(
            step_id="discovered",
            menu_options=["pair", "manual"],
            description_placeholders={
                **self.context["title_placeholders"],
                "mac": str(self.unique_id),
            },
        )

    @override
    async def async_step_integration_discovery(
        self, discovery_info: DiscoveryInfoType
    ) -> ConfigFlowResult:
        """Offer a station that reports with the key of another one."""
        mac: str = discovery_info[CONF_MAC]
        await self.async_set_unique_id(mac)
        self._abort_if_unique_id_configured()
        self._key = discovery_info[CONF_API_KEY]
        self.context["title_placeholders"] = {"name": mac}
        return await self.async_step_name()

    async def async_step_manual(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the name, MAC and key of a station."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._station, errors = _checked(user_input)
            self._warn_of_short_key(self._station, errors)
            if not errors:
                # A discovery of the same station is done with by this dialog.
                await self.async_set_unique_id(
                    self._station[CONF_MAC], raise_on_progress=False
                )
                self._abort_if_unique_id_configured()
                return await self.async_step_station()
        return self.async_show_form(
            step_id="manual",
            data_schema=self.add_suggested_values_to_schema(
                _STATION_SCHEMA,
                user_input or {CONF_API_KEY: self._key, CONF_MAC: self.unique_id},
            ),
            errors=errors,
            last_step=False,
        )

    async def async_step_station(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what to put into the station."""
        if user_input is not None:
            return self._create_entry()
        return self.async_show_form(
            step_id="station",
            data_schema=vol.Schema({}),
            description_placeholders=_for_the_station(
                self.hass, self._station[CONF_API_KEY], self._station[CONF_MAC]
            ),
            last_step=True,
        )

    async def async_step_pair(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show a fresh key and wait for a station to report with it."""
        if self._pairing is None:
            # Until there is a first station, nothing has set up what it reports to.
            await async_setup_component(self.hass, DOMAIN, {})
            self._pairing = self.hass.async_create_background_task(
                _result_of(async_start_pairing(self.hass, self._key)),
                f"{DOMAIN} pairing",
            )
        if not self._pairing.done():
            return self.async_show_progress(
                step_id="pair",
                progress_action="pair",
                description_placeholders={
                    **_for_the_station(self.hass, self._key),
                    **_LEFT_ALIGNED,
                },
                progress_task=self._pairing,
            )
        return self.async_show_progress_done(
            next_step_id="pair_timeout" if self._pairing.cancelled() else "paired"
        )

    async def async_step_pair_timeout(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Give up: no station has reported with the key."""
        return self.async_abort(reason="pair_timeout")

    async def async_step_paired(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with the station that has reported with the key."""
        assert self._pairing is not None
        mac = self._pairing.result()
        # A discovery of the same station is done with by this dialog.
        await self.async_set_unique_id(mac, raise_on_progress=False)
        known = self.hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, mac)
        if known is not None and known.source != SOURCE_IGNORE:
            self._abort_if_unique_id_configured(
                {CONF_API_KEY: self._key},
                error="key_changed",
                description_placeholders={"name": known.title},
            )
        return await self.async_step_name()

    async def async_step_name(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the name of a station that has reported."""
        mac = str(self.unique_id)
        errors: dict[str, str] = {}
        if user_input is not None:
            self._station, errors = _checked(
                {**user_input, CONF_MAC: mac, CONF_API_KEY: self._key}
            )
            if not errors:
                return self._create_entry()
        return self.async_show_form(
            step_id="name",
            data_schema=_NAME_SCHEMA,
            errors=errors,
            description_placeholders={"mac": mac},
            last_step=True,
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change the name, MAC and key, keeping entities and history."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        self._short_key = self._short_key or entry.data[CONF_API_KEY]
        if user_input is not None:
            station, errors = _checked(user_input)
            self._warn_of_short_key(station, errors)
            mac = station.get(CONF_MAC)
            other = self.hass.config_entries.async_entry_for_domain_unique_id(
                DOMAIN, mac or ""
            )
            if other is not None and other is not entry:
                errors[CONF_MAC] = "already_configured"
            if not errors:
                if mac != entry.unique_id:
                    await _async_change_mac(self.hass, entry, station[CONF_MAC])
                return self.async_update_reload_and_abort(
                    entry,
                    unique_id=station[CONF_MAC],
                    title=station.pop(CONF_NAME),
                    data=station,
                )
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(
                _STATION_SCHEMA, user_input or {CONF_NAME: entry.title, **entry.data}
            ),
            errors=errors,
        )

    @callback
    @override
    def async_remove(self) -> None:
        """Make the key of a pairing worthless when the dialog is over."""
        async_end_pairing(self.hass, self._key)

    @callback
    def _warn_of_short_key(
        self, station: Mapping[str, str], errors: dict[str, str]
    ) -> None:
        """Add an error for a short key, unless the user insists on it."""
        key = station[CONF_API_KEY]
        if len(key) < _MIN_KEY_LENGTH and key != self._short_key:
            errors.setdefault(CONF_API_KEY, "short_key")
            self._short_key = key

    @callback
    def _create_entry(self) -> ConfigFlowResult:
        is_first = not self._async_current_entries()
        return self.async_create_entry(
            title=self._station.pop(CONF_NAME),
            data=self._station,
            # The page in the browser is older than the dashboard that it could offer.
            description="first" if is_first else None,
        )


class EspWeatherOptionsFlow(HistoryFlow):
    """Changes what a station may do and what its fields measure."""

    def __init__(self) -> None:
        """Start without a field chosen."""
        self._field = ""
        self._kind = ""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what to change."""
        return self.async_show_menu(
            step_id="init", menu_options=["station", "field", "history"]
        )

    async def async_step_station(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the silence timeout and whether the legacy URL is accepted."""
        if user_input is not None:
            user_input[CONF_TIMEOUT] = int(user_input[CONF_TIMEOUT])
            return self.async_create_entry(
                data={**self.config_entry.options, **user_input}
            )
        return self.async_show_form(
            step_id="station",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema(
                    {
                        vol.Required(CONF_TIMEOUT): NumberSelector(
                            NumberSelectorConfig(
                                min=0,
                                max=_MAX_TIMEOUT,
                                mode=NumberSelectorMode.BOX,
                                unit_of_measurement=UnitOfTime.MINUTES,
                            )
                        ),
                        vol.Required(CONF_LEGACY): BooleanSelector(),
                    }
                ),
                {
                    CONF_TIMEOUT: DEFAULT_TIMEOUT,
                    CONF_LEGACY: DEFAULT_LEGACY,
                    **self.config_entry.options,
                },
            ),
        )

    async def async_step_field(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which field to change and what it measures."""
        if user_input is not None:
            self._field = user_input[CONF_FIELD]
            self._kind = user_input[CONF_KIND]
            return await self.async_step_measurement()
        fields = fields_of(self.config_entry.options)
        return self.async_show_form(
            step_id="field",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema(
                    {
                        vol.Required(CONF_FIELD): SelectSelector(
                            SelectSelectorConfig(
                                options=[str(number) for number in FIELDS],
                                mode=SelectSelectorMode.DROPDOWN,
                            )
                        ),
                        vol.Required(CONF_KIND): SelectSelector(
                            SelectSelectorConfig(
                                options=list(KINDS), translation_key=CONF_KIND
                            )
                        ),
                    }
                ),
                {CONF_FIELD: str(FIELDS[0]), CONF_KIND: fields[FIELDS[0]].kind_name},
            ),
            last_step=False,
        )

    async def async_step_measurement(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the name, unit and calibration offset of the chosen field."""
        options = self.config_entry.options
        if user_input is not None:
            fields = {
                **options.get(CONF_FIELDS, {}),
                self._field: {CONF_KIND: self._kind, **user_input},
            }
            return self.async_create_entry(data={**options, CONF_FIELDS: fields})
        field = fields_of(options)[int(self._field)]
        units = KINDS[self._kind].units
        schema: dict[vol.Marker, Any] = {vol.Optional(CONF_NAME): TextSelector()}
        if units:
            schema[vol.Required(CONF_UNIT_OF_MEASUREMENT)] = SelectSelector(
                SelectSelectorConfig(options=list(units))
            )
        schema[vol.Required(CONF_OFFSET)] = NumberSelector(
            NumberSelectorConfig(mode=NumberSelectorMode.BOX, step="any")
        )
        suggested: dict[str, Any] = {CONF_NAME: field.name, CONF_OFFSET: 0.0}
        if units:
            suggested[CONF_UNIT_OF_MEASUREMENT] = units[0]
        if field.kind_name == self._kind:
            suggested |= {
                CONF_UNIT_OF_MEASUREMENT: field.unit,
                CONF_OFFSET: field.offset,
            }
        return self.async_show_form(
            step_id="measurement",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema(schema), suggested
            ),
            description_placeholders={"field": self._field},
            last_step=True,
        )


def _checked(
    user_input: Mapping[str, str],
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the station as it is stored, and the error of each wrong input."""
    station: dict[str, str] = {}
    errors: dict[str, str] = {}
    if not (name := user_input[CONF_NAME].strip()):
        errors[CONF_NAME] = "name_missing"
    station[CONF_NAME] = name
    try:
        station[CONF_MAC] = normalize_mac(user_input[CONF_MAC])
    except ValueError:
        errors[CONF_MAC] = "invalid_mac"
    key = user_input[CONF_API_KEY].strip()
    # Only what stands for itself in a URL: the stations do not encode it.
    if (
        not 0 < len(key) <= _MAX_KEY_LENGTH
        or not key.isascii()
        or not key.replace("-", "").replace("_", "").isalnum()
    ):
        errors[CONF_API_KEY] = "invalid_key"
    station[CONF_API_KEY] = key
    return station, errors


async def _result_of(station: asyncio.Future[str]) -> str:
    return await station


def _for_the_station(hass: HomeAssistant, key: str, mac: str = "MAC") -> dict[str, str]:
    """Return the placeholders that say what to put into the station."""
    try:
        # The stations look up no names of the local network, let alone a cloud's.
        url = get_url(hass, allow_external=False, allow_cloud=False)
    except NoURLAvailableError:
        url = "http://homeassistant.local:8123"
    server = URL(url)
    config = {
        "wifi": {"ssid": "", "password": ""},
        "server": {
            "host": server.host,
            "port": server.port,
            "tls": server.scheme == "https",
        },
        "key": key,
        "interval": 60,
        "deep_sleep": False,
        "signed": True,
        "sensors": [{"type": "mcp9808", "field": 1, "scl": 5, "sda": 4, "address": 24}],
    }
    return {
        "url": f"{url}/update/API_key={key}/mac={mac}/field=1/data=21.5",
        "config": json.dumps(config, indent=1),
    }


async def _async_change_mac(
    hass: HomeAssistant, entry: EspWeatherConfigEntry, mac: str
) -> None:
    """Move the station's device and entities to another MAC."""
    old_mac = entry.data[CONF_MAC]
    await er.async_migrate_entries(
        hass,
        entry.entry_id,
        lambda entity: {
            "new_unique_id": entity.unique_id.replace(f"{old_mac}_", f"{mac}_", 1)
        },
    )
    registry = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(registry, entry.entry_id):
        registry.async_update_device(
            device.id,
            new_identifiers={(DOMAIN, mac)},
            new_connections={(dr.CONNECTION_NETWORK_MAC, mac)},
        )
