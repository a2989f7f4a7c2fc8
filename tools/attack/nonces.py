"""Nonces: respelt, of others, used, in flight, expired, and in large numbers."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
import json
from pathlib import Path
import tempfile
from typing import Any

from tools.signature import SIGNED_PATH, Signer
from tools.station import Station, add_station

from . import late
from .result import require
from .target import NEIGHBOUR, VICTIM, WRONG_KEY, Target
from .wire import Connection, connection, request

type Change = Callable[[Target], Awaitable[None]]

LIFE = 2 * 60 * 60  # lifetime of a nonce in seconds


def _report(nonce: str, station: Station = VICTIM, **more: Any) -> bytes:
    body = json.dumps({"mac": station.mac, "readings": [], **more}).encode()
    headers = Signer(station.mac, station.key).headers(body, nonce)
    return request("POST", SIGNED_PATH, body, headers)


async def used(target: Target) -> str:
    """Nobody can record a report and send it again: a nonce is accepted once."""
    nonce = await target.nonce()
    first = (await target.ask(_report(nonce))).status
    again = Counter([(await target.ask(_report(nonce))).status for _ in range(20)])
    require(first == 200 and again == {401: 20}, f"{first}, then {dict(again)}")
    return f"200, then {again[401]} times 401"


async def respelt(target: Target) -> str:
    """Nobody can record a report and send it again: nor with its nonce spelt otherwise."""
    taken = []
    spellings = 0
    for spell in (
        str.upper,
        str.lower,
        str.swapcase,
        lambda nonce: nonce + "=",
        lambda nonce: nonce + "==",
        lambda nonce: nonce.rstrip("="),
        lambda nonce: nonce + " ",
        lambda nonce: " " + nonce,
        lambda nonce: "0" + nonce,
        lambda nonce: nonce + "0",
        lambda nonce: nonce[:-1],
        lambda nonce: nonce[:-1] + chr(ord(nonce[-1]) ^ 1),
        lambda nonce: nonce.replace("-", "+").replace("_", "/"),
        lambda nonce: nonce.replace("+", "-").replace("/", "_"),
        lambda nonce: nonce + "\\\\",
        lambda nonce: "\\" + nonce,
        lambda nonce: nonce + "\t",
        lambda nonce: nonce + nonce,
        lambda nonce: nonce[::-1],
        lambda nonce: "+" + nonce,
        lambda nonce: "0x" + nonce,
        lambda nonce: nonce[:4] + "_" + nonce[4:],
        lambda nonce: "",
        lambda nonce: "0" * len(nonce),
    ):
        nonce = await target.nonce()
        require((await target.ask(_report(nonce))).status == 200, "a nonce is refused")
        spelt = spell(nonce)
        if spelt == nonce:
            continue
        spellings += 1
        if (answer := await target.ask(_report(spelt))).status != 401:
            taken.append((nonce, spelt, answer.status))
    require(not taken, f"not 401: {taken}")
    return f"{spellings} spellings, all 401"


async def of_others(target: Target) -> str:
    """Neither a stranger nor another station can use up the nonce of a station."""
    nonce = await target.nonce()
    stranger = Station("Stranger", VICTIM.mac, key=WRONG_KEY)
    statuses = [
        (await target.ask(_report(nonce, station))).status
        for station in (stranger, NEIGHBOUR, VICTIM, NEIGHBOUR, VICTIM)
    ]
    require(statuses == [401, 200, 200, 401, 401], f"{statuses}")
    return "a stranger 401, then each of two stations 200 once and 401 after that"


async def in_flight(target: Target) -> str:
    """A nonce is accepted once, even by reports that arrive at the same moment."""
    rounds = target.many(40)
    taken: Counter[int] = Counter()
    for _ in range(rounds):
        report = _report(await target.nonce())
        opened = [await Connection.open(target.port) for _ in range(8)]
        for one in opened:
            await one.send(report[:-1])
        for one in opened:
            await one.send(report[-1:])
        statuses = Counter([(await one.answer()).status for one in opened])
        for one in opened:
            one.close()
        taken[statuses[200]] += 1
        require(statuses[200] + statuses[401] == 8, f"{dict(statuses)}")
    require(taken == {1: rounds}, f"times taken: {dict(taken)}")
    return f"{rounds} times 8 at once, each taken once"


async def very_many(target: Target) -> str:
    """A stranger who requests nonces cannot invalidate those of a station."""
    nonce = await target.nonce()
    count = target.many(30_000)
    before = target.memory()
    async with connection(target.port) as opened:
        for _ in range(count):
            await opened.ask(request("POST", SIGNED_PATH))
    answer = await target.ask(_report(nonce))
    grown = (target.memory() - before) / 1e6
    figure = f"after {count} others {answer.status}; {grown:.1f} MB"
    require(answer.status == 200 and grown < 20, figure)
    return figure


async def used_very_many(target: Target) -> str:
    """The memory of used nonces only grows with reports of stations."""
    count = target.many(10_000)
    async with connection(target.port) as opened:
        first = nonce = await target.nonce()
        for _ in range(count):
            answer = await opened.ask(_report(nonce))
            require(answer.status == 200, f"{answer.status} {answer.text}")
            nonce = answer.headers["accept-signature"].partition(';nonce="')[2][:-1]
    again = (await target.ask(_report(first))).status
    require(again == 401, f"the first nonce after {count} others: {again}")
    return f"the first nonce after {count} others: {again}"


async def of_the_answer(target: Target) -> str:
    """Each answer brings a nonce that is valid for the next report."""
    wrong = []
    refusals = {
        "no signature": request("POST", SIGNED_PATH, b"{}"),
        "not JSON": request(
            "POST",
            SIGNED_PATH,
            b"{",
            Signer(VICTIM.mac, VICTIM.key).headers(b"{", await target.nonce()),
        ),
        "GET": request("GET", SIGNED_PATH),
        "too long": request("POST", SIGNED_PATH, b" " * 65_537),
        "encoded": request("POST", SIGNED_PATH, b"{}", {"Content-Encoding": "gzip"}),
        "taken": _report(await target.nonce()),
        "used": _report("used"),
    }
    for name, sent in refusals.items():
        answer = await target.ask(sent)
        brought = answer.headers.get("accept-signature", "")
        nonce = brought.partition(';nonce="')[2].removesuffix('"')
        status = (await target.ask(_report(nonce))).status if nonce else 0
        if status != 200:
            wrong.append((name, answer.status, brought, status))
    require(not wrong, f"{wrong}")
    return f"{len(refusals)} answers"


async def many_at_once(target: Target) -> str:
    """One nonce is not given to two stations."""
    nonces = await asyncio.gather(*(target.nonce() for _ in range(100)))
    require(len(set(nonces)) == 100, f"{100 - len(set(nonces))} of 100 given twice")
    return "100 at once, all different"


async def expired(target: Target) -> str:
    """A nonce is accepted within two hours, and a used one not even after that."""
    with tempfile.TemporaryDirectory() as name:
        clock = Path(name) / "clock"
        async with Target.running(
            Path(name) / "config", short=target.short, clock=clock
        ) as other:
            used_up, first, kept = [await other.nonce() for _ in range(3)]

            async def sent(*nonces: str) -> list[int]:
                return [(await other.ask(_report(nonce))).status for nonce in nonces]

            statuses = await sent(used_up)
            late.put_forward(clock, LIFE - 30)
            statuses += await sent(first)
            late.put_forward(clock, LIFE + 30)
            statuses += await sent(kept, used_up, first, await other.nonce())
            late.put_forward(clock, 10 * LIFE)
            statuses += await sent(kept, used_up, first, await other.nonce())
    expected = [200, 200, 401, 401, 401, 200, 401, 401, 401, 200]
    require(statuses == expected, f"{statuses} instead of {expected}")
    return "200 after 1:59:30, 401 after 2:00:30 and after 20 hours"


async def over_changes(target: Target) -> str:
    """A used nonce stays used: after a reload, a removal, with the same key, a restart."""
    if target.short:
        return await _over(target, (_reload, _disable, _remove))
    with tempfile.TemporaryDirectory() as name:
        async with Target.running(Path(name), short=False) as other:
            return await _over(other, (_reload, _disable, _remove, _restart))


async def _over(target: Target, changes: tuple[Change, ...]) -> str:
    wrong = {}
    before: list[bytes] = []
    for change in changes:
        unused, used_up = [_report(await target.nonce()) for _ in range(2)]
        before += [unused, used_up]
        first = (await target.ask(used_up)).status
        await change(target)
        again = {(await target.ask(each)).status for each in before}
        fresh = (await target.ask(_report(await target.nonce()))).status
        if (first, again, fresh) != (200, {401}, 200):
            wrong[change.__name__] = first, again, fresh
    require(not wrong, f"{wrong}")
    return f"{len(changes)} changes: 401 for each report from before, 200 for a new one"


async def _reload(target: Target) -> None:
    await target.reload(VICTIM)


async def _disable(target: Target) -> None:
    await target.disable_and_enable(VICTIM)


async def _remove(target: Target) -> None:
    await target.remove(VICTIM)
    await add_station(target.home_assistant, VICTIM)


async def _restart(target: Target) -> None:
    await target.home_assistant.stop()
    await target.home_assistant.start()


ATTACKS = (
    used,
    respelt,
    of_others,
    in_flight,
    very_many,
    used_very_many,
    of_the_answer,
    many_at_once,
    expired,
    over_changes,
)
