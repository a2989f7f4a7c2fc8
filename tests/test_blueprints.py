"""The blueprints, run by Home Assistant with states that cross and do not cross."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .helpers import Get, PassTime, entity_id, legacy_url

BLUEPRINTS = Path(__file__).parents[1] / "blueprints" / "automation" / "esp_weather"
OUT = "sensor.out"
IN = "sensor.in"

type Temperatures = Callable[..., Awaitable[None]]
type SetUp = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def set_up(hass: HomeAssistant, tmp_path: Path) -> SetUp:
    """Return a function that makes an automation; it returns what that has done."""
    folder = tmp_path / "blueprints" / "automation" / BLUEPRINTS.name
    folder.parent.mkdir(parents=True)
    folder.symlink_to(BLUEPRINTS)
    done: list[str] = []

    async def _set_up(blueprint: str, **inputs: Any) -> list[str]:
        hass.config.config_dir = str(tmp_path)

        async def _note(call: ServiceCall) -> None:
            done.append(call.data["text"])

        hass.services.async_register("test", "note", _note)
        assert await async_setup_component(
            hass,
            "automation",
            {
                "automation": {
                    "use_blueprint": {
                        "path": f"{BLUEPRINTS.name}/{blueprint}.yaml",
                        "input": inputs,
                    }
                }
            },
        )
        await hass.async_block_till_done()
        assert hass.states.async_entity_ids("automation")
        return done

    return _set_up


def _note(text: str) -> list[dict[str, Any]]:
    return [{"action": "test.note", "data": {"text": text}}]


async def _settle() -> None:
    """Let the automation go on; Home Assistant's own way waits for its end."""
    for _ in range(100):
        await asyncio.sleep(0)


@pytest.fixture
def temperatures(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Temperatures:
    """Return a function that sets both temperatures and lets minutes pass."""

    async def _temperatures(
        outdoor: float | str,
        indoor: float | str,
        minutes: float = 11,
        units: tuple[str, str] = ("°C", "°C"),
    ) -> None:
        for sensor, value, unit in zip(
            (OUT, IN), (outdoor, indoor), units, strict=True
        ):
            hass.states.async_set(sensor, str(value), {"unit_of_measurement": unit})
        await _settle()
        freezer.tick(timedelta(minutes=minutes))
        async_fire_time_changed(hass)
        await _settle()

    return _temperatures


async def _windows(set_up: SetUp, **inputs: Any) -> list[str]:
    return await set_up(
        "windows",
        outdoor=OUT,
        indoor=IN,
        open_actions=_note("open"),
        close_actions=_note("close"),
        **inputs,
    )


async def test_windows(set_up: SetUp, temperatures: Temperatures) -> None:
    """It opens when it gets cooler outside, closes when warmer, and again."""
    await temperatures(26, 24)
    done = await _windows(set_up)
    await temperatures(27, 24)
    assert done == []

    await temperatures(23, 24)
    assert done == ["open"]
    await temperatures(25, 24)
    assert done == ["open", "close"]
    await temperatures(23, 24)
    await temperatures(25, 24)
    assert done == ["open", "close"] * 2


async def test_windows_hysteresis(set_up: SetUp, temperatures: Temperatures) -> None:
    """Temperatures that go to and fro within the difference do nothing."""
    await temperatures(24, 24)
    done = await _windows(set_up, hysteresis=1)
    for outdoor in (23.1, 24.9, 23.1):
        await temperatures(outdoor, 24)
    assert done == []

    for outdoor in (22.9, 23.1, 22.9, 24.9, 22.9):
        await temperatures(outdoor, 24)
    assert done == ["open"]
    for outdoor in (25.1, 24.9, 25.1, 23.1, 25.1):
        await temperatures(outdoor, 24)
    assert done == ["open", "close"]


async def test_windows_hold(set_up: SetUp, temperatures: Temperatures) -> None:
    """It has to stay cooler for the hold time, without a break."""
    await temperatures(25, 24)
    done = await _windows(set_up, hold=30)
    for _ in range(3):
        await temperatures(23, 24, 20)
        await temperatures(24, 24, 1)
    await temperatures(23, 24, 20)
    await temperatures("unavailable", 24, 1)
    await temperatures(23, 24, 29)
    assert done == []

    await temperatures(23, 24, 2)
    assert done == ["open"]


@pytest.mark.parametrize(
    ("units", "warm", "cool"),
    [
        # Indoor 75.2 °F are 24 °C. Degrees are those of the indoor sensor.
        (("°C", "°F"), [23.5, 24.5], [23.4]),
        (("°F", "°C"), [77, 74.4], [74.2]),
        (("K", "°F"), [297.15, 296.7], [296.5]),
        (("°F", "°F"), [77, 74.3], [74.1]),
    ],
)
async def test_windows_units(
    set_up: SetUp,
    temperatures: Temperatures,
    units: tuple[str, str],
    warm: list[float],
    cool: list[float],
) -> None:
    """The sensors may have different units; the numbers alone do not count."""
    indoor = 75.2 if units[1] == "°F" else 24
    await temperatures(warm[0] + 2, indoor, units=units)
    done = await _windows(set_up, hysteresis=1 if units[1] == "°F" else 0.5)
    for outdoor in warm:
        await temperatures(outdoor, indoor, units=units)
    assert done == []

    for outdoor in cool:
        await temperatures(outdoor, indoor, units=units)
    assert done == ["open"]


async def test_windows_comfort_limit(set_up: SetUp, temperatures: Temperatures) -> None:
    """Nobody wants fresh air while it is cool inside, and nothing is closed then."""
    await temperatures(25, 23)
    done = await _windows(set_up, comfort_limit=24)
    await temperatures(20, 23)
    await temperatures(20, 24)
    await temperatures(26, 23)
    assert done == []

    await temperatures(20, 23.9)
    await temperatures(20, 24.1)
    assert done == ["open"]
    # They are open: cool as it is inside now, it must not get warm again.
    await temperatures(25, 22)
    assert done == ["open", "close"]


async def test_windows_comfort_limit_in_fahrenheit(
    set_up: SetUp, temperatures: Temperatures
) -> None:
    """The comfort limit has the unit of the indoor sensor."""
    units = ("°C", "°F")
    await temperatures(27, 74, units=units)
    done = await _windows(set_up, comfort_limit=75)
    await temperatures(20, 74, units=units)
    assert done == []

    await temperatures(20, 76, units=units)
    assert done == ["open"]


@pytest.mark.parametrize(
    ("start", "end", "now"),
    [("22:00:00", "07:00:00", 23), ("22:00:00", "07:00:00", 3), ("01:00", "05:00", 4)],
)
async def test_windows_quiet_hours(
    hass: HomeAssistant,
    set_up: SetUp,
    temperatures: Temperatures,
    freezer: FrozenDateTimeFactory,
    start: str,
    end: str,
    now: int,
) -> None:
    """Nothing is done in the quiet hours; what is still due is done after them."""
    freezer.move_to(datetime(2026, 7, 1, now, tzinfo=dt_util.get_default_time_zone()))
    await temperatures(25, 24, 0)
    done = await _windows(set_up, quiet_start=start, quiet_end=end)
    await temperatures(20, 24)
    assert done == []

    await temperatures(20, 24, 9 * 60)
    assert done == ["open"]
    freezer.move_to(datetime(2026, 7, 4, now, tzinfo=dt_util.get_default_time_zone()))
    await temperatures(26, 24)
    assert done == ["open"]
    await temperatures(26, 24, 9 * 60)
    assert done == ["open", "close"]


async def test_windows_over_in_quiet_hours(
    set_up: SetUp, temperatures: Temperatures, freezer: FrozenDateTimeFactory
) -> None:
    """What is over when the quiet hours end is not done, nor is its opposite."""
    freezer.move_to(datetime(2026, 7, 1, 1, tzinfo=dt_util.get_default_time_zone()))
    await temperatures(25, 24, 0)
    done = await _windows(set_up, quiet_start="00:00:00", quiet_end="06:00:00")
    await temperatures(20, 24)
    await temperatures(25, 24)
    await temperatures(25, 24, 9 * 60)
    assert done == []

    await temperatures(20, 24)
    assert done == ["open"]


async def test_windows_after_a_restart(
    set_up: SetUp, temperatures: Temperatures
) -> None:
    """A window that was opened before a restart is closed after it."""
    await temperatures(20, 24)
    done = await _windows(set_up)
    await temperatures(21, 24)
    assert done == []

    for outdoor in (25, 24, 25):
        await temperatures(outdoor, 24)
    assert done == ["close"]


async def test_windows_says_so_by_default(
    hass: HomeAssistant, set_up: SetUp, temperatures: Temperatures
) -> None:
    """Two sensors are all that has to be chosen."""
    notifications = async_mock_service(hass, "persistent_notification", "create")
    await temperatures(25, 24)
    await set_up("windows", outdoor=OUT, indoor=IN)

    await temperatures(20, 24)
    await temperatures(25, 24)

    assert [(call.data["title"], call.data["message"]) for call in notifications] == [
        ("Open the windows", "It is 20 °C outside and 24 °C inside."),
        ("Close the windows", "It is 25 °C outside and 24 °C inside."),
    ]


async def test_silent_station(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    set_up: SetUp,
    pass_time: PassTime,
) -> None:
    """It says once that a station has gone silent, and by its own name for it."""
    notifications = async_mock_service(hass, "persistent_notification", "create")
    connectivity = entity_id(hass, "connectivity", platform=Platform.BINARY_SENSOR)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), station.entry_id)
    await set_up("station_trouble", stations=[connectivity])

    await get(legacy_url())
    await pass_time(14)
    assert not notifications
    await pass_time(2)
    assert [call.data for call in notifications] == [
        {"title": "Outdoor", "message": "Outdoor does not report any more."}
    ]
    await pass_time(60)
    await get(legacy_url())
    assert len(notifications) == 1

    dr.async_get(hass).async_update_device(device.id, name_by_user="Porch")
    await pass_time(16)
    assert notifications[1].data["title"] == "Porch"


@pytest.mark.parametrize(
    "options",
    [
        {
            "timeout": 0,
            "fields": {
                "1": {"kind": "battery_voltage"},
                "2": {"kind": "battery_voltage", "unit_of_measurement": "mV"},
            },
        }
    ],
)
@pytest.mark.parametrize(
    ("field", "enough", "low", "text"),
    [("1", "3.31", "3.29", "3.29 V"), ("2", "3310", "3290", "3290.00 mV")],
)
async def test_low_battery(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    set_up: SetUp,
    pass_time: PassTime,
    field: str,
    enough: str,
    low: str,
    text: str,
) -> None:
    """It says that a battery is low once it has stayed so, in V or mV."""
    await get(legacy_url(enough, field=field))
    notifications = async_mock_service(hass, "persistent_notification", "create")
    await set_up("station_trouble", batteries=[entity_id(hass, field)])

    await get(legacy_url(low, field=field))
    await pass_time(20)
    await get(legacy_url(enough, field=field))
    await pass_time(40)
    assert not notifications

    await get(legacy_url(low, field=field))
    await pass_time(31)
    assert [call.data["message"] for call in notifications] == [
        f"The battery of Outdoor is low: {text}."
    ]


async def test_low_battery_level(
    hass: HomeAssistant, set_up: SetUp, pass_time: PassTime
) -> None:
    """A battery that reports percent has a limit of its own, and own actions run."""
    percent = {"unit_of_measurement": "%"}
    hass.states.async_set("sensor.battery", "21", percent)
    done = await set_up(
        "station_trouble",
        batteries=["sensor.battery"],
        hold=0,
        actions=_note("low"),
    )
    hass.states.async_set("sensor.battery", "20", percent)
    await hass.async_block_till_done()
    assert done == []

    hass.states.async_set("sensor.battery", "19", percent)
    await hass.async_block_till_done()
    assert done == ["low"]
