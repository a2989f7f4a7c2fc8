"""The advice on the windows of a room, through the states of its sensors."""

from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_restore_state_shutdown_restart,
)

from custom_components.esp_weather.const import DOMAIN
from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM
from tests.helpers import (
    INDOOR,
    OUTDOOR,
    Get,
    PassTime,
    entity_id,
    legacy_url,
    state_of,
    station_entry,
)

from .helpers import Report, advice, room_state


@pytest.mark.parametrize(
    ("inside", "outside", "expected"),
    [
        (26, 20, "open"),
        (26, 25.5, "open"),
        (23.1, 20, "open"),
        (23, 20, "either"),
        (21, -5, "either"),
        (26, 25.6, "either"),
        (26, 26, "either"),
        (26, 26.1, "close"),
        (26, 30, "close"),
        (20, 21, "close"),
    ],
)
async def test_first_advice(
    hass: HomeAssistant, report: Report, inside: float, outside: float, expected: str
) -> None:
    """There is an advice as soon as both sides have reported."""
    assert advice(hass) == "unknown"
    await report(inside)
    assert advice(hass) == "unknown"
    await report(outside=outside)

    assert advice(hass) == expected
    state = room_state(hass, "windows")
    assert state.attributes["inside"] == entity_id(hass, "1", mac=INDOOR)
    assert state.attributes["outside"] == entity_id(hass, "1", mac=OUTDOOR)
    difference = room_state(hass, "outside_difference")
    assert float(difference.state) == pytest.approx(outside - inside)
    assert difference.attributes["device_class"] == "temperature_delta"


async def test_hysteresis_and_hold(
    hass: HomeAssistant, report: Report, pass_time: PassTime
) -> None:
    """The advice changes after the difference has passed the hysteresis for a while."""
    await report(26, 28)
    assert advice(hass) == "close"
    for outside in (26, 25.6):
        await report(outside=outside)
        await pass_time(11)
        assert advice(hass) == "close", outside

    await report(outside=25.4)
    await pass_time(9.9)
    assert advice(hass) == "close"
    await pass_time(0.2)
    assert advice(hass) == "open"

    # Not for long enough
    await report(outside=26.6)
    await pass_time(9)
    await report(outside=26.4)
    await pass_time(5)
    assert advice(hass) == "open"
    # Long enough, with other readings between
    await report(outside=26.6)
    await pass_time(6)
    await report(outside=27)
    await pass_time(5)
    assert advice(hass) == "close"


async def test_comfort_limit(
    hass: HomeAssistant, report: Report, pass_time: PassTime
) -> None:
    """Open windows may cool the room to a bit below the comfort limit."""
    await report(24, 15)
    assert advice(hass) == "open"
    await report(22.7)
    await pass_time(11)
    assert advice(hass) == "open"
    await report(22.5, 15)
    await pass_time(11)
    assert advice(hass) == "either"
    await report(22.9, 15)
    await pass_time(11)
    assert advice(hass) == "either"


async def test_moisture(
    hass: HomeAssistant, report: Report, pass_time: PassTime
) -> None:
    """No moisture is brought in, if both sides measure it."""
    # 12.2 g/m³ inside; a humid evening has 14.6 g/m³
    await report(26, 20, inside_humidity=50)
    assert advice(hass) == "open"
    await report(outside_humidity=85)
    await pass_time(11)
    assert advice(hass) == "either"
    # 12.5 g/m³ are as good as the same.
    await report(26, 20, inside_humidity=50, outside_humidity=72.5)
    await pass_time(11)
    assert advice(hass) == "open"


@pytest.mark.parametrize("windows", [{"moisture": False}])
async def test_moisture_does_not_matter(hass: HomeAssistant, report: Report) -> None:
    """The moisture rule can be switched off."""
    await report(26, 20, inside_humidity=50, outside_humidity=99)

    assert advice(hass) == "open"


@pytest.mark.parametrize("windows", [{"hysteresis": 2.0, "hold": 1, "comfort": 20.0}])
async def test_options(
    hass: HomeAssistant, report: Report, pass_time: PassTime
) -> None:
    """The limits are those of the options."""
    await report(21, 19.5)
    assert advice(hass) == "either"
    await report(outside=19)
    await pass_time(1.1)
    assert advice(hass) == "open"


async def test_outage(hass: HomeAssistant, report: Report, pass_time: PassTime) -> None:
    """There is no advice during an outage, and the current one right after it."""
    await report(26, 28)
    await pass_time(40)
    await report(26)
    await pass_time(21)
    assert advice(hass) == "unknown"
    assert room_state(hass, "outside_difference").state == "unknown"

    # The hysteresis goes on from before.
    await report(26, 25.8)
    assert advice(hass) == "close"
    await pass_time(61)
    assert advice(hass) == "unknown"
    await report(26, 20)
    assert advice(hass) == "open"


@pytest.mark.parametrize(
    ("minutes", "expected"), [(1, "close"), (59, "close"), (61, "unknown")]
)
async def test_restart(
    hass: HomeAssistant,
    report: Report,
    time: FrozenDateTimeFactory,
    minutes: int,
    expected: str,
) -> None:
    """After a restart there is an advice before any report, from the restored state."""
    await report(26, 26.6)
    await report(outside=25.8)
    entries = hass.config_entries.async_entries(DOMAIN)
    for entry in entries:
        assert await hass.config_entries.async_unload(entry.entry_id)
    await async_mock_restore_state_shutdown_restart(hass)
    time.tick(timedelta(minutes=minutes))

    for entry in entries:
        assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    # Without the advice from before it would be "either".
    assert advice(hass) == expected


@pytest.mark.parametrize(
    ("state", "attributes", "expected"),
    [
        ("20", {"unit_of_measurement": "°C"}, "open"),
        ("68", {"unit_of_measurement": "°F"}, "open"),
        ("293.15", {"unit_of_measurement": "K"}, "open"),
        ("86", {"unit_of_measurement": "°F"}, "close"),
        ("20", {}, "unknown"),
        ("20", {"unit_of_measurement": "hPa"}, "unknown"),
        ("nan", {"unit_of_measurement": "°C"}, "unknown"),
        ("inf", {"unit_of_measurement": "°C"}, "unknown"),
        ("cold", {"unit_of_measurement": "°C"}, "unknown"),
        ("unavailable", {"unit_of_measurement": "°C"}, "unknown"),
        ("unavailable", {"unit_of_measurement": "°C", "restored": True}, "unknown"),
        ("20", {"unit_of_measurement": "°C", "restored": True}, "unknown"),
    ],
)
@pytest.mark.parametrize("windows", [{"outside": "sensor.terrace"}])
async def test_other_sensor(
    hass: HomeAssistant,
    report: Report,
    state: str,
    attributes: dict[str, Any],
    expected: str,
) -> None:
    """Any temperature sensor can be the one outside, in any unit."""
    await report(26, 10)
    assert advice(hass) == "unknown"

    hass.states.async_set("sensor.terrace", state, attributes)
    await hass.async_block_till_done()

    assert advice(hass) == expected
    assert room_state(hass, "windows").attributes["outside"] == "sensor.terrace"


@pytest.mark.parametrize("windows", [{"outside": "sensor.terrace"}])
async def test_stale(
    hass: HomeAssistant,
    report: Report,
    time: FrozenDateTimeFactory,
    pass_time: PassTime,
) -> None:
    """A sensor that has not reported for hours counts as unknown."""
    hass.states.async_set("sensor.terrace", "20", {"unit_of_measurement": "°C"})
    for _ in range(17):
        await report(26)
        await pass_time(10)
    assert advice(hass) == "open"
    await report(26)
    await pass_time(10)
    await report(26)
    assert advice(hass) == "unknown"

    # The same value again is a report, too.
    hass.states.async_set("sensor.terrace", "20", {"unit_of_measurement": "°C"})
    await report(26)
    assert advice(hass) == "open"


@pytest.mark.parametrize("windows", [{"outside": "sensor.terrace"}])
async def test_humidity_of_other_sensor(
    hass: HomeAssistant, house: MockConfigEntry, report: Report
) -> None:
    """The humidity is that of the same device."""
    other = MockConfigEntry()
    other.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=other.entry_id, identifiers={("other", "1")}
    )
    registry = er.async_get(hass)
    for kind in ("temperature", "humidity"):
        sensor = registry.async_get_or_create(
            "sensor",
            "other",
            kind,
            config_entry=other,
            device_id=device.id,
            original_device_class=SensorDeviceClass(kind),
        )
        name = "terrace" if kind == "temperature" else "terrace_humidity"
        registry.async_update_entity(sensor.entity_id, new_entity_id=f"sensor.{name}")
    for humidity in ("wet", "101", "99"):
        # After it was unknown, an advice need not hold.
        hass.states.async_set("sensor.terrace", "unavailable")
        await hass.async_block_till_done()
        hass.states.async_set("sensor.terrace_humidity", humidity)
        hass.states.async_set("sensor.terrace", "20", {"unit_of_measurement": "°C"})
        await report(26, inside_humidity=50)

        assert advice(hass) == ("either" if humidity == "99" else "open")


async def test_fahrenheit(hass: HomeAssistant, get: Get) -> None:
    """In a house with °F the advice is the same, and the difference is in °F."""
    hass.config.units = US_CUSTOMARY_SYSTEM
    entry = station_entry(
        INDOOR,
        "Bedroom",
        options={"place": "inside", "windows": {"outside": "sensor.terrace"}},
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    hass.states.async_set("sensor.terrace", "68", {"unit_of_measurement": "°F"})
    assert (await get(legacy_url("26", mac=INDOOR))).status == 200
    await hass.async_block_till_done()

    assert room_state(hass, "1").attributes["unit_of_measurement"] == "°F"
    assert advice(hass) == "open"
    difference = room_state(hass, "outside_difference")
    assert difference.attributes["unit_of_measurement"] == "°F"
    assert float(difference.state) == pytest.approx(-10.8)


async def test_no_outside(hass: HomeAssistant, report: Report) -> None:
    """Without a station outside there is no advice."""
    (outside,) = [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.unique_id == OUTDOOR
    ]
    await report(26, 20)
    assert advice(hass) == "open"

    hass.config_entries.async_update_entry(outside, options={})
    await hass.async_block_till_done()

    assert advice(hass) == "unknown"
    assert room_state(hass, "windows").attributes["outside"] is None


async def test_several_outside(
    hass: HomeAssistant, report: Report, get: Get, pass_time: PassTime
) -> None:
    """Of several stations outside the one counts that was added first."""
    await report(26, 20)
    another = station_entry(
        "00:00:00:00:00:01", "Another", options={"place": "outside"}
    )
    another.add_to_hass(hass)
    assert await hass.config_entries.async_setup(another.entry_id)
    assert (await get(legacy_url("30", mac="00:00:00:00:00:01"))).status == 200
    await hass.async_block_till_done()
    assert advice(hass) == "open"

    (first,) = [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.unique_id == OUTDOOR
    ]
    await hass.config_entries.async_remove(first.entry_id)
    await pass_time(11)
    assert advice(hass) == "close"


async def test_not_inside_any_more(
    hass: HomeAssistant, house: MockConfigEntry, report: Report
) -> None:
    """A station that is moved loses the entities of the room, and gets them again."""
    await report(26, 20)
    for place, count in (("outside", 0), ("inside", 4)):
        hass.config_entries.async_update_entry(
            house, options={**house.options, "place": place}
        )
        await hass.config_entries.async_reload(house.entry_id)
        await hass.async_block_till_done()

        found = [
            each.unique_id
            for each in er.async_entries_for_config_entry(
                er.async_get(hass), house.entry_id
            )
            if each.unique_id.endswith(("windows", "difference", "change", "notify"))
        ]
        assert len(found) == count


async def test_disabled_sensor(
    hass: HomeAssistant, report: Report, house: MockConfigEntry
) -> None:
    """A temperature sensor that the user has disabled is not used."""
    await report(26, 20)

    er.async_get(hass).async_update_entity(
        str(entity_id(hass, "1")), disabled_by=er.RegistryEntryDisabler.USER
    )
    await hass.async_block_till_done()

    assert advice(hass) == "unknown"


async def test_renamed_sensor(hass: HomeAssistant, report: Report) -> None:
    """A sensor may get another entity ID."""
    await report(26, 20)

    er.async_get(hass).async_update_entity(
        str(entity_id(hass, "1")), new_entity_id="sensor.garden"
    )
    await hass.async_block_till_done()
    await report(outside=28)
    await report(outside=28)

    assert room_state(hass, "windows").attributes["outside"] == "sensor.garden"
    assert float(room_state(hass, "outside_difference").state) == 2


async def test_moisture_sensors(hass: HomeAssistant, report: Report) -> None:
    """Dew point and absolute humidity can be enabled."""
    await report(outside=20)
    assert entity_id(hass, "dew_point") is None
    await report(outside_humidity=80)

    for key in ("dew_point", "absolute_humidity"):
        found = entity_id(hass, key)
        assert found is not None
        assert er.async_get(hass).entities[found].disabled
        er.async_get(hass).async_update_entity(found, disabled_by=None)
    (entry,) = [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.unique_id == OUTDOOR
    ]
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    await report(outside=20, outside_humidity=80)

    assert float(state_of(hass, "dew_point")) == pytest.approx(16.4, abs=0.1)
    assert float(state_of(hass, "absolute_humidity")) == pytest.approx(13.8, abs=0.1)
    await report(outside_humidity=0)
    assert state_of(hass, "dew_point") == "unavailable"
    assert float(state_of(hass, "absolute_humidity")) == 0


@pytest.mark.parametrize("windows", [{"outside": "sensor.outdoor_temperature"}])
async def test_own_sensor_chosen(
    hass: HomeAssistant, report: Report, pass_time: PassTime
) -> None:
    """A station's sensor that is chosen comes with the humidity of that station."""
    await report(26, 20, inside_humidity=50, outside_humidity=85)
    assert entity_id(hass, "1") == "sensor.outdoor_temperature"
    await pass_time(11)

    assert advice(hass) == "either"


async def test_unload(
    hass: HomeAssistant, report: Report, house: MockConfigEntry, pass_time: PassTime
) -> None:
    """Unloading a room cancels its pending change."""
    other = MockConfigEntry()
    other.add_to_hass(hass)
    await report(26, 28)
    await report(26, 20)
    await hass.config_entries.async_remove(other.entry_id)
    assert await hass.config_entries.async_unload(house.entry_id)
    await report(outside=20)
    await pass_time(30)

    assert advice(hass) == "unavailable"


async def test_measured_moisture(hass: HomeAssistant, get: Get) -> None:
    """A quantity that the station measures is not derived."""
    kinds = {"1": "temperature", "2": "humidity", "3": "dew_point"}
    entry = station_entry(
        options={"fields": {number: {"kind": kind} for number, kind in kinds.items()}}
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    for field, value in (("1", "20"), ("2", "80"), ("3", "16.5")):
        assert (await get(legacy_url(value, field=field))).status == 200
    await hass.async_block_till_done()

    assert entity_id(hass, "absolute_humidity") is not None
    assert entity_id(hass, "dew_point") is None
