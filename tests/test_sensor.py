"""The entities of a station: states, inactivity, and restarts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_restore_state_shutdown_restart,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.esp_weather.const import DOMAIN
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant
from homeassistant.core_config import DATA_CUSTOMIZE
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.entity_values import EntityValues
from homeassistant.helpers.restore_state import STORAGE_KEY
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM

from .helpers import (
    OUTDOOR,
    START,
    Get,
    PassTime,
    connectivity,
    entities,
    entity_id,
    legacy_url,
    state_of,
)

KINDS = {
    "1": {"kind": "temperature", "unit_of_measurement": "°F", "name": "Porch"},
    "2": {"kind": "humidity", "unit_of_measurement": "%"},
    "3": {"kind": "pressure", "unit_of_measurement": "hPa", "offset": 12.5},
    "4": {"kind": "battery_voltage", "unit_of_measurement": "mV"},
    "5": {"kind": "illuminance", "unit_of_measurement": "lx"},
    "6": {"kind": "number"},
}


pytestmark = pytest.mark.usefixtures("entity_registry_enabled_by_default")


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    """Start at noon."""
    freezer.move_to(START)


async def test_new_station(
    hass: HomeAssistant, station: MockConfigEntry, snapshot: SnapshotAssertion
) -> None:
    """A station that has never reported has no fields yet."""
    assert entities(hass, station) == snapshot


async def test_fields_by_default(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    snapshot: SnapshotAssertion,
) -> None:
    """A field is a temperature in °C unless it is described otherwise."""
    await get(legacy_url("72.3"))
    await get(legacy_url("15.2", field="2"))

    assert entities(hass, station) == snapshot


@pytest.mark.parametrize("options", [{"fields": KINDS}])
async def test_kinds(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    snapshot: SnapshotAssertion,
) -> None:
    """The options decide kind, unit, name and calibration."""
    for field, value in enumerate(
        ("68", "55.5", "1000.5", "3712", "812.25", "-7e3"), start=1
    ):
        assert (await get(legacy_url(value, field=str(field)))).status == 200
    await hass.async_block_till_done()

    assert entities(hass, station) == snapshot


@pytest.mark.parametrize("options", [{"fields": KINDS}])
@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("1", "-459.67", 200),
        ("1", "-459.68", 400),
        ("1", "1832", 200),
        ("1", "1832.1", 400),
        ("2", "100", 200),
        ("2", "105", 200),
        ("2", "105.1", 400),
        ("2", "-0.1", 400),
        ("3", "2000.1", 400),
        ("4", "100000", 200),
        ("4", "100001", 400),
        ("5", "200000.1", 400),
        ("6", "-1e300", 200),
    ],
)
async def test_limits_of_kinds(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    field: str,
    value: str,
    status: int,
) -> None:
    """Values outside the range of a kind are refused, in the unit that is sent."""
    assert (await get(legacy_url(value, field=field))).status == status
    assert (entity_id(hass, field) is None) == (status == 400)


@pytest.mark.parametrize(
    "options", [{"fields": {"1": {"kind": "temperature", "offset": -0.75}}}]
)
async def test_calibration(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The offset is added before the value is rounded and checked."""
    await get(legacy_url("21.12344"))
    assert state_of(hass, "1") == "20.3734"

    assert (await get(legacy_url("-273.15"))).status == 400
    assert (await get(legacy_url("-272.4"))).status == 200
    assert state_of(hass, "1") == "-273.15"


async def test_device(
    hass: HomeAssistant, station: MockConfigEntry, device_registry: dr.DeviceRegistry
) -> None:
    """A station is one device with the station's name."""
    (device,) = dr.async_entries_for_config_entry(device_registry, station.entry_id)

    assert device.identifiers == {(DOMAIN, OUTDOOR)}
    assert device.name == "Outdoor"
    assert {
        entity.device_id
        for entity in er.async_entries_for_config_entry(
            er.async_get(hass), station.entry_id
        )
    } == {device.id}


async def test_each_report_is_a_state(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
) -> None:
    """An equal value is a new state too; last report follows within 5 seconds."""
    await get(legacy_url())
    sensor = entity_id(hass, "1")
    assert sensor is not None
    first = hass.states.get(sensor)
    freezer.tick(0.3)
    await get(legacy_url())
    second = hass.states.get(sensor)

    assert first is not None
    assert second is not None
    assert second.last_changed - first.last_changed == timedelta(seconds=0.3)
    assert state_of(hass, "last_report") == "2026-11-24T12:00:00+00:00"

    freezer.tick(1)
    await get(legacy_url())
    assert state_of(hass, "last_report") == "2026-11-24T12:00:00+00:00"
    await pass_time(4 / 60)
    assert state_of(hass, "last_report") == "2026-11-24T12:00:01+00:00"


async def test_attributes(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The attributes of a report are up to date, whatever has changed them."""
    await get(legacy_url())
    sensor = entity_id(hass, "1")
    assert sensor is not None

    async def attributes() -> dict[str, Any]:
        assert (await get(legacy_url())).status == 200
        state = hass.states.get(sensor)
        assert state is not None
        return {"state": state.state, **state.attributes}

    expected = {
        "state": "72.3",
        "state_class": "measurement",
        "unit_of_measurement": "°C",
        "device_class": "temperature",
        "friendly_name": "Outdoor Temperature",
    }
    assert await attributes() == expected

    # As the developer tools can
    hass.states.async_set(sensor, "1", {"icon": "mdi:bug"})
    assert await attributes() == expected

    er.async_get(hass).async_update_entity(sensor, icon="mdi:tree")
    await hass.async_block_till_done()
    expected["icon"] = "mdi:tree"
    assert await attributes() == expected

    hass.data[DATA_CUSTOMIZE] = EntityValues({sensor: {"note": "north side"}})
    expected["note"] = "north side"
    assert await attributes() == expected

    hass.config.units = US_CUSTOMARY_SYSTEM
    expected |= {"state": "162.14", "unit_of_measurement": "°F"}
    assert await attributes() == expected


async def test_silence(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    pass_time: PassTime,
    integration_log: Callable[[], list[str]],
) -> None:
    """A station that does not report for 15 minutes is unavailable until it does."""
    assert connectivity(hass) == "off"
    await get(legacy_url())
    assert connectivity(hass) == "on"
    await pass_time(10)
    await get(legacy_url("60"))
    await pass_time(14.9)
    assert (state_of(hass, "1"), connectivity(hass)) == ("60.0", "on")

    await pass_time(0.2)
    assert (state_of(hass, "1"), connectivity(hass)) == (STATE_UNAVAILABLE, "off")
    assert state_of(hass, "last_report") == "2026-11-24T12:10:00+00:00"
    await pass_time(60)

    await get(legacy_url("61"))
    assert (state_of(hass, "1"), connectivity(hass)) == ("61.0", "on")
    await get(legacy_url("62"))
    assert integration_log() == [
        "Outdoor has gone silent: no report for 15 minutes",
        "Outdoor reports again",
    ]


@pytest.mark.parametrize("hours", [1, -1])
async def test_clock_is_set(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
    monkeypatch: pytest.MonkeyPatch,
    integration_log: Callable[[], list[str]],
    hours: int,
) -> None:
    """Setting the clock an hour forward or back makes no station silent."""
    # The freezer would also move the monotonic clock of the timers.
    monkeypatch.setattr(
        "custom_components.esp_weather.inactivity.monotonic", lambda: 0.0
    )
    await get(legacy_url())
    await pass_time(0.1)
    now = START + timedelta(hours=hours)
    freezer.move_to(now)
    await hass.async_block_till_done()
    assert (state_of(hass, "1"), connectivity(hass)) == ("72.3", "on")

    await get(legacy_url("60"))
    assert (state_of(hass, "1"), connectivity(hass)) == ("60.0", "on")
    assert state_of(hass, "last_report") == now.isoformat()
    await hass.config_entries.async_reload(station.entry_id)
    assert (state_of(hass, "1"), connectivity(hass)) == ("60.0", "on")
    assert integration_log() == []


async def test_silence_of_one_field(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    pass_time: PassTime,
    integration_log: Callable[[], list[str]],
) -> None:
    """A sensor that was unplugged is unavailable while the others go on."""
    await get(legacy_url())
    await get(legacy_url(field="2"))
    await pass_time(10)
    await get(legacy_url())
    await pass_time(10)

    assert state_of(hass, "1") == "72.3"
    assert state_of(hass, "2") == STATE_UNAVAILABLE
    assert connectivity(hass) == "on"
    assert integration_log() == []


@pytest.mark.parametrize("options", [{"timeout": 0}])
async def test_no_timeout(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, pass_time: PassTime
) -> None:
    """With a timeout of 0 a station may be silent for ever."""
    await get(legacy_url())
    await pass_time(60 * 24 * 365)

    assert (state_of(hass, "1"), connectivity(hass)) == ("72.3", "on")


async def test_restart(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    pass_time: PassTime,
    hass_storage: dict[str, Any],
) -> None:
    """The restore data of a stop is enough for the next start."""
    await get(legacy_url("21.5"))
    await async_mock_restore_state_shutdown_restart(hass)
    stored = {
        data["state"]["entity_id"]: data["extra_data"]
        for data in hass_storage[STORAGE_KEY]["data"]
    }

    assert stored[entity_id(hass, "1")] == {
        "native_value": 21.5,
        "native_unit_of_measurement": "°C",
        "time": START.isoformat(),
    }


async def test_start(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    pass_time: PassTime,
    integration_log: Callable[[], list[str]],
) -> None:
    """The last values are restored, and the inactivity timeout counts from before."""
    await get(legacy_url("10", field="3"))
    await pass_time(3)
    await get(legacy_url("21.5"))
    await pass_time(7)
    await get(legacy_url("30", field="2"))
    await get(legacy_url("50", field="4"))
    await hass.config_entries.async_unload(station.entry_id)
    assert state_of(hass, "2") == STATE_UNAVAILABLE
    hass.config_entries.async_update_entry(
        station, options={"fields": {"4": {"unit_of_measurement": "°F"}}}
    )
    await pass_time(5)
    assert await hass.config_entries.async_setup(station.entry_id)
    await hass.async_block_till_done()

    assert [state_of(hass, field) for field in "1234"] == [
        "21.5",
        "30.0",
        # Was silent for the 15 minutes, most of which Home Assistant was down.
        STATE_UNAVAILABLE,
        # The 50 that the station has sent turn out to be °F.
        "10.0",
    ]
    assert connectivity(hass) == "on"
    assert state_of(hass, "last_report") == "2026-11-24T12:10:00+00:00"

    await pass_time(3.1)
    assert state_of(hass, "1") == STATE_UNAVAILABLE
    assert state_of(hass, "2") == "30.0"
    assert connectivity(hass) == "on"
    assert integration_log() == []

    await pass_time(7)
    assert state_of(hass, "2") == STATE_UNAVAILABLE
    assert connectivity(hass) == "off"
    assert len(integration_log()) == 1


@pytest.mark.parametrize(
    ("options", "state", "connected"),
    [({}, STATE_UNAVAILABLE, "off"), ({"timeout": 0}, "21.5", "on")],
)
async def test_start_after_a_long_time(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    pass_time: PassTime,
    state: str,
    connected: str,
    integration_log: Callable[[], list[str]],
) -> None:
    """A value older than the timeout is not shown, but its time is kept."""
    await get(legacy_url("21.5"))
    await hass.config_entries.async_unload(station.entry_id)
    for _ in range(2):
        await pass_time(60)
        await hass.config_entries.async_setup(station.entry_id)
        await hass.async_block_till_done()

        assert state_of(hass, "1") == state
        assert connectivity(hass) == connected
        assert state_of(hass, "last_report") == "2026-11-24T12:00:00+00:00"
        await hass.config_entries.async_unload(station.entry_id)
    assert integration_log() == []


async def test_start_without_stored_states(
    hass: HomeAssistant, entry: MockConfigEntry, client: Any, get: Get
) -> None:
    """A known field without restore data is unknown until its next report."""
    er.async_get(hass).async_get_or_create(
        Platform.SENSOR, DOMAIN, f"{OUTDOOR}_1", config_entry=entry
    )
    # As before fields were stored in the data of the entry
    hass.config_entries.async_update_entry(entry, minor_version=1)
    # Twice, since what is stored of a field without a value is not a value either.
    for _ in range(2):
        await hass.config_entries.async_reload(entry.entry_id)

    assert state_of(hass, "1") == STATE_UNAVAILABLE
    assert state_of(hass, "last_report") == STATE_UNKNOWN
    assert connectivity(hass) == "off"

    await get(legacy_url())
    assert state_of(hass, "1") == "72.3"


async def test_reload_keeps_the_value(
    hass: HomeAssistant, station: MockConfigEntry, get: Get, pass_time: PassTime
) -> None:
    """A reload restores the value, like a restart."""
    await get(legacy_url())
    await pass_time(10)
    await hass.config_entries.async_reload(station.entry_id)

    assert state_of(hass, "1") == "72.3"
    assert connectivity(hass) == "on"
    await pass_time(5.1)
    assert state_of(hass, "1") == STATE_UNAVAILABLE


@pytest.mark.parametrize("known", [False, True])
async def test_disabled_field(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: Any,
    get: Get,
    known: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Reports of a field whose entity is disabled are accepted and ignored."""
    registry = er.async_get(hass)
    registry.async_get_or_create(
        Platform.SENSOR,
        DOMAIN,
        f"{OUTDOOR}_1",
        config_entry=entry,
        disabled_by=er.RegistryEntryDisabler.USER,
    )
    if known:
        await hass.config_entries.async_reload(entry.entry_id)
    caplog.set_level("INFO")

    for _ in range(3):
        assert (await get(legacy_url())).status == 200

    assert hass.states.get(str(entity_id(hass, "1"))) is None
    assert connectivity(hass) == "on"
    assert caplog.text.count("Not adding entity") <= 1


async def test_removed_field(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    entity_registry: er.EntityRegistry,
) -> None:
    """A field whose entity was removed is created again when it reports."""
    await get(legacy_url())
    entity_registry.async_remove(str(entity_id(hass, "1")))
    await hass.async_block_till_done()
    assert entity_id(hass, "1") is None

    assert (await get(legacy_url("60"))).status == 200

    assert state_of(hass, "1") == "60.0"
