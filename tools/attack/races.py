"""Changes of stations while their reports are in flight."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
import json
import secrets
import time

from tools.home_assistant import HomeAssistantError
from tools.signature import SIGNED_PATH, Signer
from tools.station import ENTRIES, Station, add_station

from .result import require
from .target import Target
from .wire import connection, request

RACER = Station("Racer", "5c:cf:7f:a0:01:01", key="Wt5Dv9kRcM2nJb7XeP4s")
_SENSORS = "sensor.racer_"
_RENAMED = "_renamed"
_WRITTEN = 12  # seconds until a reading that was taken is in the database

type Change = Callable[[Target], Awaitable[None]]


@dataclass
class Stream:
    """A station that numbers its readings; each number is its value."""

    station: Station = RACER
    # A new one each time: a reading that is known is not taken again.
    name: str = field(default_factory=partial(secrets.token_hex, 4))
    number: int = 1
    taken: set[int] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    entities: list[str] = field(default_factory=list)  # that its readings may be in

    def body(self, count: int = 1) -> bytes:
        """Return a report of the next readings."""
        return json.dumps(
            {
                "mac": self.station.mac,
                "stream": self.name,
                "first": self.number,
                "readings": [
                    {"field": 1, "value": self.number + i} for i in range(count)
                ],
                "fields": {"1": {"kind": "number"}},
            }
        ).encode()

    def request(self, nonce: str, count: int = 1) -> bytes:
        """Return a signed report of the next readings."""
        body = self.body(count)
        signer = Signer(self.station.mac, self.station.key)
        return request("POST", SIGNED_PATH, body, signer.headers(body, nonce))

    def answered(self, status: int, count: int = 1) -> None:
        """Record the answer; a reading that was not taken is sent again."""
        self.answers[status] += 1
        if status == 200:
            self.taken |= set(range(self.number, self.number + count))
            self.number += count

    async def send(self, target: Target) -> None:
        """Send one report."""
        nonce = await target.nonce()
        self.answered((await target.ask(self.request(nonce))).status)


async def _reload(target: Target) -> None:
    await target.reload(RACER)


async def _disable(target: Target) -> None:
    await target.disable_and_enable(RACER, pause=0.1)


async def _remove(target: Target) -> None:
    await target.remove(RACER)
    await asyncio.sleep(0.1)
    await add_station(target.home_assistant, RACER)


async def _rename(target: Target) -> None:
    for entity in await _sensors(target):
        usual = entity.removesuffix(_RENAMED)
        for old, new in ((usual, usual + _RENAMED), (usual + _RENAMED, usual)):
            with suppress(HomeAssistantError):  # It may have been removed meanwhile.
                await target.home_assistant.websocket(
                    "config/entity_registry/update", entity_id=old, new_entity_id=new
                )
            await asyncio.sleep(0.1)


async def _remove_entity(target: Target) -> None:
    for entity in await _sensors(target):
        with suppress(HomeAssistantError):
            await target.home_assistant.websocket(
                "config/entity_registry/remove", entity_id=entity
            )


async def _sensors(target: Target) -> list[str]:
    return sorted(each for each in await target.entities() if each.startswith(_SENSORS))


CHANGES: dict[str, Change] = {
    "reload": _reload,
    "rename": _rename,
    "remove the entity": _remove_entity,
    "disable and enable": _disable,
    "remove and add": _remove,
}


@asynccontextmanager
async def _racer(target: Target) -> AsyncGenerator[Stream]:
    """Set the station up, with its sensor; it is removed at the end."""
    await add_station(target.home_assistant, RACER)
    stream = Stream()
    async with asyncio.timeout(_WRITTEN):
        while not stream.taken:
            await stream.send(target)
        while not (sensors := await _sensors(target)):
            await asyncio.sleep(0.1)
    stream.entities = [*sensors, *(each + _RENAMED for each in sensors)]
    try:
        yield stream
    finally:
        with suppress(HomeAssistantError, ValueError):
            await target.remove(RACER)


async def _lost(
    target: Target, stream: Stream, since: datetime
) -> tuple[set[int], int]:
    """Return the taken readings that are not stored, and the duplicate rows."""
    lost: set[int] = set()
    end = time.monotonic() + _WRITTEN
    while True:
        states: list[str] = []
        for entity in stream.entities:
            states += await target.rows(entity, since)
        stored = Counter(
            int(float(state))
            for state in states
            if state not in {"", "unavailable", "unknown"}
        )
        lost = stream.taken - set(stored)
        if not lost or time.monotonic() > end:
            return lost, stored.total() - len(stored)
        await asyncio.sleep(0.5)


async def changed_all_the_time(target: Target) -> str:
    """Stations are reloaded, disabled, renamed, removed and added: what was taken is stored."""
    since = datetime.now(UTC)
    changes: list[tuple[str, int, int]] = []  # with the numbers in between
    async with _racer(target) as stream:
        end = time.monotonic() + target.many(80)

        async def report() -> None:
            while time.monotonic() < end:
                await stream.send(target)

        reporting = asyncio.create_task(report())
        while time.monotonic() < end:
            for name, change in CHANGES.items():
                first = stream.number
                await change(target)
                changes.append((name, first, stream.number))
                await asyncio.sleep(0.2)
        await reporting
        while stream.number not in stream.taken and stream.answers[200] < 2:
            await stream.send(target)
        lost, twice = await _lost(target, stream, since)
    figure = (
        f"{len(changes)} changes, {dict(stream.answers)}; {len(lost)} lost, {twice} rows more"
        " than readings (a reload writes the last value once more)"
    )
    near = [
        change
        for change in changes
        if any(change[1] - 50 <= number <= change[2] + 50 for number in lost)
    ]
    require(not lost, f"{figure}: {sorted(lost)[:10]}, near {near[:10]}")
    require(
        set(stream.answers) <= {200, 401, 503} and twice <= 2 * len(changes), figure
    )
    return figure


async def in_flight(target: Target) -> str:
    """A report whose body arrives after a change of the station: taken and stored, or neither."""
    since = datetime.now(UTC)
    answers: dict[str, list[int]] = {}
    async with _racer(target) as stream:
        for name, change in CHANGES.items():
            for kind in ("signed", "form"):
                if kind == "signed":
                    whole = stream.request(await target.nonce())
                else:
                    form = f"api_key={RACER.key}&field1={stream.number}".encode()
                    whole = request("POST", "/update", form)
                async with connection(target.port) as opened:
                    await opened.send(whole[:-5])
                    await change(target)
                    await opened.send(whole[-5:])
                    status = (await opened.answer()).status
                stream.answered(status)
                answers.setdefault(name, []).append(status)
                await asyncio.sleep(0.3)
        lost, _ = await _lost(target, stream, since)
    figure = f"{answers}; {len(lost)} lost"
    allowed = {200, 401, 503}
    require(not lost, f"{figure}: {sorted(lost)}")
    require(all(set(each) <= allowed for each in answers.values()), figure)
    return figure


async def removed_in_flight(target: Target) -> str:
    """A removed station stores nothing, even of a report that began before."""
    statuses = []
    async with _racer(target) as stream:
        form = f"api_key={RACER.key}&field1=4711".encode()
        for whole in (
            stream.request(await target.nonce()),
            request("POST", "/update", form),
        ):
            await add_station(target.home_assistant, RACER)
            async with connection(target.port) as opened:
                await opened.send(whole[:-5])
                await target.remove(RACER)
                await opened.send(whole[-5:])
                statuses.append((await opened.answer()).status)
        left = [each for each in await target.entities() if "racer" in each]
    require(statuses == [401, 401] and not left, f"{statuses}, {left} left")
    return "401, and no entity is left"


async def key_changed_in_flight(target: Target) -> str:
    """Once there is a new key, the old one is invalid, even for a report that began before."""
    async with _racer(target) as stream:
        nonce = await target.nonce()
        whole = stream.request(nonce)
        other = replace(RACER, key="Wt5Dv9kRcM2nJb7XeP4t")
        async with connection(target.port) as opened:
            await opened.send(whole[:-5])
            await target.remove(RACER)
            await add_station(target.home_assistant, other)
            await opened.send(whole[-5:])
            late = (await opened.answer()).status
        old = (await target.ask(stream.request(await target.nonce()))).status
        stream.station = other
        new = (await target.ask(stream.request(await target.nonce()))).status
    require((late, old, new) == (401, 401, 200), f"late {late}, old {old}, new {new}")
    return "401, 401; the new key 200"


async def same_reading_at_once(target: Target) -> str:
    """A reading that is sent on many connections at once is stored once."""
    since = datetime.now(UTC)
    async with _racer(target) as stream:
        for _ in range(target.many(30)):
            nonces = [await target.nonce() for _ in range(8)]
            reports = [stream.request(nonce, 3) for nonce in nonces]
            got = await asyncio.gather(*(target.ask(each) for each in reports))
            # One that comes after a newer nonce was used is answered 401.
            statuses = {each.status for each in got}
            require(200 in statuses <= {200, 401}, f"answered {statuses}")
            stream.answered(200, 3)
        lost, twice = await _lost(target, stream, since)
    require(not lost and not twice, f"{len(lost)} lost, {twice} rows too many")
    return f"{len(stream.taken)} readings 8 times each: 0 lost, 0 twice"


async def first_reports_at_once(target: Target) -> str:
    """A field's first reports arrive at the same moment: one sensor, and all are stored."""
    since = datetime.now(UTC)
    await add_station(target.home_assistant, RACER)
    before = await target.entities()
    try:
        values = {field: [field + n / 100 for n in range(10)] for field in range(1, 10)}
        got = await asyncio.gather(
            *(
                target.get(RACER.report_path(field, f"{value}"))
                for n in range(10)
                for field, value in ((field, values[field][n]) for field in values)
            )
        )
        statuses = Counter(each.status for each in got)
        await asyncio.sleep(1)
        new = {
            entity
            for entity in await target.entities() - before
            if entity.startswith(_SENSORS)
        }
        end = time.monotonic() + _WRITTEN
        stored = 0
        while stored < statuses[200] and time.monotonic() < end:
            stored = sum([len(await target.rows(entity, since)) for entity in new])
            await asyncio.sleep(0.5)
    finally:
        await target.remove(RACER)
    figure = f"{dict(statuses)}, {len(new)} sensors, {stored} rows"
    require(set(statuses) <= {200, 503} and len(new) == 9, figure)
    require(stored >= statuses[200] > 0, figure)
    return figure


async def numbers_at_the_edge(target: Target) -> str:
    """(MAC, stream, number) is a reading's identity: also at the ends of the numbers."""
    since = datetime.now(UTC)
    async with _racer(target) as stream:
        answers = []
        for first, count in (
            (0, 1),
            (2**53 - 501, 1),
            (2**53 - 500, 500),
            (2**53, 2),
            (0, 1),
            (1, 1),
        ):
            body = {
                "mac": RACER.mac,
                "stream": stream.name,
                "first": first,
                "readings": [{"field": 1, "value": 4000 + i} for i in range(count)],
            }
            text = json.dumps(body).encode()
            headers = Signer(RACER.mac, RACER.key).headers(text, await target.nonce())
            got = await target.ask(request("POST", SIGNED_PATH, text, headers))
            answers.append((got.status, got.text[:90]))
        lost, _ = await _lost(target, stream, since)
    statuses = [status for status, _ in answers]
    require(max(statuses) < 500 and not lost, f"{answers}")
    return f"{statuses}"


async def unsigned_while_reloaded(target: Target) -> str:
    """A reload or rename costs no unsigned reading: 200 and stored, or 503 and sent again."""
    since = datetime.now(UTC)
    async with _racer(target) as stream:
        changes = [_reload, _rename, _reload, _remove_entity]
        done = asyncio.Event()

        async def report() -> None:
            while not done.is_set():
                if stream.number % 2:
                    path = RACER.report_path(1, f"{stream.number}")
                else:
                    path = f"/update?api_key={RACER.key}&field1={stream.number}"
                stream.answered((await target.get(path)).status)

        reporting = asyncio.create_task(report())
        for _ in range(target.many(20)):
            for change in changes:
                await change(target)
                await asyncio.sleep(0.2)
        done.set()
        await reporting
        lost, _ = await _lost(target, stream, since)
    figure = f"{dict(stream.answers)}; {len(lost)} lost"
    require(not lost and set(stream.answers) <= {200, 503}, f"{figure}: {lost}")
    return figure


async def hung_up(target: Target) -> str:
    """A sender hangs up before the answer and sends again: each reading is stored once."""
    since = datetime.now(UTC)
    async with _racer(target) as stream:
        for count in range(target.many(200)):
            whole = stream.request(await target.nonce(), 2)
            async with connection(target.port) as opened:
                await opened.send(whole)
                await asyncio.sleep(count % 8 / 1000)
                opened.reset()
            for _ in range(50):
                nonce = await target.nonce()
                answer = await target.ask(stream.request(nonce, 2))
                stream.answered(answer.status, 2)
                if answer.status == 200:
                    break
        lost, twice = await _lost(target, stream, since)
    figure = f"{len(stream.taken)} readings, {len(lost)} lost, {twice} twice"
    require(not lost and not twice, f"{figure}: {sorted(lost)[:9]}")
    return figure


async def switched_off_in_flight(target: Target) -> str:
    """Once unsigned reports are switched off, none is taken, even if it began before."""
    async with _racer(target) as stream:
        form = f"api_key={RACER.key}&field1=4711".encode()
        whole = request("POST", "/update", form)
        signed = stream.request(await target.nonce())
        async with connection(target.port) as opened, connection(target.port) as other:
            await opened.send(whole[:-5])
            await other.send(signed[:-5])
            await target.set_option(RACER, "legacy", False)
            await opened.send(whole[-5:])
            await other.send(signed[-5:])
            late = (await opened.answer()).status
            right = (await other.answer()).status
        after = (await target.get(RACER.report_path(1, "4711"))).status
        states = [
            (await target.home_assistant.rest("GET", f"/api/states/{each}"))["state"]
            for each in await _sensors(target)
        ]
    figure = f"late {late}, signed {right}, afterwards {after}, states {states}"
    # The options reload the station: 503 is sent again, with a new nonce.
    require(late == 401 and after == 403 and right in {200, 401, 503}, figure)
    require("4711.0" not in states, figure)
    return figure


async def added_at_once(target: Target) -> str:
    """One MAC address is one station, even if two dialogs add it at the same moment."""
    try:
        got = await asyncio.gather(
            *(add_station(target.home_assistant, RACER) for _ in range(6)),
            return_exceptions=True,
        )
        entries = await target.home_assistant.rest(
            "GET", f"{ENTRIES}?domain=esp_weather"
        )
        found = [each for each in entries if each["title"] == RACER.name]
        status = (await target.get(RACER.report_path(1, "21.5"))).status
    finally:
        with suppress(HomeAssistantError, ValueError):
            await target.remove(RACER)
    created = [each for each in got if isinstance(each, dict)]
    figure = f"{len(created)} created, {len(found)} found, a report {status}"
    require(len(found) == 1 and status in {200, 503}, figure)
    return figure


ATTACKS = (
    changed_all_the_time,
    in_flight,
    removed_in_flight,
    key_changed_in_flight,
    same_reading_at_once,
    first_reports_at_once,
    numbers_at_the_edge,
    unsigned_while_reloaded,
    hung_up,
    switched_off_in_flight,
    added_at_once,
)
