"""The blueprints, run as automations by Home Assistant."""

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
from homeassistant.core import CoreState, HomeAssistant, ServiceCall, State
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    restore_state,
)
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .helpers import Get, PassTime, entity_id, legacy_url

BLUEPRINTS = Path(__file__).parents[1] / "blueprints" / "automation" / "esp_weather"
OUT = "sensor.out"
IN = "sensor.in"
WINDOWS = "sensor.bedroom_windows"

type Advise = Callable[..., Awaitable[None]]
type SetUp = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def set_up(hass: HomeAssistant, tmp_path: Path) -> SetUp:
    """Return a function that creates an automation and returns its actions."""
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
    """Let the automation continue; async_block_till_done() would wait for its end."""
    for _ in range(100):
        await asyncio.sleep(0)


@pytest.fixture
def advise(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Advise:
    """Return a function that sets the advice of a room and advances the clock."""

    async def _advise(advice: str, minutes: float = 1) -> None:
        known = advice not in ("unknown", "unavailable")
        named = {"inside": IN, "outside": OUT} if known else {}
        hass.states.async_set(WINDOWS, advice, named)
        await _settle()
        freezer.tick(timedelta(minutes=minutes))
        async_fire_time_changed(hass)
        await _settle()

    for sensor, value, name in ((OUT, "14.7", "Outdoor"), (IN, "22.1", "Bedroom")):
        hass.states.async_set(
            sensor, value, {"unit_of_measurement": "°C", "friendly_name": name}
        )
    return _advise


async def _windows(hass: HomeAssistant, set_up: SetUp, **inputs: Any) -> list[str]:
    """Create the automation as the dialog that saves it does."""
    done = await set_up(
        "windows",
        windows=WINDOWS,
        actions=[
            {"action": "test.note", "data": {"text": "{{ states(windows) }}"}},
        ],
        **inputs,
    )
    hass.bus.async_fire("automation_reloaded")
    await _settle()
    return done


@pytest.mark.parametrize("advice", ["open", "close"])
async def test_windows_when_new(
    hass: HomeAssistant, set_up: SetUp, advise: Advise, advice: str
) -> None:
    """A new automation announces the current advice, and only once."""
    await advise(advice)
    done = await _windows(hass, set_up)
    assert done == [advice]

    hass.bus.async_fire("automation_reloaded")
    await advise(advice, 60)
    assert done == [advice]


async def test_windows(hass: HomeAssistant, set_up: SetUp, advise: Advise) -> None:
    """Each change of the advice is announced: open, close, and open again."""
    await advise("either")
    done = await _windows(hass, set_up)
    assert done == []

    for advice in ("open", "either", "open", "close", "either", "close", "open"):
        await advise(advice, 60)
    assert done == ["open", "close", "open"]


@pytest.mark.parametrize("outage", ["unknown", "unavailable"])
async def test_windows_outage(
    hass: HomeAssistant, set_up: SetUp, advise: Advise, outage: str
) -> None:
    """An outage is not announced; a change in the meantime is."""
    await advise(outage)
    done = await _windows(hass, set_up)
    assert done == []

    for advice in ("open", outage, "open", outage, "close"):
        await advise(advice, 30)
    assert done == ["open", "close"]


@pytest.mark.parametrize(
    ("start", "end", "now"),
    [("22:00:00", "07:00:00", 23), ("22:00:00", "07:00:00", 3), ("01:00", "05:00", 4)],
)
async def test_windows_quiet_hours(
    hass: HomeAssistant,
    set_up: SetUp,
    advise: Advise,
    freezer: FrozenDateTimeFactory,
    start: str,
    end: str,
    now: int,
) -> None:
    """Quiet hours postpone an announcement, and drop it if it no longer holds."""
    freezer.move_to(datetime(2026, 7, 1, now, tzinfo=dt_util.get_default_time_zone()))
    await advise("open", 0)
    done = await _windows(hass, set_up, quiet_start=start, quiet_end=end)
    await advise("open", 11)
    assert done == []

    await advise("open", 9 * 60)
    assert done == ["open"]
    freezer.move_to(datetime(2026, 7, 4, now, tzinfo=dt_util.get_default_time_zone()))
    # An advice that has ended by then is not announced.
    await advise("close")
    await advise("open")
    await advise("open", 9 * 60)
    assert done == ["open"]


@pytest.mark.parametrize("at_start", ["open", "unknown", "unavailable"])
async def test_windows_after_a_restart(
    hass: HomeAssistant,
    set_up: SetUp,
    advise: Advise,
    hass_storage: dict[str, Any],
    at_start: str,
) -> None:
    """Neither a restart nor what is known after it is announced; the next change is."""
    now = dt_util.utcnow().isoformat()
    before = State("automation.automation_0", "on", {"last_triggered": now})
    hass_storage[restore_state.STORAGE_KEY] = {
        "version": 1,
        "key": restore_state.STORAGE_KEY,
        "data": [{"state": before.as_dict(), "extra_data": None, "last_seen": now}],
    }
    await restore_state.async_get(hass).async_load()
    await advise(at_start)
    hass.set_state(CoreState.not_running)
    done = await _windows(hass, set_up)
    await hass.async_start()
    await advise("open", 60)
    assert done == []

    await advise("close")
    assert done == ["close"]


@pytest.mark.parametrize("last", ["open", "unknown", "unavailable"])
async def test_windows_switched_off_meanwhile(
    hass: HomeAssistant, set_up: SetUp, advise: Advise, last: str
) -> None:
    """Nothing is announced while the automation is off; the next change is.

    The end of an outage that began meanwhile is no change.
    """
    await advise("open")
    done = await _windows(hass, set_up)
    (automation,) = hass.states.async_entity_ids("automation")
    target = {"entity_id": automation}
    await hass.services.async_call("automation", "turn_off", target, blocking=True)
    await advise("close")
    await advise(last)
    await hass.services.async_call("automation", "turn_on", target, blocking=True)
    await advise("open")
    assert done == ["open"]

    await advise("close")
    assert done == ["open", "close"]


async def test_windows_says_so_by_default(
    hass: HomeAssistant,
    station: MockConfigEntry,
    set_up: SetUp,
    advise: Advise,
) -> None:
    """Only the entity has to be chosen; names and advice are translated."""
    notifications = async_mock_service(hass, "persistent_notification", "create")
    area = ar.async_get(hass).async_create("Schlafzimmer")
    er.async_get(hass).async_get_or_create(
        "sensor",
        "test",
        "windows",
        suggested_object_id=WINDOWS.removeprefix("sensor."),
        original_name="Windows",
    )
    er.async_get(hass).async_update_entity(WINDOWS, area_id=area.id)
    await advise("open")
    await set_up("windows", windows=WINDOWS)
    hass.bus.async_fire("automation_reloaded")
    await _settle()

    (call,) = notifications
    assert call.data["notification_id"] == f"esp_weather_{WINDOWS}"
    assert call.data["title"] == "Schlafzimmer: open"
    assert call.data["message"] == "Outdoor: 14.7 °C, Bedroom: 22.1 °C"


async def test_silent_station(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    set_up: SetUp,
    pass_time: PassTime,
) -> None:
    """A silent station is announced once, by its name."""
    notifications = async_mock_service(hass, "persistent_notification", "create")
    connectivity = entity_id(hass, "connectivity", platform=Platform.BINARY_SENSOR)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), station.entry_id)
    await set_up("station_trouble", stations=[connectivity])

    await get(legacy_url())
    await pass_time(14)
    assert not notifications
    await pass_time(2)
    assert [call.data for call in notifications] == [
        {"title": "Outdoor", "message": "Outdoor Connectivity: Disconnected"}
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
    [
        ("1", "3.31", "3.29", "Outdoor Battery voltage: 3.29 V"),
        ("2", "3310", "3290", "Outdoor Battery voltage: 3290.00 mV"),
    ],
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
    """A battery that stays low, in V or mV, is announced."""
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
    assert [call.data["message"] for call in notifications] == [text]


async def test_low_battery_level(
    hass: HomeAssistant, set_up: SetUp, pass_time: PassTime
) -> None:
    """A battery in percent has a limit of its own; custom actions run."""
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
