"""The switch that turns a room's notifications on and off."""

from typing import Any, override

from homeassistant.components import persistent_notification
from homeassistant.components.notify import (
    ATTR_MESSAGE,
    ATTR_TITLE,
    DOMAIN as NOTIFY_DOMAIN,
    SERVICE_SEND_MESSAGE,
)
from homeassistant.components.switch import SwitchEntity
from homeassistant.const import (
    ATTR_ENTITY_ID,
    STATE_ON,
    EntityCategory,
    UnitOfTemperature,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import (
    ExtraStoredData,
    RestoredExtraData,
    RestoreEntity,
)
from homeassistant.util.unit_conversion import TemperatureConverter

from ..const import DOMAIN
from ..data import EspWeatherConfigEntry
from ..entity import EspWeatherEntity
from ..messages import async_translate
from ..station import Station
from .advice import Advice
from .room import Room, async_room


@callback
def async_add_windows_switch(
    hass: HomeAssistant,
    entry: EspWeatherConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the notification switch of an inside station."""
    if (room := async_room(hass, entry)) is not None:
        async_add_entities([NotifySwitch(entry.runtime_data, room)])


class NotifySwitch(EspWeatherEntity, SwitchEntity, RestoreEntity):
    """Notifications when it is time to open the windows, and then to close them.

    "Close" is only notified after "open". There is no notification of an outage: the
    advice after one has to hold first.
    """

    _attr_entity_category = EntityCategory.CONFIG
    _attr_is_on = False
    _attr_translation_key = "notify"

    def __init__(self, station: Station, room: Room) -> None:
        """Create the switch of a room, off."""
        super().__init__(station, "notify")
        self._room = room
        self._opened = False

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        """Return the restore data, so that a restart does not notify twice."""
        return RestoredExtraData({"opened": self._opened})

    @override
    async def async_added_to_hass(self) -> None:
        """Restore the state from before the restart and follow the room."""
        await super().async_added_to_hass()
        if state := await self.async_get_last_state():
            self._attr_is_on = state.state == STATE_ON
        if extra := await self.async_get_last_extra_data():
            self._opened = extra.as_dict().get("opened") is True
        self.async_on_remove(self._room.async_listen(self._async_changed))

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Start to notify, at once if it is time to open the windows."""
        self._attr_is_on = True
        self._opened = False
        self.async_write_ha_state()
        if self._room.advice is Advice.OPEN:
            self._async_notify(Advice.OPEN)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Stop notifying."""
        self._attr_is_on = False
        self._opened = False
        self.async_write_ha_state()
        persistent_notification.async_dismiss(self.hass, self._notification_id)

    @property
    def _notification_id(self) -> str:
        return f"{DOMAIN}_{self.unique_id}"

    @callback
    def _async_changed(self) -> None:
        if not self._attr_is_on or not self._room.is_settled:
            return
        advice = self._room.advice
        if advice is (Advice.CLOSE if self._opened else Advice.OPEN):
            self._async_notify(advice)

    @callback
    def _async_notify(self, advice: Advice) -> None:
        """Notify the user of what to do with the windows."""
        self._opened = advice is Advice.OPEN
        entry = self.registry_entry
        assert self.platform.config_entry is not None and entry is not None
        self.platform.config_entry.async_create_task(
            self.hass, self._async_send(advice), entry.entity_id
        )

    async def _async_send(self, advice: Advice) -> None:
        unit = self._room.unit

        def shown(celsius: float) -> str:
            value = TemperatureConverter.convert(
                celsius, UnitOfTemperature.CELSIUS, unit
            )
            return f"{value:.1f} {unit}"

        inside, outside = self._room.inside_air, self._room.outside_air
        assert inside is not None and outside is not None
        placeholders = {
            "name": self._station.name,
            "inside": shown(inside.temperature),
            "outside": shown(outside.temperature),
        }
        title, message = [
            await async_translate(self.hass, f"common.{key}", placeholders)
            for key in (f"{advice}_windows", "temperatures")
        ]
        if self._room.config.notify:
            await self.hass.services.async_call(
                NOTIFY_DOMAIN,
                SERVICE_SEND_MESSAGE,
                {
                    ATTR_ENTITY_ID: list(self._room.config.notify),
                    ATTR_TITLE: title,
                    ATTR_MESSAGE: message,
                },
            )
        else:
            persistent_notification.async_create(
                self.hass, message, title, self._notification_id
            )
