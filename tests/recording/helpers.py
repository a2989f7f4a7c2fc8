"""Helpers that the tests of recording/ share."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import sleep
from typing import Any

from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.esp_weather.data import DATA
from homeassistant.core import HomeAssistant

START = datetime(2026, 11, 24, 11, 57, tzinfo=UTC)

type Select = Callable[[str, tuple[Any, ...]], Awaitable[list[tuple[Any, ...]]]]


async def async_journal_idle(hass: HomeAssistant) -> None:
    """Return when the journal has nothing left to do at this time.

    It works in the background, which cannot be waited for while the clock stands still.
    """
    journal = hass.data[DATA].journal
    for _ in range(2000):
        await hass.async_block_till_done()
        if not (
            journal._has_past
            or journal._checking.locked()
            or journal._syncing.locked()
            or journal._corrections._working
        ):
            return
        await hass.async_add_executor_job(sleep, 0.002)
    raise TimeoutError


async def async_recorded(hass: HomeAssistant) -> None:
    """Return when recorder and journal have nothing left to do at this time."""
    await async_wait_recording_done(hass)
    await async_journal_idle(hass)
    await async_wait_recording_done(hass)
