"""The bounded number of reports that wait, such as for the sensor of a new field."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import EntityPlatform
from tests.helpers import INDOOR, KEY, OUTDOOR, Get, legacy_url, state_of, station_entry
from tests.signed_station import SignedStation, reading


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return an event that the sensor of each new field waits for."""
    event = asyncio.Event()
    add_entities = EntityPlatform.async_add_entities

    async def async_add_entities(*args: Any, **kwargs: Any) -> None:
        await event.wait()
        await add_entities(*args, **kwargs)

    monkeypatch.setattr(EntityPlatform, "async_add_entities", async_add_entities)
    return event


def _url(form: str, number: int) -> str:
    if form == "legacy":
        return legacy_url(str(20 + number), field="2")
    return f"/update?api_key={KEY}&mac={OUTDOOR}&field2={20 + number}"


@pytest.mark.parametrize("form", ["legacy", "form"])
async def test_first_reports_are_bounded(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: TestClient[Any, Any],
    get: Get,
    signed: SignedStation,
    request: pytest.FixtureRequest,
    form: str,
) -> None:
    """16 reports of a station wait for a sensor; more are asked to retry."""
    other = station_entry(INDOOR, "Indoor")
    other.add_to_hass(hass)
    await hass.config_entries.async_setup(other.entry_id)
    await signed.report(reading(20))
    assert (await get(legacy_url(mac=INDOOR))).status == 200
    slow: asyncio.Event = request.getfixturevalue("slow")

    async def send(number: int) -> ClientResponse:
        return await client.get(_url(form, number))

    tasks = [asyncio.create_task(send(number)) for number in range(40)]
    await _until(lambda: sum(task.done() for task in tasks) == 24)
    refused = [task.result() for task in tasks if task.done()]
    assert {answer.status for answer in refused} == {503}
    assert {answer.headers["Retry-After"] for answer in refused} == {"10"}
    # A report counts, whatever its protocol.
    answer = await signed.report(reading(20, field=3))
    assert (answer.status, answer.is_believed) == (503, True)
    # A field that has its sensor does not wait, nor does another station.
    assert (await get(legacy_url("21"))).status == 200
    assert state_of(hass, "1") == "21.0"
    assert (await get(legacy_url("22", mac=INDOOR))).status == 200

    slow.set()
    taken = [task.result() for task in await _all(tasks) if task.result().status == 200]
    assert len(taken) == 16
    assert (await get(_url(form, 3))).status == 200
    assert state_of(hass, "2") == "23.0"
    assert (await signed.report(reading(20, field=3))).status == 200


async def test_those_who_wait_are_answered_at_the_end(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: TestClient[Any, Any],
    slow: asyncio.Event,
) -> None:
    """Reports that wait are answered when their station is removed."""

    async def send(number: int) -> ClientResponse:
        return await client.get(_url("legacy", number))

    tasks = [asyncio.create_task(send(number)) for number in range(20)]
    await _until(lambda: sum(task.done() for task in tasks) == 4)
    removing = asyncio.create_task(hass.config_entries.async_remove(station.entry_id))
    await asyncio.sleep(0.05)
    slow.set()
    statuses = sorted(task.result().status for task in await _all(tasks))
    assert statuses == [200] * 16 + [503] * 4
    await removing


async def _all[T](tasks: list[asyncio.Task[T]]) -> list[asyncio.Task[T]]:
    async with asyncio.timeout(10):
        await asyncio.wait(tasks)
    return tasks


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
