"""The fields of a station: declared, chosen or guessed, and their limits."""

from http import HTTPStatus
from typing import Any

from aiohttp.test_utils import TestClient
from hypothesis import given, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.esp_weather.const import DOMAIN
from custom_components.esp_weather.field import NUMBER, make_field
from custom_components.esp_weather.protocol.readings import Declaration, Reading, Reason
from custom_components.esp_weather.protocol.signed import Report, Status
from homeassistant.components.repairs import DOMAIN as REPAIRS_DOMAIN
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .declaring import BME280, BME280_VALUES, declare, loaded
from .helpers import (
    OUTDOOR,
    Get,
    PassTime,
    connectivity,
    entity_id,
    follow_up,
    issues,
    legacy_url,
    state_of,
    station_entry,
)
from .signed_station import SignedStation, reading


def _fields(hass: HomeAssistant) -> dict[str, tuple[str, str | None]]:
    """Return value and unit of each field's sensor, by its entity ID."""
    return {
        state.entity_id: (state.state, state.attributes.get("unit_of_measurement"))
        for state in sorted(
            hass.states.async_all(Platform.SENSOR), key=lambda state: state.entity_id
        )
        if "state_class" in state.attributes
    }


async def test_bme280(hass: HomeAssistant, station: MockConfigEntry) -> None:
    """Declared fields are right the first time."""
    assert await declare(hass, station, BME280, BME280_VALUES) == []

    assert _fields(hass) == {
        "sensor.outdoor_humidity": ("48.2", "%"),
        "sensor.outdoor_pressure": ("1013.2", "hPa"),
        "sensor.outdoor_temperature": ("21.5", "°C"),
    }
    assert issues(hass) == []


async def test_numbers_only_where_a_kind_occurs_twice(
    hass: HomeAssistant, station: MockConfigEntry
) -> None:
    """Names are numbered from the second field of a kind on, and do not change."""
    fields = {**BME280, 5: Declaration("temperature"), 6: Declaration("dew_point")}
    await declare(hass, station, fields, {5: 3, 1: 21, 2: 48, 3: 1000, 6: 7})

    assert list(_fields(hass)) == [
        "sensor.outdoor_dew_point",
        "sensor.outdoor_humidity",
        "sensor.outdoor_pressure",
        "sensor.outdoor_temperature",
        "sensor.outdoor_temperature_5",
    ]
    assert entity_id(hass, "5") == "sensor.outdoor_temperature_5"


async def test_rain_and_wind(hass: HomeAssistant, station: MockConfigEntry) -> None:
    """Rain is a total, and a direction is an angle."""
    await declare(
        hass,
        station,
        {1: Declaration("rain", "in"), 2: Declaration("wind_direction", name="Vane")},
        {1: 1, 2: 359},
    )
    rain = hass.states.get("sensor.outdoor_rain")
    vane = hass.states.get("sensor.outdoor_vane")
    assert rain is not None
    assert vane is not None
    assert (rain.state, rain.attributes["unit_of_measurement"]) == ("25.4", "mm")
    assert rain.attributes["state_class"] == "total_increasing"
    assert vane.attributes["state_class"] == "measurement_angle"


@pytest.mark.parametrize(
    "options",
    [{"fields": {"1": {"kind": "dew_point", "name": "Dew"}, "2": {"offset": 1.5}}}],
)
async def test_user_wins_over_declaration(
    hass: HomeAssistant, station: MockConfigEntry
) -> None:
    """The user's choice takes precedence over the station's declaration."""
    await declare(hass, station, BME280, BME280_VALUES)
    assert _fields(hass) == {
        "sensor.outdoor_dew": ("21.5", "°C"),
        "sensor.outdoor_humidity": ("49.7", "%"),
        "sensor.outdoor_pressure": ("1013.2", "hPa"),
    }
    # A unit that the user chose for the former kind does not apply to humidity.
    hass.config_entries.async_update_entry(
        station, options={"fields": {"3": {"unit_of_measurement": "inHg"}}}
    )
    await declare(hass, station, {3: Declaration("humidity")}, {3: 50})
    state = hass.states.get(str(entity_id(hass, "3")))
    assert state is not None
    assert state.attributes["unit_of_measurement"] == "%"


async def test_declaration_wins_over_guess(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A wrong guess is corrected as if the station had declared the field at once."""
    await get(legacy_url("21.5"))
    await get(legacy_url("48.2", field="2"))
    await get(legacy_url("1013.2", field="3"))
    assert list(_fields(hass)) == [
        "sensor.outdoor_field_3",
        "sensor.outdoor_temperature",
        "sensor.outdoor_temperature_2",
    ]
    assert issues(hass) == [("unknown_kind", "Outdoor")]

    await declare(hass, station, BME280, BME280_VALUES)

    assert _fields(hass) == {
        "sensor.outdoor_humidity": ("48.2", "%"),
        "sensor.outdoor_pressure": ("1013.2", "hPa"),
        "sensor.outdoor_temperature": ("21.5", "°C"),
    }
    assert issues(hass) == []


async def test_declared_again(hass: HomeAssistant, station: MockConfigEntry) -> None:
    """A replaced sensor is declared again; an equal declaration changes nothing."""
    await declare(hass, station, BME280, BME280_VALUES)
    before = loaded(station)
    await declare(hass, station, BME280, BME280_VALUES)
    assert loaded(station) is before

    await declare(
        hass,
        station,
        {1: Declaration("humidity"), 2: Declaration("temperature", "°F", "Porch")},
        {1: 50, 2: 68},
    )
    assert _fields(hass) == {
        "sensor.outdoor_humidity": ("50.0", "%"),
        "sensor.outdoor_porch": ("20.0", "°C"),
        "sensor.outdoor_pressure": ("1013.2", "hPa"),
    }


async def test_number_of_the_others(
    hass: HomeAssistant, station: MockConfigEntry
) -> None:
    """When the first of two of a kind becomes another, the second loses its number."""
    temperatures = {1: Declaration("temperature"), 2: Declaration("temperature")}
    await declare(hass, station, temperatures, {1: 21, 2: 22})
    assert entity_id(hass, "2") == "sensor.outdoor_temperature_2"

    await declare(hass, station, {1: Declaration("humidity")}, {1: 50})

    assert entity_id(hass, "1") == "sensor.outdoor_humidity"
    assert entity_id(hass, "2") == "sensor.outdoor_temperature"
    # And gets it back, so that the order of the changes does not matter.
    await declare(hass, station, temperatures, {1: 21, 2: 22})
    assert entity_id(hass, "1") == "sensor.outdoor_temperature"
    assert entity_id(hass, "2") == "sensor.outdoor_temperature_2"


@pytest.mark.parametrize(
    ("declaration", "unit"),
    [
        (Declaration("magnetism"), None),
        (Declaration("magnetism", "µT", "Magnet"), "µT"),
        (Declaration("pressure", "torr"), "torr"),
        (Declaration("number", "drops"), "drops"),
    ],
)
async def test_unknown_declaration(
    hass: HomeAssistant,
    station: MockConfigEntry,
    declaration: Declaration,
    unit: str | None,
) -> None:
    """An unknown declared kind is a plain number in its unit, without an issue."""
    for _ in range(2):
        assert await declare(hass, station, {1: declaration}, {1: -1e6}) == []
    state = hass.states.get(str(entity_id(hass, "1")))
    assert state is not None
    assert state.state == "-1000000.0"
    assert state.attributes.get("unit_of_measurement") == unit
    assert issues(hass) == []


@pytest.mark.parametrize("declared", [("2",), ("1", "2")])
@pytest.mark.parametrize("is_numbered", [False, True])
async def test_field_beside_a_guess(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: TestClient[Any, Any],
    get: Get,
    declared: tuple[str, ...],
    is_numbered: bool,
) -> None:
    """A declared field is right at once, also beside one that was guessed.

    A declaration that confirms the guess does not make the station report again.
    """
    await get(legacy_url("18.1"))
    before = loaded(station)
    kinds = {"1": {"kind": "temperature"}, "2": {"kind": "humidity"}}
    answer = await SignedStation(client).report(
        reading(18.2),
        reading(62, field=2),
        fields={number: kinds[number] for number in declared},
        **({"stream": "9f3a1c22", "first": 1} if is_numbered else {}),
    )
    assert (answer.status, answer.content["taken"]) == (HTTPStatus.OK, 2)
    assert _fields(hass) == {
        "sensor.outdoor_humidity": ("62.0", "%"),
        "sensor.outdoor_temperature": ("18.2", "°C"),
    }
    assert loaded(station) is before


async def test_declared_without_a_value(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A declaration applies before the first value, and to unsigned readings, too."""
    await declare(hass, station, BME280, {})
    assert _fields(hass) == {}
    await get(legacy_url("48", field="2"))
    assert _fields(hass) == {"sensor.outdoor_humidity": ("48.0", "%")}


async def test_one_bad_reading(hass: HomeAssistant, station: MockConfigEntry) -> None:
    """An impossible reading does not affect the others of its report."""
    report = Report(
        (Reading(1, 21.5, 60), Reading(2, 300), Reading(1, -127), Reading(3, 1013)),
        Status(rssi=-60),
        fields=BME280,
    )
    taken = await loaded(station).async_take_report(report, dt_util.utcnow())
    await hass.async_block_till_done()

    assert [(error.reading, error.reason) for error in taken.refused] == [
        (2, Reason.DATA_OUT_OF_RANGE),
        (3, Reason.SENSOR_DISCONNECTED),
    ]
    assert (state_of(hass, "1"), state_of(hass, "3")) == ("21.5", "1013.0")
    assert entity_id(hass, "2") is None
    assert connectivity(hass) == "on"
    assert loaded(station).status.rssi == -60


async def test_nothing_is_refused_for_a_guess(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A guess that turns out wrong raises the issue, and refuses no reading."""
    await get(legacy_url("0"))
    assert issues(hass) == []
    assert (await get(legacy_url("5000"))).status == HTTPStatus.OK
    assert state_of(hass, "1") == "5000.0"
    assert issues(hass) == [("unknown_kind", "Outdoor")]
    await hass.config_entries.async_reload(station.entry_id)
    assert issues(hass) == [("unknown_kind", "Outdoor")]
    assert (await get(legacy_url("6000"))).status == HTTPStatus.OK

    await _fix(hass, "unknown_kind", kind="illuminance")
    assert _fields(hass) == {"sensor.outdoor_illuminance": ("6000.0", "lx")}
    assert issues(hass) == []
    assert (await get(legacy_url("300000"))).status == HTTPStatus.BAD_REQUEST


def _issue(hass: HomeAssistant) -> ir.IssueEntry:
    """Return the only issue that a station has."""
    (issue,) = (
        issue
        for issue in ir.async_get(hass).issues.values()
        if issue.active and issue.translation_placeholders
    )
    return issue


async def _fix(hass: HomeAssistant, key: str, **user_input: Any) -> dict[str, Any]:
    """Fix an issue with its dialog; return the form that was shown."""
    await async_setup_component(hass, REPAIRS_DOMAIN, {})
    issue = _issue(hass)
    assert (issue.translation_key, issue.is_fixable) == (key, True)
    manager = hass.data[REPAIRS_DOMAIN]["flow_manager"]
    form = await manager.async_init(DOMAIN, data={"issue_id": issue.issue_id})
    result = await manager.async_configure(form["flow_id"], user_input)
    await hass.async_block_till_done()
    assert result["type"] == "create_entry", result
    return dict(form)


async def test_pressure_that_nobody_has_declared(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """An undeclared field is recorded, and right once the user has answered."""
    assert (await get(legacy_url("1013.2", field="3"))).status == HTTPStatus.OK
    assert _fields(hass) == {"sensor.outdoor_field_3": ("1013.2", None)}
    issue = _issue(hass)
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["field"] == "3"
    assert issue.translation_placeholders["value"] == "1013.2"

    form = await _fix(hass, "unknown_kind", kind="pressure")

    options = form["data_schema"].schema["kind"].config["options"]
    assert options[0] == "pressure"
    assert _fields(hass) == {"sensor.outdoor_pressure": ("1013.2", "hPa")}
    assert issues(hass) == []


@pytest.mark.parametrize(
    ("value", "kind", "unit"),
    [
        ("101325", "pressure", "Pa"),
        ("760", "pressure", "mmHg"),
        ("1013", "pressure", None),
        ("512", "illuminance", None),
        ("3712", "battery_voltage", "mV"),
        ("100000000", "humidity", None),
    ],
)
async def test_unit_of_the_answer(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    value: str,
    kind: str,
    unit: str | None,
) -> None:
    """The dialog chooses the first unit in which the value is possible."""
    await get(legacy_url(value))
    await _fix(hass, "unknown_kind", kind=kind)
    expected = {"kind": kind} | ({"unit_of_measurement": unit} if unit else {})
    assert station.options == {"fields": {"1": expected}}


async def test_plain_number_is_an_answer(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A user who chooses a plain number is not asked again."""
    await get(legacy_url("512"))
    await _fix(hass, "unknown_kind", kind="number")
    await get(legacy_url("513"))
    await hass.config_entries.async_reload(station.entry_id)
    assert issues(hass) == []
    assert _fields(hass) == {"sensor.outdoor_field_1": ("513.0", None)}


@pytest.mark.parametrize(
    "options", [{"fields": {"1": {"kind": "humidity", "offset": 2.0}}}]
)
async def test_three_impossible_values(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The third impossible value in a row raises an issue; a possible one clears it."""
    for _ in range(2):
        await get(legacy_url("300"))
    await get(legacy_url("50"))
    for _ in range(2):
        await get(legacy_url("300"))
    await get(legacy_url("20", field="2"))
    assert issues(hass) == []
    await get(legacy_url("300"))
    assert issues(hass) == [("impossible_value", "Outdoor")]
    issue = _issue(hass)
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["value"] == "300 %"
    await get(legacy_url("20", field="2"))
    assert issues(hass) == [("impossible_value", "Outdoor")]

    await get(legacy_url("51"))
    assert issues(hass) == []

    for _ in range(3):
        await get(legacy_url("300"))
    await _fix(hass, "impossible_value", kind="co2")
    assert issues(hass) == []
    assert station.options == {"fields": {"1": {"kind": "co2", "offset": 2.0}}}
    assert (await get(legacy_url("300"))).status == HTTPStatus.OK
    assert state_of(hass, "1") == "302.0"


async def test_wrong_key_dialog(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The repair of a wrong key stores the key that the station sends."""
    for _ in range(3):
        await get(legacy_url(key="the-real-one"))
    await follow_up(hass)
    await async_setup_component(hass, REPAIRS_DOMAIN, {})
    issue = _issue(hass)
    manager = hass.data[REPAIRS_DOMAIN]["flow_manager"]
    form = await manager.async_init(DOMAIN, data={"issue_id": issue.issue_id})
    form = await manager.async_configure(form["flow_id"], {"api_key": "a/b"})
    assert form["errors"] == {"api_key": "invalid_key"}

    await manager.async_configure(form["flow_id"], {"api_key": " the-real-one "})
    await hass.async_block_till_done()

    assert issues(hass) == []
    assert (await get(legacy_url(key="the-real-one"))).status == HTTPStatus.OK
    assert (await get(legacy_url())).status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    ("offset", "value", "stored"),
    [
        (-3, "101.5", "98.5"),
        (5, "99", "100.0"),
        (5, "101", "100.0"),
        (-3, "1", "0.0"),
        (0, "105", "100.0"),
        (0, "105.1", None),
        (0, "-0.1", None),
        (-3, "107", "100.0"),
        (-3, "109", None),
        (3, "-1", "2.0"),
    ],
)
async def test_calibrated_humidity(
    hass: HomeAssistant,
    client: TestClient[Any, Any],
    get: Get,
    offset: float,
    value: str,
    stored: str | None,
) -> None:
    """Calibration comes before the range, at whose end a humidity stays."""
    entry = station_entry(
        options={"fields": {"1": {"kind": "humidity", "offset": offset}}}
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    answer = await get(legacy_url(value))
    if stored is None:
        assert answer.status == HTTPStatus.BAD_REQUEST
        assert entity_id(hass, "1") is None
    else:
        assert answer.status == HTTPStatus.OK
        assert state_of(hass, "1") == stored


@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(10**7), 10**7).map(lambda number: number / 100_000)
)
def test_rounding(value: float) -> None:
    """A reading is rounded to 4 decimals as the old server rounded it; there is no -0."""
    rounded = make_field(1, NUMBER).calibrate(value)
    assert rounded == round(value, 4)
    assert str(rounded) != "-0.0"


@pytest.mark.parametrize(
    ("unit", "disconnected", "start"), [("°C", "-127", "85"), ("°F", "-196.6", "185")]
)
@pytest.mark.parametrize("offset", [0, -0.75])
async def test_faults_of_a_ds18b20(
    hass: HomeAssistant,
    client: TestClient[Any, Any],
    get: Get,
    pass_time: PassTime,
    unit: str,
    disconnected: str,
    start: str,
    offset: float,
) -> None:
    """The values of a missing or unready sensor are refused."""
    settings = {"kind": "temperature", "unit_of_measurement": unit, "offset": offset}
    entry = station_entry(options={"fields": {"1": settings}})
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)

    async def report(value: str) -> int:
        return (await get(legacy_url(value))).status

    answer = await get(legacy_url(disconnected))
    assert answer.status == HTTPStatus.BAD_REQUEST
    assert "not connected" in answer.text
    answer = await get(legacy_url(start))
    assert answer.status == HTTPStatus.BAD_REQUEST
    assert "before its first measurement" in answer.text
    assert entity_id(hass, "1") is None
    assert await report("60") == HTTPStatus.OK
    # Among others it is a measurement.
    assert await report(start) == HTTPStatus.OK
    for _ in range(4):
        # Each of these follows a start; they do not add up to a hot sensor.
        await pass_time(16)
        assert await report(start) == HTTPStatus.BAD_REQUEST
        assert await report("60") == HTTPStatus.OK
    await pass_time(16)
    assert [await report(start) for _ in range(3)] == [400, 400, 200]
    assert await report(disconnected) == HTTPStatus.BAD_REQUEST


async def test_guess_of_a_ds18b20(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The faults are detected in a field that nobody has described, too."""
    for value in ("-127", "85"):
        answer = await get(legacy_url(value))
        assert answer.status == HTTPStatus.BAD_REQUEST
        assert "DS18B20" in answer.text
    assert (await get(legacy_url("21"))).status == HTTPStatus.OK


async def test_disabled_and_enabled(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A field is recorded again as soon as its entity is enabled."""
    await get(legacy_url("20"))
    registry = er.async_get(hass)
    sensor = str(entity_id(hass, "1"))
    registry.async_update_entity(sensor, disabled_by=er.RegistryEntryDisabler.USER)
    await hass.async_block_till_done()
    assert (await get(legacy_url("21"))).status == HTTPStatus.OK
    page = await get(legacy_url("21"), Accept="text/html")
    assert page.status == HTTPStatus.OK
    assert hass.states.get(sensor) is None

    registry.async_update_entity(sensor, disabled_by=None)
    # Home Assistant reloads the entry after 30 seconds.
    for value in ("22", "23"):
        assert (await get(legacy_url(value))).status == HTTPStatus.OK
        assert state_of(hass, "1") == f"{value}.0"


async def test_page_of_a_disabled_field_that_is_not_known(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """A browser gets an answer even if nothing is known of the field."""
    er.async_get(hass).async_get_or_create(
        Platform.SENSOR,
        DOMAIN,
        f"{OUTDOOR}_1",
        config_entry=station,
        disabled_by=er.RegistryEntryDisabler.USER,
    )
    answer = await get(legacy_url("21"), Accept="text/html")
    assert answer.status == HTTPStatus.OK


@pytest.mark.parametrize("known", [False, True])
async def test_sensor_platform_fails(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    client: TestClient[Any, Any],
    get: Get,
    monkeypatch: pytest.MonkeyPatch,
    known: bool,
) -> None:
    """A reading that cannot become a state is answered 503."""
    if known:
        assert (await get(legacy_url())).status == HTTPStatus.OK
    with monkeypatch.context() as patch:
        patch.setattr(
            "custom_components.esp_weather.sensor.LastReportSensor",
            lambda station: 1 / 0,
        )
        await hass.config_entries.async_reload(entry.entry_id)
        for field in ("1", "2"):
            answer = await get(legacy_url(field=field))
            assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
            assert answer.headers["Retry-After"] == "10"
    await hass.config_entries.async_reload(entry.entry_id)
    assert (await get(legacy_url())).status == HTTPStatus.OK


async def test_device_removed_by_another_integration(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> None:
    """The next report brings back all entities of the station."""
    await declare(hass, station, BME280, BME280_VALUES)
    before = set(hass.states.async_entity_ids())
    registry = dr.async_get(hass)
    (device,) = dr.async_entries_for_config_entry(registry, station.entry_id)
    registry.async_remove_device(device.id)
    await hass.async_block_till_done()

    for field, value in BME280_VALUES.items():
        answer = await get(legacy_url(str(value), field=str(field)))
        assert answer.status == HTTPStatus.OK
    assert set(hass.states.async_entity_ids()) == before
    assert connectivity(hass) == "on"
    assert _fields(hass)["sensor.outdoor_humidity"] == ("48.2", "%")
    (device,) = dr.async_entries_for_config_entry(registry, station.entry_id)
    # And it can happen again.
    registry.async_remove_device(device.id)
    await hass.async_block_till_done()
    await get(legacy_url())
    assert connectivity(hass) == "on"
