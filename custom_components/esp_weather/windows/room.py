"""The room of an inside station: the advice on its windows, now and next."""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
)
from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.event import (
    async_call_later,
    async_track_state_change_event,
    async_track_utc_time_change,
)
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from ..config import Place, place_of
from ..const import DOMAIN
from ..data import EspWeatherConfigEntry
from ..recording.means import PERIOD, Means, async_temperature_means
from .advice import Advice, AdviceWithHold, Air
from .config import WindowsConfig
from .crossing import DAYS, predict_crossing
from .inputs import Side, entity_side, station_side

_KEPT: Final = timedelta(days=DAYS, hours=2)
# Backfilled readings arrive late and change the means of past hours.
_REFRESHED: Final = timedelta(hours=1)
# A gap from a restart or a lost report is bridged.
_BRIDGED: Final = 6  # periods

DATA_ROOMS: Final[HassKey[dict[str, Room]]] = HassKey("esp_weather_rooms")


class NextChange(NamedTuple):
    """When it gets cooler or warmer outside than inside, rounded to 5 minutes."""

    expected: datetime
    earliest: datetime
    latest: datetime


class Room:
    """Combines an inside station with the sensor outside."""

    def __init__(self, hass: HomeAssistant, entry: EspWeatherConfigEntry) -> None:
        """Create the room of a station; nothing is known before it is started."""
        self.config = WindowsConfig.from_options(entry.runtime_data.config.windows)
        self.inside = Side()
        self.outside = Side()
        self.inside_air: Air | None = None
        self.outside_air: Air | None = None
        self.next_change: NextChange | None = None
        self._hass = hass
        self._entry = entry
        self._advice = AdviceWithHold(self.config)
        self._listeners: list[CALLBACK_TYPE] = []
        self._untrack: CALLBACK_TYPE | None = None
        self._cancel_timer: CALLBACK_TYPE | None = None
        self._means: dict[str, Means] = {}
        self._complete_at: datetime | None = None
        self._is_predicting = False

    @property
    def advice(self) -> Advice | None:
        """Return the advice on the windows, None while it is unknown."""
        return self._advice.advice

    @property
    def unit(self) -> str:
        """Return the unit of temperatures in this house."""
        return self._hass.config.units.temperature_unit

    @property
    def is_settled(self) -> bool:
        """Return whether the advice has held for as long as a change has to."""
        return self._advice.is_settled

    @property
    def difference(self) -> float | None:
        """Return outside minus inside in K."""
        if self.inside_air is None or self.outside_air is None:
            return None
        return self.outside_air.temperature - self.inside_air.temperature

    @property
    def memory(self) -> Advice | None:
        """Return the state of the hysteresis, which survives an outage."""
        return self._advice.before

    @callback
    def async_restore(self, memory: str | None) -> None:
        """Restore the state of the hysteresis from before a restart."""
        if self._advice.before is None and memory in list(Advice):
            self._advice.before = Advice(memory)

    @callback
    def async_listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` after each change; return a function that removes it."""
        self._listeners.append(listener)
        return partial(self._listeners.remove, listener)

    @callback
    def async_start(self) -> None:
        """Find the sensors and follow them until the config entry is unloaded."""
        entry = self._entry
        hass = self._hass
        entry.async_on_unload(self._async_stop)
        entry.async_on_unload(
            async_dispatcher_connect(
                hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._async_entry_changed
            )
        )
        entry.async_on_unload(
            hass.bus.async_listen(
                er.EVENT_ENTITY_REGISTRY_UPDATED, self._async_registry_changed
            )
        )
        # Half a minute after the end of a period its statistics are compiled.
        entry.async_on_unload(
            async_track_utc_time_change(
                hass, self._async_tick, minute=range(0, 60, 5), second=30
            )
        )
        self._async_find()

    @callback
    def _async_stop(self) -> None:
        for cancel in (self._untrack, self._cancel_timer):
            if cancel is not None:
                cancel()

    @callback
    def _async_entry_changed(
        self, change: ConfigEntryChange, entry: ConfigEntry
    ) -> None:
        if entry.domain == DOMAIN:
            self._async_find()

    @callback
    def _async_registry_changed(
        self, event: Event[er.EventEntityRegistryUpdatedData]
    ) -> None:
        self._async_find()

    @callback
    def _async_find(self) -> None:
        """Find the sensors of both sides, and track them if they have changed."""
        inside = station_side(self._hass, self._entry)
        outside = Side()
        if (entity_id := self.config.outside_entity) is not None:
            outside = entity_side(self._hass, entity_id)
        elif (entry := outside_entry(self._hass)) is not None:
            outside = station_side(self._hass, entry)
        if self._untrack is not None:
            if (inside, outside) == (self.inside, self.outside):
                return
            self._untrack()
        self.inside, self.outside = inside, outside
        self._untrack = async_track_state_change_event(
            self._hass, [*inside.entity_ids, *outside.entity_ids], self._async_update
        )
        self._means = {}
        self.next_change = None
        self._async_update()
        self._async_tell_listeners()
        self._async_predict()

    @callback
    def _async_tick(self, now: datetime) -> None:
        """Detect stale states and update the prediction."""
        self._async_update()
        self._async_predict()

    @callback
    def _async_update(self, _: object = None) -> None:
        """Update the advice with the air on both sides."""
        if self._cancel_timer is not None:
            self._cancel_timer()
            self._cancel_timer = None
        before = (self.advice, self.is_settled, self.difference)
        self.inside_air = self.inside.read(self._hass)
        self.outside_air = self.outside.read(self._hass)
        now = dt_util.utcnow().timestamp()
        remaining = self._advice.update(self.inside_air, self.outside_air, now)
        if remaining:
            self._cancel_timer = async_call_later(
                self._hass, remaining, self._async_held
            )
        if self.advice is not before[0]:
            # The prediction was for a change that has happened.
            self.next_change = None
            self._async_predict()
        if before != (self.advice, self.is_settled, self.difference):
            self._async_tell_listeners()

    @callback
    def _async_held(self, now: datetime) -> None:
        self._cancel_timer = None
        self._async_update()

    @callback
    def _async_tell_listeners(self) -> None:
        for listener in self._listeners:
            listener()

    @callback
    def _async_predict(self) -> None:
        """Start to predict the next change unless that is under way."""
        if self._is_predicting or DATA_INSTANCE not in self._hass.data:
            return
        self._is_predicting = True
        self._entry.async_create_background_task(
            self._hass, self._async_find_next_change(), "esp_weather next change"
        )

    async def _async_find_next_change(self) -> None:
        try:
            is_current = False
            while not is_current:
                basis = (self.advice, self.inside, self.outside)
                next_change = await self._async_next_change()
                is_current = basis == (self.advice, self.inside, self.outside)
        finally:
            self._is_predicting = False
        if next_change != self.next_change:
            self.next_change = next_change
            self._async_tell_listeners()

    async def _async_next_change(self) -> NextChange | None:
        inside, outside = self.inside.temperature, self.outside.temperature
        if (advice := self.advice) is None or inside is None or outside is None:
            return None
        now = dt_util.utcnow()
        means = await self._async_means([inside, outside], now)
        last = int(now.timestamp() // PERIOD) - 1
        differences = _differences(means[inside], means[outside], last)
        crossing = await self._hass.async_add_executor_job(
            partial(
                predict_crossing,
                differences,
                warmer=advice is Advice.CLOSE,
                hysteresis=self.config.hysteresis,
            )
        )
        if crossing is None:
            return None

        def at(minutes: float) -> datetime:
            middle = (last + 0.5) * PERIOD
            time = max(now.timestamp(), middle + 60 * minutes)
            return dt_util.utc_from_timestamp(round(time / PERIOD) * PERIOD)

        return NextChange(
            at(crossing.expected), at(crossing.earliest), at(crossing.latest)
        )

    async def _async_means(
        self, entity_ids: Collection[str], now: datetime
    ) -> dict[str, Means]:
        """Return the means of the last days, most of them cached for an hour."""
        end = dt_util.utc_from_timestamp(now.timestamp() // PERIOD * PERIOD)
        is_complete = (
            self._means.keys() == set(entity_ids)
            and self._complete_at is not None
            and timedelta() <= now - self._complete_at < _REFRESHED
        )
        start = end - (2 * _REFRESHED if is_complete else _KEPT)
        found = await async_temperature_means(self._hass, entity_ids, start, end)
        if not is_complete:
            self._complete_at = now
            self._means = found
            return found
        oldest = (end - _KEPT).timestamp() // PERIOD
        self._means = {
            entity_id: {
                period: mean
                for period, mean in self._means.get(entity_id, {}).items()
                if period >= oldest
            }
            | means
            for entity_id, means in found.items()
        }
        return self._means


def _differences(inside: Means, outside: Means, last: int) -> list[float | None]:
    """Return outside minus inside up to a period, with short gaps bridged."""
    periods = int(_KEPT.total_seconds()) // PERIOD
    differences: list[float | None] = [None] * periods
    known: int | None = None
    for at in range(periods):
        period = last + 1 - periods + at
        if period not in inside or period not in outside:
            continue
        difference = differences[at] = outside[period] - inside[period]
        if known is not None and 1 < at - known <= _BRIDGED + 1:
            start = differences[known]
            assert start is not None
            step = (difference - start) / (at - known)
            for gap in range(known + 1, at):
                differences[gap] = start + step * (gap - known)
        known = at
    return differences


@callback
def outside_entry(hass: HomeAssistant) -> EspWeatherConfigEntry | None:
    """Return the config entry of the outside station; the oldest one of several."""
    return min(
        (
            entry
            for entry in hass.config_entries.async_entries(
                DOMAIN, include_ignore=False, include_disabled=False
            )
            if place_of(entry) is Place.OUTSIDE
        ),
        key=lambda entry: (entry.created_at, entry.entry_id),
        default=None,
    )


@callback
def async_room(hass: HomeAssistant, entry: EspWeatherConfigEntry) -> Room | None:
    """Return the room of an inside station, the same one until it is unloaded."""
    if place_of(entry) is not Place.INSIDE:
        return None
    rooms = hass.data.setdefault(DATA_ROOMS, {})
    if entry.entry_id not in rooms:
        rooms[entry.entry_id] = Room(hass, entry)

        @callback
        def async_remove() -> None:
            del rooms[entry.entry_id]

        entry.async_on_unload(async_remove)
    return rooms[entry.entry_id]


@callback
def async_remove_room(hass: HomeAssistant, entry: EspWeatherConfigEntry) -> None:
    """Remove the entities of a room from a station that is no longer inside."""
    registry = er.async_get(hass)
    mac = entry.runtime_data.mac
    for domain, key in (
        (Platform.SENSOR, "windows"),
        (Platform.SENSOR, "outside_difference"),
        (Platform.SENSOR, "next_change"),
        (Platform.SWITCH, "notify"),
    ):
        if entity_id := registry.async_get_entity_id(domain, DOMAIN, f"{mac}_{key}"):
            registry.async_remove(entity_id)
