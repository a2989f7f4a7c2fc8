"""Counts wrong keys as failed logins for Home Assistant's ban of IP addresses.

Only where the user has set a `login_attempts_threshold`: without one there is nothing
to count, and Home Assistant would notify the user of each attempt.
"""

from time import monotonic
from typing import Final

from aiohttp import web

from homeassistant.helpers.http import KEY_HASS

from ..data import DATA

# Not a public interface. Without it, wrong keys are refused but not counted.
try:
    from homeassistant.components.http.ban import (
        KEY_LOGIN_THRESHOLD,
        process_wrong_login,
    )

    IS_COUNTED = True
except ImportError:
    IS_COUNTED = False

# Per minute from one sender before the next one counts as a guess. A station with a
# mistyped key sends two with each report, since it retries with a new nonce.
_MAX_SIGNATURES: Final = 30
# … and from all senders together, which may be one with many addresses
_MAX_SIGNATURES_OF_ALL: Final = 60


async def async_count_wrong_key(request: web.Request, mac: str, key: str) -> None:
    """Count a wrong key as a failed login of its sender.

    A key that was mistyped in a station is sent repeatedly, which is no guessing,
    and must not ban what may be the user's own router: the same key for the same MAC
    counts once for each sender.
    """
    if not (sender := _counted_sender(request)):
        return
    wrong = request.app[KEY_HASS].data[DATA].wrong_keys
    guess = hash((sender, mac, key))
    if guess in wrong:
        return
    wrong.append(guess)
    await _count_failed_login(request, sender)


async def async_count_wrong_signature(request: web.Request) -> None:
    """Count a wrong signature as a failed login if there are many of them.

    A mistyped key makes a different signature each time and so looks like a
    guess; but a station sends far less often than guessing requires. A
    station with the right key is never counted, whatever others do.
    """
    if not (sender := _counted_sender(request)):
        return
    wrong = request.app[KEY_HASS].data[DATA].wrong_signatures
    now = monotonic()
    wrong.append((sender, now))
    senders = [who for who, when in wrong if now - when < 60]
    if len(senders) > _MAX_SIGNATURES_OF_ALL or senders.count(sender) > _MAX_SIGNATURES:
        await _count_failed_login(request, sender)


def _counted_sender(request: web.Request) -> str | None:
    """Return the sender's address if failed logins are counted."""
    if not IS_COUNTED or request.app.get(KEY_LOGIN_THRESHOLD, 0) < 1:
        return None
    # None or empty for the Supervisor's socket, which Home Assistant never bans.
    return request.remote


async def _count_failed_login(request: web.Request, sender: str) -> None:
    # Home Assistant logs the address that was requested, which may hold a key.
    await process_wrong_login(request.clone(rel_url="/update/", remote=sender))
