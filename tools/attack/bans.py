"""Guessing keys, and having others banned, where the owner has set that HA bans."""

import asyncio
from collections import Counter
from pathlib import Path
import tempfile

from tools.signature import SIGNED_PATH, Signer

from .result import require
from .target import VICTIM, Target, any_key, legacy
from .wire import Answer, request

THRESHOLD = 3  # failed logins
GUESSES = 30  # wrong signatures a minute that ban nobody
_LATER = 2.5  # seconds in which what follows from a wrong key is done
_HOME = "127.0.0.1"


async def _signed(target: Target, source: str, key: str, nonce: str) -> Answer:
    body = b'{"mac": "%s", "readings": []}' % VICTIM.mac.encode()
    headers = Signer(VICTIM.mac, key).headers(body, nonce)
    return await target.ask(
        request("POST", SIGNED_PATH, body, headers, close=True), source=source
    )


async def _right(target: Target, source: str) -> int:
    """Return the answer to a real report from an address."""
    sent = request("GET", legacy(VICTIM), close=True)
    return (await target.ask(sent, source=source)).status


async def guesses(target: Target) -> str:
    """Home Assistant bans a sender who tries keys, and no station that has the right one."""
    with tempfile.TemporaryDirectory() as name:
        async with Target.running(
            Path(name), short=target.short, http={"login_attempts_threshold": THRESHOLD}
        ) as banning:
            return await _guess(banning)


async def _guess(target: Target) -> str:
    after: dict[str, int] = {}
    for source, paths in {
        "127.0.3.1": [legacy(VICTIM, key=any_key()) for _ in range(THRESHOLD + 1)],
        "127.0.3.2": [
            f"/update?api_key={any_key()}&field1=1" for _ in range(THRESHOLD + 1)
        ],
        "127.0.3.3": [legacy(VICTIM, key="mistyped0123")] * 40,
    }.items():
        for path in paths:
            await target.ask(request("GET", path, close=True), source=source)
        await asyncio.sleep(_LATER)
        after[source] = await _right(target, source)
    # In the name of another sender, which no proxy of the owner has vouched for
    in_the_name = Counter(
        [
            (
                await target.ask(
                    request(
                        "GET",
                        legacy(VICTIM, key=any_key()),
                        headers={"X-Forwarded-For": _HOME},
                        close=True,
                    ),
                    source="127.0.3.6",
                )
            ).status
            for _ in range(THRESHOLD + 1)
        ]
    )
    # A station whose nonce is old, as after each restart: never a guess
    used = await target.nonce()
    old = Counter(
        [
            (await _signed(target, "127.0.3.4", VICTIM.key, used)).status
            for _ in range(3 * GUESSES)
        ]
    )
    after["127.0.3.4"] = await _right(target, "127.0.3.4")
    for number in range(3 * GUESSES):
        # From many addresses, and each time with the nonce that the answer brought
        source = f"127.0.3.{100 + number % 10}"
        await _signed(target, source, any_key(), await target.nonce())
    for number in range(GUESSES + THRESHOLD + 1):
        await _signed(target, "127.0.3.5", any_key(), f"{number}")
    await asyncio.sleep(_LATER)
    after["127.0.3.5"] = await _right(target, "127.0.3.5")
    after["home"] = await _right(target, _HOME)
    figure = (
        f"afterwards a right report is answered {after}; old nonces: {dict(old)};"
        f" in the name of another: {dict(in_the_name)}"
    )
    require(
        list(after.values()) == [403, 403, 200, 200, 403, 200]
        and not old[403]
        and not in_the_name[200],
        figure,
    )
    return figure


ATTACKS = (guesses,)
