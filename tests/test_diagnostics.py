"""Diagnostics: enough to find a fault, and no secret."""

import json
from typing import Any

from aiohttp.test_utils import TestClient
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

from .helpers import INDOOR, KEY, OUTDOOR, Get, legacy_url
from .signed_station import SignedStation, reading


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
    await get(legacy_url(KEY, field="3"))
    await get(legacy_url(mac=INDOOR))

    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, station)

    assert diagnostics == snapshot
    text = json.dumps(diagnostics).lower()
    assert KEY.lower() not in text
    assert OUTDOOR not in text
    assert INDOOR not in text


@pytest.mark.parametrize(
    "options", [{"fields": {"1": {"kind": "temperature"}, "2": {"kind": "humidity"}}}]
)
async def test_last_refusals(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: TestClient[Any, Any],
    get: Get,
    hass_client: ClientSessionGenerator,
) -> None:
    """The diagnostics list the last ten refusals of a station, in each protocol."""
    for _ in range(12):
        await get(legacy_url(field="0"))
    await get(f"/update?api_key={KEY}&mac={OUTDOOR}&field1=1e9")
    await get(f"/update?api_key={KEY}&mac={OUTDOOR}&field1=21&field2=nan")
    signed = SignedStation(client)
    await signed.post(signed.body(reading(21)))
    await signed.report(reading(21), reading(1e9, field=2))
    await signed.report({"field": 1})
    # Reports of others do not displace them.
    for _ in range(12):
        await get(legacy_url(mac=INDOOR))
        await signed.post(b"", {})
    await client.post("/update", data=b"x" * 100_000)

    diagnostics: Any = await get_diagnostics_for_config_entry(
        hass, hass_client, station
    )

    def found(key: str) -> list[tuple[str, int, str, int | None]]:
        return [
            (each["protocol"], each["status"], each["reason"], each["field"])
            for each in diagnostics[key]
        ]

    assert diagnostics["protocol"] == "signed"
    assert found("refusals") == [
        *[("legacy", 400, "invalid_field", None)] * 5,
        ("form", 400, "data_out_of_range", None),
        ("form", 200, "invalid_data", 2),
        ("signed", 401, "unauthorized", None),
        ("signed", 200, "data_out_of_range", 2),
        ("signed", 400, "incomplete_reading", None),
    ]
    assert found("refusals_of_unknown_senders") == [
        ("signed", 401, "unauthorized", None),
        *[("legacy", 403, "forbidden", None), ("signed", 401, "unauthorized", None)]
        * 4,
        ("form", 413, "too_large", None),
    ]
