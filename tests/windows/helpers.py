"""Helpers that the tests of the advice share."""

from collections.abc import Awaitable, Callable

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, State
from tests.helpers import INDOOR, entity_id

type Report = Callable[..., Awaitable[None]]


def room_state(hass: HomeAssistant, key: str) -> State:
    """Return the state of a sensor of the inside station."""
    state = hass.states.get(str(entity_id(hass, key, mac=INDOOR)))
    assert state is not None
    return state


def advice(hass: HomeAssistant) -> str:
    """Return the advice for the room."""
    return room_state(hass, "windows").state


def switch_id(hass: HomeAssistant) -> str:
    """Return the entity ID of the room's notification switch."""
    found = entity_id(hass, "notify", mac=INDOOR, platform=Platform.SWITCH)
    assert found is not None
    return found
