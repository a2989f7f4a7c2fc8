"""A station and a server that crash, lose messages and repeat them, with a model.

The real Station, Stream and Journal; models are the station's board, the network,
Home Assistant's recorder and the disk. Hypothesis decides what they do next.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from itertools import count
from typing import Any, override
from unittest.mock import AsyncMock, MagicMock, patch

from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from hypothesis.strategies import booleans, floats, integers

from custom_components.esp_weather import station as station_module
from custom_components.esp_weather.protocol.identity import reading_id
from custom_components.esp_weather.protocol.readings import Reading
from custom_components.esp_weather.protocol.signed import Report
from custom_components.esp_weather.recording import journal as journal_module, stream
from custom_components.esp_weather.recording.entry import Entry
from custom_components.esp_weather.recording.journal import Journal
from custom_components.esp_weather.station import (
    Measurement,
    NotReadyError,
    Station,
    Taken,
)
from homeassistant.core import Context, State
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.util import dt as dt_util
from homeassistant.util.ulid import ulid_to_bytes
from tests.helpers import OUTDOOR, station_entry

STREAM = "9f3a1c22"
BUFFER = 50  # readings that the board keeps
BATCH = 12  # readings in a report
STEPS = 30  # rounds of the event loop until everything waits
UNKNOWN_NONCE = 401
NOT_READY = 503

type Row = tuple[bytes, str]


def _row(state: State) -> Row:
    return ulid_to_bytes(state.context.id), state.state


class _Computer:
    """The recorder and the disk: rows by how safe they are, and jobs in a queue.

    A job of the server waits for its turn.
    """

    def __init__(self) -> None:
        """Initialize an empty database."""
        self.queued: list[Row] = []  # HA's recorder has not written them
        self.log: list[Row] = []  # committed
        self.disk: list[Row] = []  # synced
        self.jobs: list[tuple[asyncio.Future[Any], Callable[[], Any]]] = []
        self.results: list[tuple[asyncio.Future[Any], Any]] = []

    @property
    def rows(self) -> list[Row]:
        """Return all rows, written or not."""
        return [*self.queued, *self.log, *self.disk]

    def later(self, job: Callable[[], Any]) -> asyncio.Future[Any]:
        """Queue a job; return the future of its result."""
        done = asyncio.get_running_loop().create_future()
        self.jobs.append((done, job))
        return done

    def work(self, place: int) -> None:
        """Do any one of the jobs, since there are several threads."""
        done, job = self.jobs.pop(place % len(self.jobs))
        if not done.cancelled():
            self.results.append((done, job()))

    def deliver(self, place: int) -> None:
        """Hand over one of the results, of which the event loop knows nothing yet."""
        done, result = self.results.pop(place % len(self.results))
        if not done.cancelled():
            done.set_result(result)

    def commit(self) -> None:
        """Commit what is queued."""
        self.log += self.queued
        self.queued.clear()

    def sync(self, _: object = None) -> None:
        """Bring the log to the disk."""
        self.disk += self.log
        self.log.clear()

    def async_run(self, _: object, work: Callable[[Any], Any]) -> asyncio.Future[Any]:
        """Do what recorder_internals.async_run does: commit, then work."""

        def job() -> Any:
            self.commit()
            return work(None)

        return self.later(job)

    def find_known(self, _: object, identities: Collection[bytes]) -> set[bytes]:
        """Do what backfill.find_known does."""
        return {row for row, _ in [*self.log, *self.disk]}.intersection(identities)

    def find_missing(self, _: object, entries: Iterable[Entry]) -> list[Entry]:
        """Do what backfill.find_missing does."""
        there = [*self.log, *self.disk]
        return [entry for entry in entries if _row(entry.state) not in there]

    def insert(self, _: object, entries: Iterable[Entry]) -> bool:
        """Do what backfill.insert does."""
        self.log += [_row(entry.state) for entry in entries]
        return True


class _Sensor:
    """The sensor of a field: only the newest measurement is a state."""

    native_value = None
    available = True

    def __init__(
        self, station: Station, journal: Journal, computer: _Computer, entity_id: str
    ) -> None:
        """Initialize the sensor."""
        self.is_failing = False
        self._station = station
        self._journal = journal
        self._computer = computer
        self._entity_id = entity_id

    def as_state(self, measurement: Measurement) -> State:
        """Return the state that a measurement becomes."""
        context = measurement.context or Context()
        return State(self._entity_id, f"{measurement.value:.3f}", context=context)

    def async_set(self, value: float, time: object) -> None:
        """Set the current value; signed reports do not."""
        raise NotImplementedError

    def async_take(self, measurements: Iterable[Measurement]) -> None:
        """Take measurements, as FieldSensor does."""
        if self.is_failing:
            self.is_failing = False
            raise NotReadyError
        *past, newest = (self.as_state(each) for each in measurements)
        self._computer.queued.append(_row(newest))
        share = self._station.journal.share
        self._journal.async_keep(self._entity_id, newest, share, past=False)
        self._station.journal.async_add_past(past)


class ExactlyOnce(RuleBasedStateMachine):
    """Readings on their way from the board through memory and log to the disk."""

    def __init__(self) -> None:
        """Initialize a board and a server that have just been started."""
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.computer = _Computer()
        self.clock = 1_000_000.0
        self.patches = ExitStack()
        # The board
        self.number = 0
        self.kept: dict[int, float] = {}  # when each was measured
        self.taken = 0
        self.confirmed = -1
        self.dropped: set[int] = set()
        self.slow = 1.0
        self.nonce = 0
        self.awaited: tuple[asyncio.Task[Any], list[int]] | None = None
        # The server
        self.nonces: set[int] = set()
        self.new_nonces = count(1)
        self.tasks: list[asyncio.Task[Any]] = []
        for name in "find_known", "find_missing", "insert", "async_run":
            self.patches.enter_context(
                patch.object(journal_module, name, getattr(self.computer, name))
            )
        for target, name, new in (
            (journal_module, "ir", MagicMock()),
            (station_module, "Debouncer", MagicMock()),
            (stream, "monotonic", lambda: self.clock),
            (
                journal_module,
                "Corrections",
                MagicMock(return_value=MagicMock(async_announce=AsyncMock())),
            ),
        ):
            self.patches.enter_context(patch.object(target, name, new))

    @initialize(slow=floats(0.92, 1.0))
    def start(self, slow: float = 1.0) -> None:
        """Start Home Assistant: it knows what is in the database, and no nonce."""
        self.slow = slow
        self.start_server()

    def start_server(self) -> None:
        """Start Home Assistant."""
        self.run(self._start_server)

    def _start_server(self) -> None:
        self.nonces.clear()
        computer = self.computer
        recorder = MagicMock(
            entity_filter=None,
            backlog=0,
            commit_interval=5,
            auto_purge=False,
            db_url="sqlite:///database",
            async_add_executor_job=lambda job, *args: computer.later(
                lambda: job(*args)
            ),
        )
        hass = MagicMock(
            loop=self.loop,
            data={DATA_INSTANCE: recorder},
            is_stopping=False,
            async_add_executor_job=lambda job, *args: computer.later(
                lambda: job(*args)
            ),
        )
        self.journal = Journal(hass)
        self.journal._files = MagicMock(sync=computer.sync)
        # Hypothesis decides when it looks.
        self.journal._watching = True
        self.station = Station(hass, station_entry(), self.journal, MagicMock())
        self.sensors = [
            _Sensor(self.station, self.journal, computer, f"sensor.{number}")
            for number in (1, 2)
        ]
        for number, sensor in enumerate(self.sensors, start=1):
            self.station.async_receive(MagicMock(number=number), sensor)

    def run(self, function: Callable[[], Any]) -> Any:
        """Run a function in the loop until everything waits."""

        async def work() -> Any:
            result = function()
            for _ in range(STEPS):
                await asyncio.sleep(0)
            return result

        return self.loop.run_until_complete(work())

    # The board

    @rule(number=integers(1, 20))
    def measure(self, number: int) -> None:
        """Take a reading; the buffer is limited."""
        for _ in range(number):
            self.kept[self.number] = self.clock
            self.number += 1
        while len(self.kept) > BUFFER:
            oldest = next(iter(self.kept))
            del self.kept[oldest]
            self.dropped.add(oldest)
            self.taken = max(0, self.taken - 1)

    @rule()
    def reset_board(self) -> None:
        """Reset the board, which then counts nothing as taken."""
        self.taken = 0
        self.awaited = None

    @rule(is_lost=booleans())
    def send(self, is_lost: bool = False) -> None:
        """Report the oldest readings that are not taken; the last report timed out."""
        self.awaited = None
        numbers = list(self.kept)[self.taken : self.taken + BATCH]
        if is_lost:
            return
        readings = tuple(
            Reading(
                number % 2 + 1,
                _value(number),
                (self.clock - self.kept[number]) * self.slow,
                number,
            )
            for number in numbers
        )
        report = Report(readings, stream=STREAM)
        task = self.run(lambda: self.loop.create_task(self._answer(report, self.nonce)))
        self.tasks.append(task)
        self.awaited = task, numbers

    @precondition(lambda self: self.awaited and self.awaited[0].done())
    @rule(is_lost=booleans())
    def receive(self, is_lost: bool = False) -> None:
        """Receive the answer."""
        assert self.awaited is not None
        task, numbers = self.awaited
        self.awaited = None
        if is_lost:
            return
        self.nonce, answer = task.result()
        if answer == UNKNOWN_NONCE:
            self.taken = 0
        elif isinstance(answer, Taken):
            self.taken += len(numbers)
            assert answer.stored is not None
            self.confirmed = max(self.confirmed, answer.stored)
            for number in [each for each in self.kept if each <= answer.stored]:
                del self.kept[number]
                self.taken = max(0, self.taken - 1)

    @rule()
    def exchange(self) -> None:
        """Report and take the answer, without a fault."""
        self.send()
        self._work_off()
        self.receive()

    @precondition(lambda self: self.awaited and not self.awaited[0].done())
    @rule()
    def lose_patience(self) -> None:
        """Report once more while the server has the last one in hand."""
        self.send()
        # The nonce was spent on that.
        self.receive()
        self.send()

    # The server

    async def _answer(self, report: Report, nonce: int) -> tuple[int, Taken | int]:
        """Answer a report as the view does, with the next nonce."""
        answer: Taken | int
        if nonce not in self.nonces:
            answer = UNKNOWN_NONCE
        else:
            self.nonces.remove(nonce)
            try:
                answer = await self.station.async_take_report(report, dt_util.utcnow())
            except NotReadyError:
                answer = NOT_READY
        self.nonces.add(new := next(self.new_nonces))
        return new, answer

    @rule(is_done=booleans())
    def check(self, is_done: bool = True) -> None:
        """Have the journal look for rows."""
        self.tasks.append(
            self.run(lambda: self.loop.create_task(self.journal._async_check()))
        )
        if is_done:
            self._work_off()

    @rule(is_done=booleans())
    def sync(self, is_done: bool = True) -> None:
        """Have the journal sync what is committed."""
        self.tasks.append(
            self.run(lambda: self.loop.create_task(self.journal._async_sync()))
        )
        if is_done:
            self._work_off()

    @rule()
    def sync_while_reporting(self) -> None:
        """Have more committed after what is synced, and before the journal knows."""
        self.check()
        self.sync(is_done=False)
        if self.computer.jobs:
            self.computer.work(-1)
            synced = self.computer.results.pop()
            self.measure(1)
            self.exchange()
            self.check()
            self.computer.results.append(synced)
            self._work_off()
            self.exchange()

    @precondition(lambda self: self.computer.jobs)
    @rule(place=integers(0, 3))
    def work(self, place: int) -> None:
        """Have a thread do what it was asked for."""
        self.computer.work(place)

    @precondition(lambda self: self.computer.results)
    @rule(place=integers(0, 3))
    def deliver(self, place: int) -> None:
        """Have the event loop get the result of a thread."""
        self.run(lambda: self.computer.deliver(place))

    @rule(is_failing=booleans())
    def record(self, is_failing: bool) -> None:
        """Have the recorder commit, or fail: it then drops what is not committed."""
        if is_failing:
            self.computer.queued.clear()
        else:
            self.computer.commit()

    @rule(number=integers(0, 1))
    def reload(self, number: int) -> None:
        """Have a sensor be away once, so that half a report is taken."""
        self.sensors[number].is_failing = True

    @rule(power=booleans(), survives=integers(0, 30))
    def crash(self, power: bool, survives: int = 0) -> None:
        """Kill Home Assistant, or cut the power: what the log's end had is gone."""
        for task in self.tasks:
            task.cancel()
        self.run(self.tasks.clear)
        self.awaited = None
        self.computer.jobs.clear()
        self.computer.results.clear()
        self.computer.queued.clear()
        if power:
            del self.computer.log[survives:]
            self.computer.sync()
        self.start_server()

    @precondition(lambda self: all(task.done() for task in self.tasks))
    @rule(seconds=integers(1, 4000))
    def wait(self, seconds: int) -> None:
        """Let time pass while no report is on its way."""
        self.clock += seconds

    # The promise

    @invariant()
    def nothing_has_failed(self) -> None:
        """Check that no task of the server has raised anything."""
        for task in self.tasks:
            if task.done():
                task.result()

    @invariant()
    def nothing_is_lost_or_twice(self) -> None:
        """Check that what was confirmed is on the disk, and each row there once."""
        rows = self.computer.rows
        assert len(rows) == len({identity for identity, _ in rows})
        expected = {_identity(each): f"{_value(each):.3f}" for each in self.reported}
        assert set(rows) <= set(expected.items())
        promised = {each for each in self.reported if each <= self.confirmed}
        on_disk = {identity for identity, _ in self.computer.disk}
        assert {_identity(each) for each in promised - self.dropped} <= on_disk

    @property
    def reported(self) -> range:
        """Return the numbers of all readings."""
        return range(self.number)

    @override
    def teardown(self) -> None:
        """Check that in the end all readings that the board kept are on the disk."""
        try:
            self.nothing_is_lost_or_twice()
            # Everything taken, and nothing synced, when Home Assistant is killed
            self.measure(20)
            for _ in range(BUFFER // BATCH + 2):
                self.exchange()
            self.record(is_failing=False)
            self.crash(power=False)
            for _ in range(2 * BUFFER):
                self.exchange()
                self.nothing_is_lost_or_twice()
                if not self.kept:
                    break
                self.check()
                self.exchange()
                self.nothing_is_lost_or_twice()
                self.sync()
                self.wait(4000)
            assert not self.kept
        finally:
            for task in self.tasks:
                task.cancel()
            self.run(self.tasks.clear)
            self.patches.close()
            self.loop.close()

    def _work_off(self) -> None:
        while self.computer.jobs or self.computer.results:
            if self.computer.jobs:
                self.computer.work(0)
            self.run(lambda: self.computer.deliver(0))


def _identity(number: int) -> bytes:
    return reading_id(OUTDOOR, STREAM, number)


def _value(number: int) -> float:
    return 20 + number / 1000


TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnce.settings = settings(
    max_examples=100, stateful_step_count=50, deadline=None
)
