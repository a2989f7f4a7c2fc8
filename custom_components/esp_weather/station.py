"""A station: what its fields measure, when it last reported, and who is told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
import logging
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_MAC
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.debounce import Debouncer
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import CONF_LEGACY, CONF_TIMEOUT, DEFAULT_LEGACY, DEFAULT_TIMEOUT, DOMAIN
from .field import Field, fields_of
from .inactivity import SilenceTimer
from .protocol.readings import Reading, in_reading, normalize_mac
from .protocol.signed import Report, Status
from .recording.journal import DATA_JOURNAL
from .refusals import Problem

_LOGGER = logging.getLogger(__name__)

# Each telling writes states, which would cost a fast station as much as its readings.
_TELL_EVERY: Final = 5.0  # seconds

type EspWeatherConfigEntry = ConfigEntry[Station]

# The stations whose config entries are loaded, by MAC
DATA_STATIONS: Final[HassKey[dict[str, Station]]] = HassKey("esp_weather_stations")


class Measurement(NamedTuple):
    """A calibrated value, when it was measured, and how many seconds ago that was."""

    value: float
    time: datetime
    age: float = 0.0


class Receiver(Protocol):
    """Takes what a field measures."""

    def async_set(self, value: float, time: datetime) -> object:
        """Take what is measured now as the state."""

    def async_take(
        self, measurements: Sequence[Measurement], *, repeated: bool
    ) -> None:
        """Take what was measured, in the order of time: the newest may be the state.

        `repeated` measurements may be known already.
        """


class Station:
    """The station of one loaded config entry.

    Takes readings that are known to be the station's own and hands each to
    the entity of its field. Knows nothing of HTTP.
    """

    # Makes the entity of a field that reports for the first time, with what it
    # measured, and returns when its state is written. Set by the sensor platform.
    add_field: Callable[[Field, Sequence[Measurement]], Awaitable[None]]

    def __init__(self, hass: HomeAssistant, entry: EspWeatherConfigEntry) -> None:
        """Create the station of a config entry."""
        self.mac: str = entry.data[CONF_MAC]
        self.key: bytes = entry.data[CONF_API_KEY].encode()
        self.is_legacy: bool = entry.options.get(CONF_LEGACY, DEFAULT_LEGACY)
        self.name = entry.title
        self.fields = fields_of(entry.options)
        # In seconds; 0 means that the station may be silent for ever.
        self.timeout: float = 60.0 * entry.options.get(CONF_TIMEOUT, DEFAULT_TIMEOUT)
        self.connected = False
        self.last_report: datetime | None = None
        self.status = Status()
        self.started: datetime | None = None
        self.problem = Problem(hass, entry)
        self.journal = hass.data[DATA_JOURNAL]
        self._loop = hass.loop
        self._adding_field = asyncio.Lock()
        # None is the receiver of a field whose entity is disabled.
        self._receivers: dict[int, Receiver | None] = {}
        self._listeners: list[CALLBACK_TYPE] = []
        self._telling = Debouncer(
            hass,
            _LOGGER,
            cooldown=_TELL_EVERY,
            immediate=True,
            function=self._async_tell_listeners,
        )
        self._silence = self.silence_timer(self._async_silent)

    def silence_timer(self, on_silence: Callable[[], None]) -> SilenceTimer:
        """Return a timer that calls back after the station's timeout."""
        return SilenceTimer(self._loop, self.timeout, on_silence)

    @callback
    def async_listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` when `last_report`, `connected` or `status` has changed.

        It is told once of all reports within 5 seconds. Returns a function that
        ends this.
        """
        self._listeners.append(listener)
        return partial(self._listeners.remove, listener)

    @callback
    def async_receive(self, field: Field, receiver: Receiver) -> CALLBACK_TYPE:
        """Give what a field measures to `receiver`.

        Returns a function that ends this, after which the field counts as new.
        """
        self._receivers[field.number] = receiver

        @callback
        def end() -> None:
            self._receivers.pop(field.number, None)

        return end

    @property
    def reporting_fields(self) -> list[int]:
        """Return the numbers of the fields that have reported, now or before."""
        return sorted(self._receivers)

    async def async_report(self, reading: Reading) -> float:
        """Take a reading and return the calibrated value when it is a state.

        Raises ReportError if the field's kind cannot have this value.
        """
        field = self.fields[reading.field]
        value = field.calibrate(reading.value)
        now = dt_util.utcnow()
        if (receiver := self._receivers.get(field.number)) is not None:
            receiver.async_set(value, now)
        else:
            await self._async_give(field, [Measurement(value, now)])
        self._async_heard(now)
        return value

    async def async_take_report(self, report: Report, *, repeated: bool) -> None:
        """Take each reading of a signed report, and its status.

        A reading is stored with the time when it was measured; the newest one of
        a field becomes its state. With `repeated`, the report may hold readings
        that were taken before. Raises ReportError, and takes none, if the kind of
        a field cannot have its value.
        """
        now = dt_util.utcnow()
        measured: dict[int, list[Measurement]] = {}
        for number, reading in enumerate(report.readings, start=1):
            with in_reading(number):
                value = self.fields[reading.field].calibrate(reading.value)
            measured.setdefault(reading.field, []).append(
                Measurement(value, now - timedelta(seconds=reading.age), reading.age)
            )
        self.status = report.status
        if report.status.uptime is not None:
            started = now - timedelta(seconds=report.status.uptime)
            self.started = started.replace(microsecond=0)
        for field_number, measurements in measured.items():
            measurements.sort(key=attrgetter("time"))
            await self._async_give(
                self.fields[field_number], measurements, repeated=repeated
            )
        self._async_heard(now)

    async def _async_give(
        self,
        field: Field,
        measurements: Sequence[Measurement],
        *,
        repeated: bool = False,
    ) -> None:
        if field.number not in self._receivers:
            async with self._adding_field:
                # Another report of the field may have come while this one waited.
                if field.number not in self._receivers:
                    await self.add_field(field, measurements)
                    # Nobody receives if the user has disabled the entity.
                    self._receivers.setdefault(field.number)
                    return
        if (receiver := self._receivers[field.number]) is not None:
            receiver.async_take(measurements, repeated=repeated)

    @callback
    def _async_heard(self, now: datetime) -> None:
        self._silence.async_heard()
        self.problem.async_accepted()
        if not self.connected and self.last_report is not None:
            _LOGGER.info("%s reports again", self.name)
        self.connected = True
        self.last_report = now
        self._telling.async_schedule_call()

    @callback
    def async_restore(self, last_report: datetime) -> None:
        """Take over the time of a report from before the restart."""
        if self.last_report is not None and last_report <= self.last_report:
            return
        self.last_report = last_report
        ago = seconds_since(last_report)
        if not self.timeout or ago < self.timeout:
            self.connected = True
            self._silence.async_heard(ago)
        self._async_tell_listeners()

    async def async_stop(self) -> None:
        """Let a report in flight finish and end what the station has running."""
        async with self._adding_field:
            self._silence.async_cancel()
            self._telling.async_shutdown()
            self.problem.async_clear()

    @callback
    def _async_silent(self) -> None:
        _LOGGER.info(
            "%s has gone silent: no report for %g minutes", self.name, self.timeout / 60
        )
        self.connected = False
        self._async_tell_listeners()

    @callback
    def _async_tell_listeners(self) -> None:
        for listener in self._listeners:
            listener()


@callback
def async_find_station(hass: HomeAssistant, mac: str) -> Station | None:
    """Return the loaded station with this MAC, however it is written."""
    try:
        return hass.data[DATA_STATIONS].get(normalize_mac(mac))
    except ValueError:
        return None


@callback
def async_find_entry(hass: HomeAssistant, mac: str) -> EspWeatherConfigEntry | None:
    """Return the config entry of the station with this MAC, however it is written."""
    try:
        mac = normalize_mac(mac)
    except ValueError:
        return None
    return hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, mac)


def seconds_since(time: datetime) -> float:
    """Return the seconds since `time`, 0 if the clock was set back past it."""
    return max(0.0, (dt_util.utcnow() - time).total_seconds())
