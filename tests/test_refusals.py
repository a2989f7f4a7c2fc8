"""Repair issues of a station whose reports are refused repeatedly."""

from http import HTTPStatus

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .helpers import (
    INDOOR,
    KEY,
    Get,
    PassTime,
    follow_up,
    issues,
    legacy_url,
    station_entry,
)


async def _refused(
    hass: HomeAssistant, get: Get, times: int, url: str, status: HTTPStatus
) -> None:
    for _ in range(times):
        assert (await get(url)).status == status
    await follow_up(hass)


WRONG_KEY = (legacy_url(key=f"{KEY}x"), HTTPStatus.FORBIDDEN)
WRONG_FIELD = (legacy_url(field="10"), HTTPStatus.BAD_REQUEST)


async def test_wrong_key(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The third wrong key raises one issue, and the right key clears it."""
    await _refused(hass, get, 2, *WRONG_KEY)
    assert issues(hass) == []
    await _refused(hass, get, 5, *WRONG_KEY)
    assert issues(hass) == [("wrong_key", "Outdoor")]
    assert KEY not in str(ir.async_get(hass).issues)

    assert (await get(legacy_url())).status == HTTPStatus.OK
    assert issues(hass) == []


async def test_right_key_between(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A right key resets the count."""
    for _ in range(3):
        await _refused(hass, get, 2, *WRONG_KEY)
        await get(legacy_url())

    assert issues(hass) == []


async def test_wrong_field(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, pass_time: PassTime
) -> None:
    """An invalid field remains an issue while reports of valid ones are accepted."""
    for _ in range(3):
        await get(legacy_url())
        await _refused(hass, get, 1, *WRONG_FIELD)
    assert issues(hass) == [("invalid_field", "Outdoor")]

    await pass_time(59)
    await get(legacy_url())
    assert issues(hass) == [("invalid_field", "Outdoor")]
    await _refused(hass, get, 1, *WRONG_FIELD)
    await pass_time(59)
    assert issues(hass) == [("invalid_field", "Outdoor")]
    await pass_time(2)
    assert issues(hass) == []

    await _refused(hass, get, 3, *WRONG_FIELD)
    assert issues(hass) == [("invalid_field", "Outdoor")]


async def test_one_issue_for_each_station(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A station has an issue for each reason; others have their own."""
    indoor = station_entry(INDOOR, "Indoor")
    indoor.add_to_hass(hass)
    await hass.config_entries.async_setup(indoor.entry_id)
    await _refused(hass, get, 3, *WRONG_KEY)
    await _refused(hass, get, 3, *WRONG_FIELD)
    both = [("invalid_field", "Outdoor"), ("wrong_key", "Outdoor")]
    assert sorted(issues(hass)) == both

    await _refused(hass, get, 3, legacy_url(mac=INDOOR, key="x"), HTTPStatus.FORBIDDEN)
    assert sorted(issues(hass)) == sorted([*both, ("wrong_key", "Indoor")])


@pytest.mark.parametrize(
    ("url", "status"),
    [
        # No station has this MAC.
        (legacy_url(mac="00:00:00:00:00:00"), HTTPStatus.FORBIDDEN),
        # An unreadable value comes from the sensor, and the next may be right.
        (legacy_url("nan"), HTTPStatus.BAD_REQUEST),
    ],
)
async def test_no_issue(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    url: str,
    status: HTTPStatus,
) -> None:
    """Other refusals raise no issue."""
    await _refused(hass, get, 5, url, status)

    assert issues(hass) == []


async def test_issue_goes_with_the_station(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A station that is unloaded has no issue."""
    await _refused(hass, get, 3, *WRONG_KEY)

    await hass.config_entries.async_unload(station.entry_id)
    assert issues(hass) == []
    # Refusals are not counted for a station that is not loaded.
    await _refused(hass, get, 3, *WRONG_KEY)
    assert issues(hass) == []
