"""Config flow: add a station and reconfigure it."""

import asyncio
from collections.abc import Mapping
import secrets
from typing import Any, Final, override

import voluptuous as vol

from homeassistant.config_entries import (
    SOURCE_DHCP,
    SOURCE_IGNORE,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import CONF_API_KEY, CONF_MAC, CONF_NAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.selector import QrCodeSelector, TextSelector
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo
from homeassistant.helpers.typing import DiscoveryInfoType
from homeassistant.setup import async_setup_component

from .address import portal_url, setup_placeholders
from .config import MINOR_VERSION, VERSION, Place, declared_settings
from .const import CONF_FIELDS, CONF_KIND, CONF_PLACE, DOMAIN
from .data import DATA, EspWeatherConfigEntry
from .field import KINDS, guess_kind
from .options_flow import KIND_SELECTOR, PLACE_SELECTOR, EspWeatherOptionsFlow, place_of
from .pairing import Pairing
from .protocol.readings import Declaration, MacError, normalize_mac

# How a station gets its key
_WAYS: Final = ["board", "pair", "manual"]
_KEY_BYTES: Final = 10
_MAX_KEY_LENGTH: Final = 64
_QR_CODE: Final = "qr_code"
# A shorter key of an existing station is accepted once the user has been warned.
_MIN_KEY_LENGTH: Final = 8
# At most so many discoveries by DHCP: any device may have such a host name.
_MAX_DISCOVERED: Final = 20
# By then, a station that sends one field per request has sent the others.
_SETTLE: Final = 3.0  # seconds

_STATION_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_NAME): TextSelector(),
        vol.Required(CONF_MAC): TextSelector(),
        vol.Required(CONF_API_KEY): TextSelector(),
    }
)
_MANUAL_SCHEMA: Final = _STATION_SCHEMA.extend(
    {vol.Required(CONF_PLACE): PLACE_SELECTOR}
)


class EspWeatherConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sets up a station or changes its name, MAC and key."""

    VERSION = VERSION
    MINOR_VERSION = MINOR_VERSION

    def __init__(self) -> None:
        """Initialize the flow with a new key."""
        self._key = secrets.token_hex(_KEY_BYTES)
        # A short key that the user was warned of or already uses
        self._short_key = ""
        self._pairing: Pairing | None = None
        self._waiting: asyncio.Task[str] | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: EspWeatherConfigEntry) -> OptionsFlow:
        """Return the options flow."""
        return EspWeatherOptionsFlow()

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose how to provide the key."""
        # Before the first station is added, the integration is not set up: there is no
        # view for reports, and no dashboard, which appears on the next page load.
        await async_setup_component(self.hass, DOMAIN, {})
        return self.async_show_menu(step_id="user", menu_options=_WAYS)

    @override
    async def async_step_dhcp(
        self, discovery_info: DhcpServiceInfo
    ) -> ConfigFlowResult:
        """Handle a station whose host name was discovered by DHCP."""
        await self.async_set_unique_id(normalize_mac(discovery_info.macaddress))
        self._abort_if_unique_id_configured()
        offers = self.hass.config_entries.flow.async_progress_by_handler(
            DOMAIN,
            include_uninitialized=True,
            match_context={"source": SOURCE_DHCP},
        )
        if len(offers) > _MAX_DISCOVERED:
            return self.async_abort(reason="too_many_discovered")
        self.context["title_placeholders"] = {"name": discovery_info.hostname}
        return await self.async_step_discovered()

    async def async_step_discovered(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose how to provide the key of a discovered station."""
        return self.async_show_menu(
            step_id="discovered",
            menu_options=_WAYS,
            description_placeholders={
                **self.context["title_placeholders"],
                "mac": str(self.unique_id),
            },
        )

    @override
    async def async_step_integration_discovery(
        self, discovery_info: DiscoveryInfoType
    ) -> ConfigFlowResult:
        """Handle an unknown station that reports with the key of another one."""
        mac: str = discovery_info[CONF_MAC]
        await self.async_set_unique_id(mac)
        self._abort_if_unique_id_configured()
        self._key = discovery_info[CONF_API_KEY]
        self.context["title_placeholders"] = {"name": mac}
        return await self.async_step_name()

    async def async_step_manual(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the name, MAC, key and place of a station."""
        errors: dict[str, str] = {}
        if user_input is not None:
            station, errors = _checked(user_input)
            self._warn_of_short_key(station, errors)
            if not errors:
                # Supersede the discovery flow of the same station.
                await self.async_set_unique_id(
                    station[CONF_MAC], raise_on_progress=False
                )
                self._abort_if_unique_id_configured()
                return self._create_entry(
                    station, place_of(user_input), description="station"
                )
        return self.async_show_form(
            step_id="manual",
            data_schema=self.add_suggested_values_to_schema(
                _MANUAL_SCHEMA,
                user_input
                or {
                    CONF_API_KEY: self._key,
                    CONF_MAC: self.unique_id,
                    CONF_PLACE: self._likely_place(),
                },
            ),
            errors=errors,
            last_step=True,
        )

    async def async_step_pair(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show a new key and wait for a station to report with it."""
        await self._async_start_pairing()
        return self._wait(progress_action="pair")

    async def async_step_board(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show a QR code that opens the portal of a board and fills it in."""
        await self._async_start_pairing()
        if user_input is not None:
            return self._wait(progress_action="board_wait")
        return self.async_show_form(
            step_id="board",
            data_schema=self._qr_code(self._key),
            description_placeholders=setup_placeholders(self.hass, self._key)
            | {"key": self._key, "portal": portal_url(self.hass, self._key)},
            last_step=False,
        )

    async def async_step_board_wait(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Wait for the board to report."""
        return self._wait(progress_action="board_wait")

    async def _async_start_pairing(self) -> None:
        """Start to wait for a station with the key, unless that was done."""
        if self._waiting is None:
            # A station that was discovered may be the first one, too.
            await async_setup_component(self.hass, DOMAIN, {})
            self._pairing = self.hass.data[DATA].pairings.async_start(self._key)
            self._waiting = self.hass.async_create_background_task(
                _mac_of(self._pairing), f"{DOMAIN} pairing"
            )

    def _wait(self, *, progress_action: str) -> ConfigFlowResult:
        """Show progress until a station has reported with the key."""
        assert self._waiting is not None
        if not self._waiting.done():
            return self.async_show_progress(
                step_id=progress_action,
                progress_action=progress_action,
                description_placeholders=setup_placeholders(self.hass, self._key),
                progress_task=self._waiting,
            )
        return self.async_show_progress_done(
            next_step_id="pair_timeout" if self._waiting.cancelled() else "paired"
        )

    def _qr_code(self, key: str) -> vol.Schema:
        """Return a form with the QR code of a board's portal."""
        selector = QrCodeSelector({"data": portal_url(self.hass, key), "scale": 6})
        return vol.Schema({vol.Optional(_QR_CODE): selector})

    async def async_step_pair_timeout(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Abort: no station has reported with the key in time."""
        return self.async_abort(reason="pair_timeout")

    async def async_step_paired(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Continue with the station that has reported with the key."""
        assert self._waiting is not None
        mac = self._waiting.result()
        # Supersede the discovery flow of the same station.
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
        """Ask for the name and place of a station, and what its fields measure."""
        mac = str(self.unique_id)
        errors: dict[str, str] = {}
        if user_input is not None:
            station, errors = _checked(
                {**user_input, CONF_MAC: mac, CONF_API_KEY: self._key}
            )
            if not errors:
                return self._create_entry(
                    station, {**place_of(user_input), **self._chosen_kinds(user_input)}
                )
        kinds = self._kinds()
        declared = self._declared()
        schema = vol.Schema(
            {
                vol.Required(CONF_NAME): TextSelector(),
                vol.Required(CONF_PLACE): PLACE_SELECTOR,
                **{
                    # Declared kinds apply unless the user chooses another one.
                    (vol.Optional if number in declared else vol.Required)(
                        _kind_key(number)
                    ): KIND_SELECTOR
                    for number in kinds
                },
            }
        )
        return self.async_show_form(
            step_id="name",
            data_schema=self.add_suggested_values_to_schema(
                schema,
                {
                    CONF_PLACE: self._likely_place(),
                    **{_kind_key(number): kind for number, kind in kinds.items()},
                    **(user_input or {}),
                },
            ),
            errors=errors,
            description_placeholders={
                "mac": mac,
                **{
                    f"value_{number}": f"{value:g}"
                    for number, value in self._values().items()
                },
            },
            last_step=True,
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose between changing the station and showing its address."""
        return self.async_show_menu(
            step_id="reconfigure", menu_options=["change", "address"]
        )

    async def async_step_address(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the address and the config.json for the station."""
        if user_input is not None:
            return self.async_abort(reason="unchanged")
        entry = self._get_reconfigure_entry()
        return self.async_show_form(
            step_id="address",
            data_schema=self._qr_code(entry.data[CONF_API_KEY]),
            description_placeholders=setup_placeholders(
                self.hass, entry.data[CONF_API_KEY], entry.data[CONF_MAC]
            ),
            last_step=True,
        )

    async def async_step_change(
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
                    data_updates=station,
                )
        return self.async_show_form(
            step_id="change",
            data_schema=self.add_suggested_values_to_schema(
                _STATION_SCHEMA, user_input or {CONF_NAME: entry.title, **entry.data}
            ),
            errors=errors,
        )

    @callback
    @override
    def async_remove(self) -> None:
        """Invalidate the key of a pairing when the dialog is closed."""
        if DATA in self.hass.data:
            self.hass.data[DATA].pairings.async_end(self._key)

    @callback
    def _warn_of_short_key(
        self, station: Mapping[str, str], errors: dict[str, str]
    ) -> None:
        """Add an error for a short key, unless the user insists on it."""
        key = station[CONF_API_KEY]
        if len(key) < _MIN_KEY_LENGTH and key != self._short_key:
            errors.setdefault(CONF_API_KEY, "short_key")
            self._short_key = key

    def _values(self) -> Mapping[int, float]:
        """Return the values that the fields have sent during pairing."""
        return {} if self._pairing is None else self._pairing.values

    def _declared(self) -> Mapping[int, Declaration]:
        """Return what the station has declared while it was being paired."""
        return {} if self._pairing is None else self._pairing.fields

    def _kinds(self) -> dict[int, str]:
        """Return the kind of each field that has reported: declared or guessed."""
        declared = self._declared()
        return {
            number: declared[number].kind
            if number in declared and declared[number].kind in KINDS
            else guess_kind(value)
            for number, value in sorted(self._values().items())
        }

    def _chosen_kinds(self, user_input: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the fields whose kind the user has decided."""
        declared = self._declared()
        fields = {
            str(number): {CONF_KIND: user_input[_kind_key(number)]}
            for number in self._kinds()
            if _kind_key(number) in user_input
            and (
                number not in declared
                or user_input[_kind_key(number)] != declared[number].kind
            )
        }
        return {CONF_FIELDS: fields} if fields else {}

    def _likely_place(self) -> Place:
        """Return the place to suggest: one station outside is enough for most."""
        is_watched = any(
            entry.options.get(CONF_PLACE) == Place.OUTSIDE
            for entry in self._async_current_entries()
        )
        return Place.INSIDE if is_watched else Place.OUTSIDE

    @callback
    def _create_entry(
        self,
        station: dict[str, str],
        options: Mapping[str, Any],
        description: str | None = None,
    ) -> ConfigFlowResult:
        is_first = not self._async_current_entries()
        if is_first:
            # The frontend was loaded before the dashboard strategy was registered.
            description = f"first_{description}" if description else "first"
        declared = self._declared()
        return self.async_create_entry(
            title=station.pop(CONF_NAME),
            data={**station, CONF_FIELDS: declared_settings(declared)},
            options=options,
            description=description,
            description_placeholders=setup_placeholders(
                self.hass, station[CONF_API_KEY], station[CONF_MAC]
            ),
        )


def _checked(
    user_input: Mapping[str, str],
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the station's entry data and the error of each invalid input."""
    station: dict[str, str] = {}
    errors: dict[str, str] = {}
    if not (name := user_input[CONF_NAME].strip()):
        errors[CONF_NAME] = "name_missing"
    station[CONF_NAME] = name
    try:
        station[CONF_MAC] = normalize_mac(user_input[CONF_MAC])
    except MacError as err:
        errors[CONF_MAC] = err.reason
    key = user_input[CONF_API_KEY].strip()
    if not is_key(key):
        errors[CONF_API_KEY] = "invalid_key"
    station[CONF_API_KEY] = key
    return station, errors


def is_key(key: str) -> bool:
    """Return whether a text is a valid key.

    Only unreserved characters of a URL: the stations do not percent-encode it.
    """
    return (
        0 < len(key) <= _MAX_KEY_LENGTH
        and key.isascii()
        and key.replace("-", "").replace("_", "").isalnum()
    )


async def _mac_of(pairing: Pairing) -> str:
    """Return the MAC of the station that was found, once its fields are known."""
    mac = await pairing.mac
    if not pairing.is_complete:
        await asyncio.sleep(_SETTLE)
    return mac


def _kind_key(number: int) -> str:
    return f"kind_{number}"


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
        # Another integration may share the device.
        registry.async_update_device(
            device.id,
            new_identifiers={
                (DOMAIN, mac) if identifier == (DOMAIN, old_mac) else identifier
                for identifier in device.identifiers
            },
            new_connections={
                (kind, mac)
                if (kind, value) == (dr.CONNECTION_NETWORK_MAC, old_mac)
                else (kind, value)
                for kind, value in device.connections
            },
        )
