"""A station: takes reports and hands the readings to the sensors of its fields."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
import logging
from operator import attrgetter
from typing import Any, Final, NamedTuple, Protocol

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.debounce import Debouncer
from homeassistant.util import dt as dt_util

from .commands import Commands
from .config import (
    StationConfig,
    data_with_fields,
    declared_settings,
    guess_settings,
    known_settings,
)
from .const import CONF_KIND, CONF_VALUE, DOMAIN
from .field import Field
from .inactivity import InactivityTimer
from .protocol.readings import Declaration, Reading, Reason, ReportError
from .protocol.signed import Report, Status
from .recording.archive import Archive
from .recording.journal import Journal, JournalError
from .recording.stream import Stream
from .refusals import Issue, RefusalTracker, async_create_issue, async_delete_issue

_LOGGER = logging.getLogger(__name__)

# Each notification writes states, which would cost a frequent reporter as much as its
# readings.
_NOTIFY_INTERVAL: Final = 5.0  # seconds

# Reports that wait for the sensor of a new field or for the database. Stations send
# one at a time.
_MAX_WAITING: Final = 16

_BY_TIME: Final = attrgetter("time")

# A sensor that stays at the power-on value of a DS18B20 is believed the third time.
_MAX_NOT_READY: Final = 2


class Measurement(NamedTuple):
    """A reading with its calibrated value and the time when it was measured."""

    reading: Reading
    value: float
    time: datetime
    # The identity of the reading, if the station numbers its readings
    context: Context | None = None
    # The stream and the number in it
    order: tuple[str, int] | None = None


class Taken(NamedTuple):
    """The result of a report: the errors of the readings that were not taken.

    `taken` counts the others; `stored` is as Stream.stored, None without a stream.
    """

    taken: int
    refused: list[ReportError]
    stored: int | None


class Receiver(Protocol):
    """Receives the measurements of a field."""

    def async_set(self, value: float, time: datetime) -> object:
        """Set the current value."""

    def async_take(self, measurements: Sequence[Measurement]) -> None:
        """Take measurements, the newest last: it may become the state."""

    def as_state(self, measurement: Measurement) -> State:
        """Return the state that a measurement becomes."""

    @property
    def native_value(self) -> float | None:
        """Return the newest value."""

    @property
    def available(self) -> bool:
        """Return whether the field has reported within the inactivity timeout."""


type SensorFactory = Callable[[Field, Sequence[Measurement]], Awaitable[None]]


class NotReadyError(Exception):
    """A report cannot be taken now, but can be when it is sent again later."""


class _Waiting:
    """Counts the reports that may have to wait; too many raise NotReadyError.

    Not made with contextlib, whose generator would take longer for each signed report.
    """

    def __init__(self) -> None:
        self._reports = 0

    def __enter__(self) -> None:
        if self._reports >= _MAX_WAITING:
            raise NotReadyError
        self._reports += 1

    def __exit__(self, *_: object) -> None:
        self._reports -= 1


class Station:
    """The station of one loaded config entry.

    Takes readings that have been authenticated and hands each to the
    sensor of its field. Knows nothing of HTTP.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        journal: Journal,
        archive: Archive,
    ) -> None:
        """Create the station of a config entry."""
        self._hass = hass
        self._entry = entry
        self.config = StationConfig.from_entry(entry)
        self._log_unknown(())
        # Looked up for each report
        self.mac = self.config.mac
        self.key = self.config.key.encode()
        self.legacy = self.config.legacy
        self.fields: Mapping[int, Field] = self.config.fields
        self.connected = False
        self.last_report: datetime | None = None
        self.status = Status()
        self.commands = Commands()
        self.started: datetime | None = None
        self.refusals = RefusalTracker(hass, entry)
        self.journal = journal.async_station(self.mac, self.config.timeout)
        self._archive = archive if self.config.archive else None
        self._adding_field = asyncio.Lock()
        self._waiting = _Waiting()
        self._factory: SensorFactory | None = None
        self._receivers: dict[int, Receiver] = {}
        # How often a field has sent the power-on value of a DS18B20
        self._not_ready: dict[int, int] = {}
        self._listeners: list[CALLBACK_TYPE] = []
        self._notifying = Debouncer(
            hass,
            _LOGGER,
            cooldown=_NOTIFY_INTERVAL,
            immediate=True,
            function=self._async_notify,
        )
        self._inactivity = self.inactivity_timer(self._async_inactive)

    @property
    def name(self) -> str:
        """Return the name that the user has given to the station."""
        return self.config.name

    def inactivity_timer(self, on_timeout: Callable[[], None]) -> InactivityTimer:
        """Return a timer that calls back after the station's inactivity timeout."""
        return InactivityTimer(self._hass.loop, self.config.timeout, on_timeout)

    @callback
    def async_listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` when `last_report`, `connected` or `status` has changed.

        At most every 5 seconds. Returns a function that removes the listener.
        """
        self._listeners.append(listener)
        return partial(self._listeners.remove, listener)

    @callback
    def async_register_factory(self, factory: SensorFactory) -> CALLBACK_TYPE:
        """Set the factory of the sensors of fields that report for the first time.

        It is given the measurements and returns once the newest is a state. Without
        a factory, new fields are not taken. Returns a function that removes it.
        """
        self._factory = factory

        @callback
        def end() -> None:
            self._factory = None

        return end

    @callback
    def async_receive(self, field: Field, receiver: Receiver) -> CALLBACK_TYPE:
        """Hand the measurements of a field to `receiver`.

        Returns a function that removes the receiver; the field then counts as new.
        """
        self._receivers[field.number] = receiver

        @callback
        def end() -> None:
            self._receivers.pop(field.number, None)

        return end

    async def async_add_field(self, old: Reading) -> None:
        """Create the sensor of a field for an imported reading, which is not its state.

        Raises NotReadyError.
        """
        async with self._adding_field:
            if old.field not in self._receivers:
                await self._async_add_field(old, [])

    def newest_value(self, number: int) -> float | None:
        """Return the newest value of a field, if it has one."""
        receiver = self._receivers.get(number)
        return None if receiver is None else receiver.native_value

    @property
    def reporting_fields(self) -> list[int]:
        """Return the numbers of all fields that have ever reported."""
        return sorted(self._receivers)

    async def async_report(self, reading: Reading) -> float:
        """Take a reading and return the calibrated value once it is a state.

        Raises ReportError if the field cannot have this value, and NotReadyError.
        """
        now = dt_util.utcnow()
        field = self._field(reading)
        value = self._calibrate(field, reading)
        if (receiver := self._receivers.get(field.number)) is not None:
            receiver.async_set(value, now)
        else:
            with self._waiting:
                await self._async_deliver(reading, [Measurement(reading, value, now)])
        self._async_reported(now)
        if self._archive is not None:
            self._archive.async_add(self.mac, reading, now)
        return value

    async def async_take_report(self, report: Report, arrived: datetime) -> Taken:
        """Take the readings and the status of a signed report that arrived then.

        A reading is stored with the time when it was measured; the newest one of a
        field becomes its state. Those that were taken before are skipped. Raises
        NotReadyError.
        """
        with self._waiting:
            if report.stream is None:
                return await self._async_take(report, arrived, None, set())
            stream = self.journal.async_stream(report.stream)
            async with stream.lock:
                try:
                    known = await stream.async_known(
                        [reading.number for reading in report.readings],
                        [reading.age for reading in report.readings],
                    )
                except JournalError as err:
                    raise NotReadyError from err
                return await self._async_take(report, arrived, stream, known)

    async def _async_take(
        self,
        report: Report,
        arrived: datetime,
        stream: Stream | None,
        known: Container[int],
    ) -> Taken:
        """Take a report except for the readings whose numbers are `known`."""
        if report.fields:
            self._declare(report.fields)
        refused: list[ReportError] = []
        taken: list[Measurement] = []
        measured: dict[int, list[Measurement]] = {}
        newest: Mapping[int, Reading] = {}
        for position, reading in enumerate(report.readings, start=1):
            if stream is not None and reading.number in known:
                continue
            earlier = measured.get(reading.field)
            # The first value of a field that nobody has described decides its kind.
            field = self._field(earlier[0].reading if earlier else reading)
            time = arrived
            try:
                if reading.age:
                    newest = newest or _newest(report.readings)
                    time -= timedelta(seconds=reading.age)
                    self.journal.check_past(
                        time, is_newest=reading is newest[reading.field]
                    )
                value = self._calibrate(field, reading)
            except ReportError as err:
                err.reading = position
                refused.append(err)
                continue
            measurement = (
                Measurement(reading, value, time)
                if stream is None
                else Measurement(
                    reading,
                    value,
                    time,
                    stream.context(reading.number),
                    (stream.name, reading.number),
                )
            )
            taken.append(measurement)
            measured.setdefault(reading.field, []).append(measurement)
        self.status = report.status
        self.commands.take_status(report.status)
        if report.status.uptime is not None:
            started = arrived - timedelta(seconds=report.status.uptime)
            self.started = started.replace(microsecond=0)
        for measurements in measured.values():
            first = measurements[0].reading
            if stream is None:
                measurements.sort(key=_BY_TIME)
            await self._async_deliver(first, measurements)
            if stream is not None:
                # The rest of the report may fail and is then sent again with these.
                stream.async_took([each.reading.number for each in measurements])
        self._async_reported(arrived)
        if self._archive is not None:
            for each in taken:
                self._archive.async_add(self.mac, each.reading, each.time)
        stored = None
        if stream is not None:
            stream.async_took_all([reading.number for reading in report.readings])
            stored = stream.stored
        return Taken(len(report.readings) - len(refused), refused, stored)

    def _calibrate(self, field: Field, reading: Reading) -> float:
        """Return the calibrated value of a reading. Raises ReportError."""
        try:
            value = field.calibrate(reading.value)
            if field.may_have_started(reading.value):
                self._require_started(field)
            else:
                self._not_ready.pop(field.number, None)
        except ReportError as err:
            if field.is_guessed and err.reason is Reason.DATA_OUT_OF_RANGE:
                # A guess is never a reason to refuse a reading.
                self._doubt(field, reading.value)
                return field.add_offset(reading.value)
            self.refusals.async_refused(
                Issue.IMPOSSIBLE_VALUE,
                field.number,
                value=reading.value,
                unit=field.unit or "",
            )
            raise
        self.refusals.async_possible(field.number)
        return value

    def _require_started(self, field: Field) -> None:
        """Raise ReportError if a DS18B20 may not have measured yet.

        A field that has not reported for a while is taken to have just started.
        """
        receiver = self._receivers.get(field.number)
        seen = self._not_ready.get(field.number, 0)
        if seen < _MAX_NOT_READY and (receiver is None or not receiver.available):
            self._not_ready[field.number] = seen + 1
            raise ReportError(Reason.SENSOR_NOT_READY)

    def _field(self, reading: Reading) -> Field:
        """Return the field of a reading; an unknown one is guessed."""
        return self.fields.get(reading.field) or self.config.guess_field(
            reading.field, reading.value
        )

    def _doubt(self, field: Field, value: float) -> None:
        """Store that a guess was wrong, so that the user is asked."""
        number = field.number
        if number not in self.config.unexplained:
            known = known_settings(self._entry).get(str(number), {})
            self._store_fields(
                {str(number): {CONF_KIND: field.kind_name, **known, CONF_VALUE: value}}
            )
            self._async_ask_kind(number, value)

    @callback
    def _async_ask_kind(self, number: int, value: float) -> None:
        """Raise the issue that asks the user what a field measures."""
        async_create_issue(
            self._hass, self._entry, Issue.UNKNOWN_KIND, number, value=value
        )

    def _declare(self, declarations: Mapping[int, Declaration]) -> None:
        """Store the declarations of the station's fields."""
        known = known_settings(self._entry)
        declared = declared_settings(declarations)
        changed = {
            number: settings
            for number, settings in declared.items()
            if known.get(number) != settings
        }
        if not changed:
            return
        before = self.fields
        self._store_fields(changed)
        if any(
            self.fields.get(number) != before.get(number) for number in self._receivers
        ):
            # The entry is reloaded with new sensors; the station sends the report again.
            self._hass.config_entries.async_schedule_reload(self._entry.entry_id)
            raise NotReadyError

    def _store_fields(self, changed: Mapping[str, Mapping[str, Any]]) -> None:
        before = self.config
        self._hass.config_entries.async_update_entry(
            self._entry, data=data_with_fields(self._entry, changed)
        )
        self.config = StationConfig.from_entry(self._entry)
        self.fields = self.config.fields
        self._log_unknown(before.unknown)
        for number in before.unexplained.keys() - self.config.unexplained:
            async_delete_issue(self._hass, self._entry, Issue.UNKNOWN_KIND, number)

    def _log_unknown(self, known: Sequence[str]) -> None:
        """Log the settings that this version does not know."""
        for each in self.config.unknown:
            if each not in known:
                _LOGGER.warning(
                    "%s: using the default instead of a value unknown to this version:"
                    " %s",
                    self.name,
                    each,
                )

    async def _async_deliver(
        self,
        first: Reading,
        measurements: Sequence[Measurement],
    ) -> None:
        """Hand measurements to the sensor of a field, which is created if it is new.

        `first` is the first reading of the field in this report. Raises NotReadyError.
        """
        if first.field not in self._receivers:
            async with self._adding_field:
                # Another report of the field may have arrived while this one waited.
                if first.field not in self._receivers:
                    await self._async_add_field(first, measurements)
                    return
        receiver = self._receivers[first.field]
        newest = measurements[-1]
        if newest.reading.age and self.journal.is_late(newest.time):
            newest = newest._replace(context=newest.context or Context())
            try:
                await self.journal.async_announce(receiver.as_state(newest))
            except JournalError as err:
                raise NotReadyError from err
            if self._receivers.get(first.field) is not receiver:
                # The entry was unloaded meanwhile.
                raise NotReadyError
            measurements = [*measurements[:-1], newest]
        receiver.async_take(measurements)

    async def _async_add_field(
        self, first: Reading, measurements: Sequence[Measurement]
    ) -> None:
        """Have the sensor of a field created unless the user has disabled it."""
        if self._factory is None:
            # Also after the entry was unloaded: disabling it disables the entities.
            raise NotReadyError
        number = first.field
        registry = er.async_get(self._hass)
        entity_id = registry.async_get_entity_id(
            SENSOR_DOMAIN, DOMAIN, f"{self.mac}_{number}"
        )
        if entity_id and registry.entities[entity_id].disabled:
            return
        # The order in which fields become known decides which of a kind is numbered.
        if str(number) not in known_settings(self._entry):
            is_described = number in self.fields
            self._store_fields(
                {str(number): {} if is_described else guess_settings(first.value)}
            )
            if number in self.config.unexplained:
                self._async_ask_kind(number, first.value)
        await self._factory(self.fields[number], measurements)

    @callback
    def _async_reported(self, now: datetime) -> None:
        self._inactivity.async_activity()
        self.refusals.async_accepted()
        if not self.connected and self.last_report is not None:
            _LOGGER.info("%s reports again", self.name)
        self.connected = True
        self.last_report = now
        self._notifying.async_schedule_call()

    @callback
    def async_restore(self, last_report: datetime) -> None:
        """Restore the time of a report from before the restart."""
        if self.last_report is not None and last_report <= self.last_report:
            return
        self.last_report = last_report
        ago = seconds_since(last_report)
        if not self.config.timeout or ago < self.config.timeout:
            self.connected = True
            self._inactivity.async_activity(ago)
        self._async_notify()

    @callback
    def async_start(self) -> None:
        """Raise an issue for each field whose kind is unknown."""
        for number, value in self.config.unexplained.items():
            self._async_ask_kind(number, value)

    async def async_stop(self) -> None:
        """Wait for a report in flight, then stop all timers and clear the issues."""
        async with self._adding_field:
            self._inactivity.async_cancel()
            self._notifying.async_shutdown()
            self.refusals.async_stop()
            for number in self.config.unexplained:
                async_delete_issue(self._hass, self._entry, Issue.UNKNOWN_KIND, number)

    @callback
    def _async_inactive(self) -> None:
        _LOGGER.info(
            "%s has gone silent: no report for %g minutes",
            self.name,
            self.config.timeout / 60,
        )
        self.connected = False
        self._async_notify()

    @callback
    def _async_notify(self) -> None:
        for listener in self._listeners:
            listener()


def _newest(readings: Sequence[Reading]) -> Mapping[int, Reading]:
    """Return the newest reading of each field, the last one of equal age."""
    newest: dict[int, Reading] = {}
    for reading in readings:
        other = newest.get(reading.field)
        if other is None or reading.age <= other.age:
            newest[reading.field] = reading
    return newest


def seconds_since(time: datetime) -> float:
    """Return the seconds since `time`, 0 if the clock was set back past it."""
    return max(0.0, (dt_util.utcnow() - time).total_seconds())
