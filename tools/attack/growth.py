"""Growth under half an hour of refused requests."""

import asyncio
import secrets
import time

from .cost import KINDS
from .result import require
from .target import VICTIM, Target, any_mac, legacy
from .wire import Connection, connection

_MINUTES = 30
_ATTACKERS = 4
_WARMING = 1 / 3  # share of the time in which caches fill
_LIMIT = 10e6  # bytes that memory may grow by afterwards


async def _attack(target: Target, source: str, end: float) -> int:
    """Send requests of all kinds until a time; return how many."""
    makes = [make for kinds in KINDS.values() for make in kinds.values()]
    count = 0
    while time.monotonic() < end:
        if secrets.randbelow(50) == 0:
            # One that starts and hangs up
            opened = await Connection.open(target.port, source)
            await opened.send(makes[secrets.randbelow(len(makes))]()[:-1])
            opened.reset()
        async with connection(target.port, source) as one:
            for _ in range(20):
                sent = makes[secrets.randbelow(len(makes))]()
                if (await one.ask(sent)).status == 0:
                    break
                count += 1
        await target.get(legacy(VICTIM, mac=any_mac()))
        await asyncio.sleep(0.05)
    return count


async def half_an_hour(target: Target) -> str:
    """It leaves nothing behind: memory, files, entities after refused requests of all kinds."""
    seconds = 8 if target.short else _MINUTES * 60
    entities, files = await target.entities(), target.open_files()
    began = time.monotonic()
    end = began + seconds
    attackers = [
        asyncio.create_task(_attack(target, f"127.0.2.{number + 1}", end))
        for number in range(_ATTACKERS)
    ]
    samples = []
    slowest = 0.0
    while time.monotonic() < end:
        await asyncio.sleep(seconds / 30)
        slowest = max(slowest, await target.take(VICTIM))
        samples.append(target.memory())
        if not target.short:
            await target.home_assistant.log_in()
    count = sum(await asyncio.gather(*attackers))
    await asyncio.sleep(2)
    warm = samples[int(len(samples) * _WARMING)]
    grown = samples[-1] - warm
    new = await target.entities() - entities
    left = target.open_files() - files
    figure = (
        f"{count} refused in {seconds} s: memory {samples[0] / 1e6:.1f} MB,"
        f" {warm / 1e6:.1f} after a third, {samples[-1] / 1e6:.1f} at the end; {left} files"
        f" and {len(new)} entities more; the slowest real report {slowest * 1000:.0f} ms"
    )
    require(grown < _LIMIT and not new and left <= 4 and slowest < 1, figure)
    return figure


ATTACKS = (half_an_hour,)
