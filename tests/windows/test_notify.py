"""The notifications of a room, without any automation."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_restore_state_shutdown_restart,
    async_mock_service,
)

from custom_components.esp_weather.const import DOMAIN
from homeassistant.components.persistent_notification import (  # type: ignore[attr-defined]
    _async_get_or_create_notifications,
)
from homeassistant.components.switch import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import (
    ATTR_ENTITY_ID,
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
    STATE_ON,
)
from homeassistant.core import HomeAssistant
from tests.helpers import PassTime

from .helpers import Report, switch_id

type Switch = Callable[[str], Awaitable[None]]


@pytest.fixture
def switch(hass: HomeAssistant, house: MockConfigEntry) -> Switch:
    """Return a function that turns the notifications on or off."""

    async def _switch(service: str) -> None:
        await hass.services.async_call(
            SWITCH_DOMAIN, service, {ATTR_ENTITY_ID: switch_id(hass)}, blocking=True
        )
        await hass.async_block_till_done()

    return _switch


def told(hass: HomeAssistant) -> list[tuple[str | None, str]]:
    """Return the notifications that were sent."""
    return [
        (each["title"], each["message"])
        for each in _async_get_or_create_notifications(hass).values()
        if each["notification_id"].startswith(DOMAIN)
    ]


async def test_evening_and_morning(
    hass: HomeAssistant, report: Report, switch: Switch, pass_time: PassTime
) -> None:
    """Opening is notified in the evening, closing in the morning."""
    await report(26, 28)
    await switch(SERVICE_TURN_ON)
    await pass_time(11)
    # Opening was not notified before.
    assert told(hass) == []

    await report(26, 25)
    await pass_time(11)
    assert told(hass) == [
        ("Open the windows: Bedroom", "It is 25.0 °C outside and 26.0 °C inside.")
    ]
    # The room is cool enough: no notification.
    await report(22, 18)
    await pass_time(11)
    assert told(hass)[0][0] == "Open the windows: Bedroom"

    await report(22, 23)
    await pass_time(11)
    assert told(hass) == [
        ("Close the windows: Bedroom", "It is 23.0 °C outside and 22.0 °C inside.")
    ]
    await switch(SERVICE_TURN_OFF)
    assert told(hass) == []
    await report(26, 20)
    await pass_time(11)
    assert told(hass) == []


async def test_at_once(hass: HomeAssistant, report: Report, switch: Switch) -> None:
    """Turned on when it is time, the switch notifies at once, translated."""
    hass.config.language = "de"
    await report(26, 20)

    await switch(SERVICE_TURN_ON)

    assert told(hass) == [
        ("Fenster öffnen: Bedroom", "Draußen sind es 20.0 °C, drinnen 26.0 °C.")
    ]


async def test_outage(
    hass: HomeAssistant, report: Report, switch: Switch, pass_time: PassTime
) -> None:
    """An outage is not notified; a change after it has to hold first."""
    await report(26, 28)
    await switch(SERVICE_TURN_ON)
    await pass_time(61)
    await report(26, 28)
    await pass_time(11)
    assert told(hass) == []

    await pass_time(61)
    await report(26, 20)
    await pass_time(9)
    assert told(hass) == []
    await pass_time(2)
    assert len(told(hass)) == 1


async def test_winter(
    hass: HomeAssistant, report: Report, switch: Switch, pass_time: PassTime
) -> None:
    """In winter neither the start nor an outage opens a window."""
    await switch(SERVICE_TURN_ON)
    for _ in range(3):
        await report(21, -5)
        await pass_time(11)
        await pass_time(61)

    assert told(hass) == []


async def test_restart(
    hass: HomeAssistant,
    report: Report,
    switch: Switch,
    pass_time: PassTime,
    time: FrozenDateTimeFactory,
) -> None:
    """A restart neither resets the switch nor repeats a notification."""
    await report(26, 20)
    await switch(SERVICE_TURN_ON)
    assert len(told(hass)) == 1
    entries = hass.config_entries.async_entries(DOMAIN)
    for entry in entries:
        assert await hass.config_entries.async_unload(entry.entry_id)
    await async_mock_restore_state_shutdown_restart(hass)
    _async_get_or_create_notifications(hass).clear()
    time.tick(timedelta(minutes=1))
    for entry in entries:
        assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    state = hass.states.get(switch_id(hass))
    assert state is not None
    assert state.state == STATE_ON
    await pass_time(11)
    assert told(hass) == []
    await report(26, 28)
    await pass_time(11)
    assert told(hass)[0][0] == "Close the windows: Bedroom"


@pytest.mark.parametrize("windows", [{"notify": ["notify.phone", "notify.tablet"]}])
async def test_phones(hass: HomeAssistant, report: Report, switch: Switch) -> None:
    """The notify entities of the options are used instead."""
    calls: list[Any] = async_mock_service(hass, "notify", "send_message")
    await report(26, 20)

    await switch(SERVICE_TURN_ON)

    (call,) = calls
    assert call.data == {
        "entity_id": ["notify.phone", "notify.tablet"],
        "title": "Open the windows: Bedroom",
        "message": "It is 20.0 °C outside and 26.0 °C inside.",
    }
    assert told(hass) == []
