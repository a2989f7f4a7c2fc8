"""Diagnostics: enough to find a fault, and no secret."""

import json

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .helpers import KEY, OUTDOOR, Get, legacy_url


@pytest.fixture(autouse=True)
async def _diagnostics(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """Load the integration that serves them, before the web server starts."""
    freezer.move_to("2026-11-24T12:00:00+00:00")
    assert await async_setup_component(hass, "diagnostics", {})


@pytest.mark.parametrize(
    "options",
    [{"timeout": 30, "fields": {"2": {"kind": "humidity", "offset": 1.5}}}],
)
async def test_diagnostics(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    hass_client: ClientSessionGenerator,
    snapshot: SnapshotAssertion,
) -> None:
    """They show options, fields and the last report, but neither key nor MAC."""
    await get(legacy_url())
    await get(legacy_url("50", field="2"))

    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, station)

    assert diagnostics == snapshot
    text = json.dumps(diagnostics).lower()
    assert KEY.lower() not in text
    assert OUTDOOR not in text
