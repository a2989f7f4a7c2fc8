"""Wrong keys as failed logins, behind a reverse proxy and without one."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from socket import herror, socketpair
from typing import Any
from unittest.mock import patch

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.esp_weather.const import CONF_LEGACY, DOMAIN
from custom_components.esp_weather.reporting import ban
from homeassistant.components.http.ban import (
    IP_BANS_FILE,
    KEY_FAILED_LOGIN_ATTEMPTS,
    NOTIFICATION_ID_BAN,
    NOTIFICATION_ID_LOGIN,
)
from homeassistant.components.persistent_notification import (
    Notification,
    UpdateType,
    async_register_callback,
)
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from tests.helpers import KEY, OUTDOOR, Answer, Get, follow_up, legacy_url, raw_get
from tests.signed_station import SignedStation, reading
from tools.signature import Signer

PROXY = "127.0.0.1"
BOARD = "192.0.2.7"
STRANGER = "192.0.2.66"
REFUSAL = "No station with this MAC and key may report here."


@pytest.fixture
def threshold() -> int:
    """Return how many failed logins Home Assistant allows; -1 is its default."""
    return 3


@pytest.fixture(autouse=True)
async def _http(hass: HomeAssistant, threshold: int, tmp_path: Path) -> Any:
    """Configure the web server for a reverse proxy, and bans in `tmp_path`."""
    with patch.object(hass.config, "config_dir", str(tmp_path)):
        assert await async_setup_component(
            hass,
            "http",
            {
                "http": {
                    "use_x_forwarded_for": True,
                    "trusted_proxies": [PROXY],
                    "login_attempts_threshold": threshold,
                }
            },
        )
    # No DNS server is queried.
    with patch("homeassistant.components.http.ban.gethostbyaddr", side_effect=herror):
        yield


@pytest.fixture
def get_from(get: Get) -> Callable[..., Any]:
    """Return a function that requests a path from an address behind the proxy."""

    async def _get_from(address: str, path: str) -> Answer:
        return await get(path, **{"X-Forwarded-For": address})

    return _get_from


def _failed_logins(hass: HomeAssistant, address: str) -> int:
    return hass.http.app[KEY_FAILED_LOGIN_ATTEMPTS].get(ip_address(address), 0)


@pytest.fixture
def notifications(hass: HomeAssistant) -> dict[str, Notification]:
    """Return a live dictionary of the user's notifications by ID."""
    shown: dict[str, Notification] = {}

    @callback
    def show(_: UpdateType, changed: dict[str, Notification]) -> None:
        shown.update(changed)

    async_register_callback(hass, show)
    return shown


async def test_guessing_is_banned(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get_from: Callable[..., Any],
    tmp_path: Path,
    notifications: dict[str, Notification],
) -> None:
    """A sender who guesses keys is banned as for passwords; others are not."""
    for guess in range(3):
        answer = await get_from(STRANGER, legacy_url(key=f"guess{guess}"))
        assert (answer.status, answer.text) == (HTTPStatus.FORBIDDEN, REFUSAL)
    assert set(notifications) == {NOTIFICATION_ID_LOGIN, NOTIFICATION_ID_BAN}

    for path in (legacy_url(), "/", "/auth/providers"):
        answer = await get_from(STRANGER, path)
        assert answer.status == HTTPStatus.FORBIDDEN
        assert answer.text != REFUSAL
    assert STRANGER in (tmp_path / IP_BANS_FILE).read_text()
    for address in (BOARD, PROXY):
        assert (await get_from(address, legacy_url())).status == HTTPStatus.OK


async def test_mistyped_key_is_not_banned(
    hass: HomeAssistant, station: MockConfigEntry, get_from: Callable[..., Any]
) -> None:
    """A station that keeps sending the same wrong key is not guessing."""
    for _ in range(10):
        answer = await get_from(BOARD, legacy_url(key="mistyped"))
        assert (answer.status, answer.text) == (HTTPStatus.FORBIDDEN, REFUSAL)

    assert _failed_logins(hass, BOARD) == 1
    assert (await get_from(BOARD, legacy_url())).status == HTTPStatus.OK
    # Each sender is counted separately.
    await get_from(STRANGER, legacy_url(key="mistyped"))
    assert _failed_logins(hass, STRANGER) == 1


async def test_guessing_signatures_is_banned(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: TestClient[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Guessing with signed reports is banned; a station with a mistyped key is not.

    This one reports every 10 seconds, and tries twice each time.
    """
    mistyped = SignedStation(client, Signer(OUTDOOR, "mistyped"))
    mistyped.address = BOARD
    for now in range(0, 300, 10):
        # Not frozen altogether: Home Assistant's web server has timers of its own.
        monkeypatch.setattr(ban, "monotonic", lambda now=now: now)
        answer = await mistyped.report(reading(20))
        assert answer.status == HTTPStatus.UNAUTHORIZED
    assert _failed_logins(hass, BOARD) == 0

    statuses = []
    for guess in range(34):
        guessing = SignedStation(client, Signer(OUTDOOR, f"guess{guess}"))
        guessing.address = STRANGER
        statuses.append((await guessing.post(b"{}")).status)
    assert statuses == [HTTPStatus.UNAUTHORIZED] * 33 + [HTTPStatus.FORBIDDEN]
    assert STRANGER in (tmp_path / IP_BANS_FILE).read_text()


@pytest.mark.parametrize("threshold", [1])
async def test_guessing_together_is_banned(
    hass: HomeAssistant, station: MockConfigEntry, client: TestClient[Any, Any]
) -> None:
    """Many senders who each guess a little are banned; a station keeps reporting."""
    reporting = SignedStation(client, address=BOARD)
    for guess in range(70):
        guessing = SignedStation(client, Signer(OUTDOOR, f"guess{guess}"))
        guessing.address = f"198.51.100.{guess}"
        assert (await guessing.post(b"{}")).status == HTTPStatus.UNAUTHORIZED
        banned = (await guessing.post(b"{}")).status == HTTPStatus.FORBIDDEN
        # Each of the first 30 senders had two tries.
        assert banned == (guess >= 30)
        assert (await reporting.report(reading(20))).status == HTTPStatus.OK
    assert _failed_logins(hass, BOARD) == 0


async def test_mistyped_key_is_said_to_the_user(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get_from: Callable[..., Any],
    notifications: dict[str, Notification],
) -> None:
    """A mistyped key causes one notification, and a repair issue with the remedy."""
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    for _ in range(10):
        await get_from(BOARD, legacy_url(key="mistyped"))
    await follow_up(hass)

    assert set(notifications) == {NOTIFICATION_ID_LOGIN}
    issues = [
        issue.translation_key
        for (domain, _), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN and issue.active
    ]
    assert "wrong_key" in issues
    assert not changes


@pytest.mark.parametrize(
    ("wrong", "options"),
    [({"mac": "6c:rf:7f:2b:0e:00"}, {}), ({"mac": ""}, {}), ({"key": f"{KEY}x"}, {})],
)
async def test_right_key_is_not_logged(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get_from: Callable[..., Any],
    wrong: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    notifications: dict[str, Notification],
) -> None:
    """A right key with a wrong MAC counts, but is neither logged nor shown."""
    caplog.set_level("DEBUG")

    answer = await get_from(BOARD, legacy_url(**wrong))

    assert (answer.status, answer.text) == (HTTPStatus.FORBIDDEN, REFUSAL)
    assert _failed_logins(hass, BOARD) == 1
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [BOARD in record.getMessage() for record in warnings] == [True]
    assert KEY not in caplog.text
    assert KEY not in str(notifications)


@pytest.mark.parametrize("threshold", [-1])
async def test_without_a_threshold(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get_from: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    notifications: dict[str, Notification],
) -> None:
    """Without a ban threshold, nothing is counted, logged or notified."""
    for guess in range(10):
        await get_from(STRANGER, legacy_url(key=f"guess{guess}"))

    assert _failed_logins(hass, STRANGER) == 0
    assert not notifications
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("options", [{CONF_LEGACY: False}])
async def test_right_key_where_legacy_is_off(
    hass: HomeAssistant, station: MockConfigEntry, get_from: Callable[..., Any]
) -> None:
    """A right key is no guess, even where unsigned reports are off."""
    answer = await get_from(BOARD, legacy_url())

    assert (answer.status, answer.text) == (HTTPStatus.FORBIDDEN, REFUSAL)
    assert _failed_logins(hass, BOARD) == 0


async def test_wrong_readings_are_no_failed_logins(
    hass: HomeAssistant, station: MockConfigEntry, get_from: Callable[..., Any]
) -> None:
    """A right key with a wrong reading or field is no failed login."""
    for path in (legacy_url("x"), legacy_url(field="0")):
        assert (await get_from(BOARD, path)).status == HTTPStatus.BAD_REQUEST

    assert _failed_logins(hass, BOARD) == 0


@pytest.mark.parametrize("threshold", [1000])
async def test_memory_of_guesses_is_bounded(
    hass: HomeAssistant, station: MockConfigEntry, get_from: Callable[..., Any]
) -> None:
    """A key is forgotten after a limited number of others."""
    await get_from(STRANGER, legacy_url(key="first"))
    for guess in range(255):
        await get_from(STRANGER, legacy_url(key=f"guess{guess}"))
    await get_from(STRANGER, legacy_url(key="first"))
    assert _failed_logins(hass, STRANGER) == 256

    await get_from(STRANGER, legacy_url(key="one more"))
    await get_from(STRANGER, legacy_url(key="first"))
    assert _failed_logins(hass, STRANGER) == 258


async def test_sender_without_an_address(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: Any,
    notifications: dict[str, Notification],
) -> None:
    """Over a Unix socket, which the Supervisor uses, there is no address to ban."""
    ours, theirs = socketpair()
    await hass.loop.connect_accepted_socket(client.server.runner.server, theirs)
    answer = await raw_get(
        await asyncio.open_connection(sock=ours), legacy_url(key="wrong")
    )

    assert answer.startswith("HTTP/1.1 403 ")
    assert answer.endswith(REFUSAL)
    assert not hass.http.app[KEY_FAILED_LOGIN_ATTEMPTS]
    assert not notifications
