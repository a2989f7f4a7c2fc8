"""Wrong keys as failed logins in Home Assistant's own ban of IP addresses."""

from collections import deque
from typing import Final

from aiohttp import web

from homeassistant.components.http.ban import KEY_LOGIN_THRESHOLD, process_wrong_login
from homeassistant.helpers.http import KEY_HASS
from homeassistant.util.hass_dict import HassKey

_GUESSES: Final[HassKey[deque[int]]] = HassKey("esp_weather_guesses")
# As many wrong keys as there may be in the stations of one network
_MAX_GUESSES: Final = 256


async def count_wrong_key(request: web.Request, mac: str, key: str) -> None:
    """Count a wrong key as a failed login of its sender.

    Only where the user has set a `login_attempts_threshold`: without one there
    is nothing to count, and Home Assistant would notify the user of each
    attempt. A key that was mistyped in a station is sent again and again, which
    is no guessing, and shall not ban what may be the user's own router: the
    same key for the same MAC counts once for each sender.
    """
    sender = request.remote
    # None or empty when it comes over the Supervisor's socket, which HA never bans.
    if not sender or request.app.get(KEY_LOGIN_THRESHOLD, 0) < 1:
        return
    guesses = request.app[KEY_HASS].data.setdefault(
        _GUESSES, deque(maxlen=_MAX_GUESSES)
    )
    guess = hash((sender, mac, key))
    if guess in guesses:
        return
    guesses.append(guess)
    # Home Assistant logs the address that was requested, which holds the key.
    await process_wrong_login(request.clone(rel_url="/update/", remote=sender))
