"""Slow connections, and many of them."""

import asyncio
from collections import Counter
from contextlib import suppress
import time

from tools.signature import SIGNED_PATH, Signer, digest_of

from .result import require
from .target import VICTIM, Target, legacy
from .wire import CLOSED, Answer, Connection, connection, request

WAITING = 16  # incomplete bodies of one address that HA waits for
LIMIT = 10  # seconds that a body may take
_ATTACKER = "127.0.0.9"  # an address of this machine that no station uses
_PATHS = (SIGNED_PATH, "/update", "/update.json", "/channels/1/bulk_update.csv")


def _incomplete(path: str, method: str = "POST") -> bytes:
    """Return a request without its body."""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nx".encode()
    )


async def _hold(target: Target, count: int, path: str, source: str) -> list[Connection]:
    opened = []
    for _ in range(count):
        one = await Connection.open(target.port, source)
        await one.send(_incomplete(path))
        opened.append(one)
    return opened


async def _statuses(opened: list[Connection], limit: float) -> Counter[int]:
    async def status(one: Connection) -> int:
        with suppress(TimeoutError):
            return (await one.answer(limit)).status
        return -1

    return Counter(await asyncio.gather(*(status(each) for each in opened)))


async def dripping_bodies(target: Target) -> str:
    """A body that drips is answered 408 after 10 seconds and its connection closed."""

    async def drip(path: str, method: str, *, chunked: bool) -> tuple[str, float]:
        async with connection(target.port, _ATTACKER) as opened:
            began = time.monotonic()
            head = _incomplete(path, method)
            if chunked:
                head = head.replace(
                    b"Content-Length: 1000", b"Transfer-Encoding: chunked"
                )
                head = head[:-1] + b"1\r\nx\r\n"
            await opened.send(head)
            answer: asyncio.Task[Answer] = asyncio.create_task(opened.answer(LIMIT + 5))
            while not answer.done() and time.monotonic() - began < LIMIT + 5:
                with suppress(ConnectionError):
                    await opened.send(b"1\r\nx\r\n" if chunked else b"x")
                await asyncio.wait([answer], timeout=0.5)
            with suppress(TimeoutError):
                status = (await answer).status
                took = time.monotonic() - began
                with suppress(ConnectionError):
                    for _ in range(3):
                        await opened.send(request("GET", legacy(VICTIM)))
                        await asyncio.sleep(0.1)
                    if await opened.answer(1) != CLOSED:
                        return f"{status}, connection open", took
                return str(status), took
            return "no answer", time.monotonic() - began

    kinds = [
        (path, method, chunked)
        for path in _PATHS
        for method in ("POST", "GET")
        for chunked in (False, True)
        if method == "POST" or path == "/update"
    ]
    got = await asyncio.gather(
        *(drip(path, method, chunked=chunked) for path, method, chunked in kinds)
    )
    wrong = {
        kind: (status, round(took, 1))
        for kind, (status, took) in zip(kinds, got, strict=True)
        if status != "408" or not LIMIT - 1 < took < LIMIT + 4
    }
    require(not wrong, f"otherwise: {wrong}")
    return f"{len(kinds)} bodies, 408 after {min(t for _, t in got):.1f} to {max(t for _, t in got):.1f} s"


async def many_incomplete_bodies(target: Target) -> str:
    """Of each sender, 16 incomplete bodies are waited for, and others are answered 503."""
    before = target.memory(), target.open_files()
    opened: list[Connection] = []
    for number in range(target.many(400)):
        opened += await _hold(target, 1, _PATHS[number % len(_PATHS)], _ATTACKER)
    statuses = await _statuses(opened, LIMIT / 2)
    real = await target.take(VICTIM)
    whole = await target.report_signed(VICTIM)
    grown = (target.memory() - before[0]) / 1e6
    for one in opened:
        one.reset()
    left = await target.files_left(before[1])
    figure = (
        f"of {len(opened)}: {statuses[-1]} waited for, {statuses[503]} times 503;"
        f" {grown:.1f} MB; a real report after {real * 1000:.0f} ms, a signed one"
        f" {whole.status}; {left} files left open"
    )
    require(statuses[-1] <= WAITING and whole.status == 200 and left <= 2, figure)
    require(statuses[503] + statuses[-1] == len(opened), f"{figure}; {statuses}")
    return figure


async def connections_left_open(target: Target) -> str:
    """Of each sender, 16 bodies are waited for: their connections are closed then, too."""
    opened = await _hold(target, 60, SIGNED_PATH, _ATTACKER)
    refused = 0
    with suppress(TimeoutError):
        for one in opened[WAITING:]:
            refused += (await one.answer(5)).status == 503
    alive = 0
    for one in opened[WAITING:]:
        with suppress(ConnectionError):
            await one.send(b"y" * 999 + request("GET", "/manifest.json"))
            with suppress(TimeoutError):
                alive += (await one.answer(0.2)).status != 0
    for one in opened:
        one.reset()
    figure = f"{refused} refused, {alive} of them still served afterwards"
    require(refused == 44 and not alive, figure)
    return figure


async def places_given_back(target: Target) -> str:
    """Of each sender, 16 bodies are waited for: one that hangs up leaves its place."""
    for _ in range(target.many(50)):
        for one in await _hold(target, WAITING, _PATHS[0], _ATTACKER):
            one.reset()
    body = b"{}"
    signer = Signer(VICTIM.mac, VICTIM.key)
    whole = request(
        "POST", SIGNED_PATH, body, signer.headers(body, await target.nonce())
    )

    async def in_two_parts() -> Answer:
        return await target.ask(whole[:-1], whole[-1:], source=_ATTACKER)

    answer = await target.patiently(in_two_parts)
    require(answer.status == 400, f"a whole report is answered {answer.status}")
    return (
        f"{target.many(50) * WAITING} connections dropped, then a whole report is read"
    )


async def one_address_and_another(target: Target) -> str:
    """16 bodies of each sender: naming another sender in a header takes none of his."""
    opened = []
    for _ in range(WAITING + 4):
        one = await Connection.open(target.port, _ATTACKER)
        await one.send(
            _incomplete(SIGNED_PATH).replace(
                b"\r\n\r\n",
                b"\r\nX-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n\r\n",
            )
        )
        opened.append(one)
    whole = await target.report_signed(VICTIM)
    for one in opened:
        one.reset()
    require(whole.status == 200, f"a station's report is answered {whole.status}")
    return "a station's report is answered 200"


async def many_addresses(target: Target) -> str:
    """Slow senders with many addresses stop no real report and leave nothing behind."""
    before = target.memory(), target.open_files()
    opened = []
    for number in range(target.many(60)):
        opened += await _hold(target, WAITING, SIGNED_PATH, f"127.0.1.{number + 1}")
    real = max([await target.take(VICTIM) for _ in range(20)])
    whole = await target.report_signed(VICTIM)
    grown = (target.memory() - before[0]) / 1e6
    if not target.short:
        await asyncio.sleep(LIMIT + 2)
    closed = (await _statuses(opened, 0.1))[-1] if not target.short else 0
    for one in opened:
        one.reset()
    left = await target.files_left(before[1])
    figure = (
        f"{len(opened)} bodies: {grown:.1f} MB; the slowest real report"
        f" {real * 1000:.0f} ms, a signed one {whole.status}; {closed} still waited for"
        f" after {LIMIT + 2} s, {left} files left open"
    )
    require(real < 1 and whole.status == 200 and left <= 2 and not closed, figure)
    return figure


async def pipelined(target: Target) -> str:
    """Many requests without waiting for answers, and none of the answers read."""
    before = target.memory()
    async with connection(target.port, _ATTACKER) as opened:
        one = request("GET", legacy(VICTIM, key="x"))
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(3):
                for _ in range(target.many(200)):
                    await opened.send(one * 500)
        real = max([await target.take(VICTIM) for _ in range(5)])
        grown = (target.memory() - before) / 1e6
    figure = f"{grown:.1f} MB; the slowest real report {real * 1000:.0f} ms"
    require(real < 1 and grown < 30, figure)
    return figure


async def digest_of_a_slow_body(target: Target) -> str:
    """A body that arrives in many pieces within 10 seconds is accepted like any other."""
    body = b'{"mac": "%s", "readings": []}' % VICTIM.mac.encode()
    headers = Signer(VICTIM.mac, VICTIM.key).headers(body, await target.nonce())
    assert headers["Content-Digest"] == digest_of(body)
    whole = request("POST", SIGNED_PATH, body, headers)
    answer = await target.ask(*(whole[i : i + 40] for i in range(0, len(whole), 40)))
    require(answer.status == 200, f"{answer.status} {answer.text}")
    return "200"


ATTACKS = (
    dripping_bodies,
    many_incomplete_bodies,
    connections_left_open,
    places_given_back,
    one_address_and_another,
    many_addresses,
    pipelined,
    digest_of_a_slow_body,
)
