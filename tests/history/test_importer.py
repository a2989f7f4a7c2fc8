"""Importing the history of an old server, through to the recorder's database."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
import gc
from math import sin
from pathlib import Path
import sqlite3
from statistics import fmean
import tempfile
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    do_adhoc_statistics,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.esp_weather.const import DOMAIN
from homeassistant.components.persistent_notification import (
    Notification,
    UpdateType,
    async_register_callback,
)
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.db_schema import Statistics, StatisticsMeta
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import session_scope
from tests.helpers import (
    INDOOR,
    KEY,
    OUTDOOR,
    Get,
    entity_id,
    legacy_url,
    station_entry,
    upload,
)
from tests.old_server import OldServer, Report

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("recorder_mock")


@pytest.fixture
def persistent_database() -> bool:
    """Let the recorder write to a file, as it does at home."""
    return True


@pytest.fixture(autouse=True)
def _folder_of_uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep uploads from those of other Home Assistants on this computer."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


@pytest.fixture
async def indoor(
    hass: HomeAssistant, station: MockConfigEntry, get: Get
) -> MockConfigEntry:
    """Return the second station; both have reported their first field."""
    entry = station_entry(INDOOR, "Indoor")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    for mac in (OUTDOOR, INDOOR):
        assert (await get(legacy_url("20", mac=mac))).status == 200
    return entry


@pytest.fixture
def old_server(hass: HomeAssistant, tmp_path: Path) -> OldServer:
    """Return an old server of both stations, whose folder may be read."""
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    return OldServer(tmp_path / "data.db", KEY, (OUTDOOR, INDOOR))


async def _import(
    hass: HomeAssistant, path: Path | None = None, **data: Any
) -> dict[str, Any]:
    """Run the action and return its report."""
    if path is not None:
        data["path"] = str(path)
    report = await hass.services.async_call(
        DOMAIN, "import_history", data, blocking=True, return_response=True
    )
    assert report is not None
    return report


async def _hours(
    hass: HomeAssistant, statistic_id: str | None
) -> dict[datetime, tuple[float | None, ...]]:
    """Return mean, minimum and maximum of each hour, as they are stored."""
    instance = get_instance(hass)
    await instance.async_block_till_done()

    def read() -> dict[datetime, tuple[float | None, ...]]:
        with session_scope(hass=hass, read_only=True) as session:
            return {
                datetime.fromtimestamp(start, UTC): tuple(values)
                for start, *values in session.query(
                    Statistics.start_ts, Statistics.mean, Statistics.min, Statistics.max
                )
                .join(StatisticsMeta, StatisticsMeta.id == Statistics.metadata_id)
                .where(StatisticsMeta.statistic_id == statistic_id)
                .order_by(Statistics.start_ts)
            }

    return await instance.async_add_executor_job(read)


def _counts(report: dict[str, Any]) -> list[tuple[int, int]]:
    """Return how many hours of each entity were imported and kept."""
    return [
        (entity["hours_imported"], entity["hours_kept"])
        for entity in report["entities"]
    ]


def _year(minutes: int = 525_600) -> Iterator[Report]:
    """Return a year of minutes of both stations, up to two days ago."""
    start = NOW.replace(minute=0) - timedelta(days=2) - minutes * MINUTE
    for minute in range(minutes):
        time = start + minute * MINUTE + timedelta(microseconds=minute)
        yield time, OUTDOOR, 1, 10 + 20 * sin(minute / 700) + sin(minute * 7.3)
        yield time + timedelta(seconds=20), INDOOR, 1, 20 + 3 * sin(minute / 1200)


def _hour_by_hour(database: Path, mac: str) -> list[tuple[float, float, float, float]]:
    """Return start, mean, minimum and maximum of each hour, as SQL finds them."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(
            "SELECT unixepoch(substr(date_time, 1, 13) || ':00'),"
            " avg(data), min(data), max(data)"
            " FROM data WHERE mac = ? GROUP BY 1 ORDER BY 1",
            (mac,),
        ).fetchall()


def _failure(error: pytest.ExceptionInfo[ServiceValidationError]) -> str | None:
    """Return which of the translated errors it was, after checking its text."""
    assert error.value.translation_domain == DOMAIN
    assert "{" not in str(error.value)
    return error.value.translation_key


async def test_year(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """A year of minutes of two stations gives the statistics of each hour."""
    old_server.fill(_year())

    report = await _import(hass, old_server.database)

    assert report["lines"] == 1_051_200
    assert report["faults"] == 0
    for mac, entity in zip((OUTDOOR, INDOOR), report["entities"], strict=True):
        assert entity["entity_id"] == entity_id(hass, "1", mac=mac)
        assert entity["readings"] == 525_600
        assert (entity["hours_imported"], entity["hours_kept"]) == (8760, 0)
        expected = _hour_by_hour(old_server.database, mac)
        found = await _hours(hass, entity["entity_id"])
        assert [time.timestamp() for time in found] == [row[0] for row in expected]
        assert [row[1:] for row in found.values()] == [row[2:] for row in expected]
        assert [row[0] for row in found.values()] == pytest.approx(
            [row[1] for row in expected], rel=1e-12
        )


async def test_requests(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """What the old server stored request by request is there; what it refused is not."""
    hour = NOW.replace(minute=0) - 3 * HOUR
    for minute, (mac, data) in enumerate(
        [(OUTDOOR, "72.30"), (INDOOR, "-1.23456"), (OUTDOOR, "1e1"), (INDOOR, "0")]
    ):
        assert old_server.update(KEY, mac, "1", data, hour + 19 * minute * MINUTE)
    assert not old_server.update("WRONG", OUTDOOR, "1", "99", hour)

    report = await _import(hass, old_server.database)

    outdoor, inside = (entity_id(hass, "1", mac=mac) for mac in (OUTDOOR, INDOOR))
    assert report == {
        "lines": 4,
        "entities": [
            {
                "entity_id": outdoor,
                "field": 1,
                "first_hour": "2026-11-24T09:00:00+00:00",
                "last_hour": "2026-11-24T09:00:00+00:00",
                "readings": 2,
                "hours_imported": 1,
                "hours_kept": 0,
            },
            {
                "entity_id": inside,
                "field": 1,
                "first_hour": "2026-11-24T09:00:00+00:00",
                "last_hour": "2026-11-24T10:00:00+00:00",
                "readings": 2,
                "hours_imported": 2,
                "hours_kept": 0,
            },
        ],
        "faults": 0,
        "first_faults": [],
        "readings_too_new": 0,
        "readings_without_entity": 0,
        "sources_without_entity": [],
        "times_without_zone": 0,
        "times_skipped": 0,
        "times_doubled": 0,
        "warnings": [],
    }
    # 72.3 from 9:00 to 9:15, 10.0 from 9:38 to 9:53 and on to the end of the period
    periods = [72.3, 72.3, 72.3, 10.0, 10.0, 10.0, 10.0]
    assert await _hours(hass, outdoor) == {
        hour: (pytest.approx(fmean(periods)), 10.0, 72.3)
    }
    # -1.2346 from 9:19 to 9:34, 0.0 from 9:57 to 10:12
    assert await _hours(hass, inside) == {
        hour: (pytest.approx(fmean([*4 * [-1.2346], 0.0])), -1.2346, 0.0),
        hour + HOUR: (0.0, 0.0, 0.0),
    }


async def test_again(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """A second import changes nothing, unless it is told to overwrite."""
    outdoor = entity_id(hass, "1")
    first, second, third = (NOW.replace(minute=0) - hours * HOUR for hours in (9, 7, 4))
    old_server.fill([(first, OUTDOOR, 1, 1.0), (third, OUTDOOR, 1, 3.0)])
    assert _counts(await _import(hass, old_server.database)) == [(2, 0)]
    assert _counts(await _import(hass, old_server.database)) == [(0, 2)]

    old_server.fill([(first, OUTDOOR, 1, 5.0), (second, OUTDOOR, 1, 2.0)])
    dry_run = await _import(hass, old_server.database, dry_run=True)
    assert await _hours(hass, outdoor) == {
        first: (1.0, 1.0, 1.0),
        third: (3.0, 3.0, 3.0),
    }
    assert await _import(hass, old_server.database) == dry_run
    assert _counts(dry_run) == [(1, 2)]
    assert await _hours(hass, outdoor) == {
        first: (1.0, 1.0, 1.0),
        second: (2.0, 2.0, 2.0),
        third: (3.0, 3.0, 3.0),
    }

    report = await _import(hass, old_server.database, overwrite=True)
    assert _counts(report) == [(3, 0)]
    assert await _hours(hass, outdoor) == {
        # Of two readings at the same time, the first one has no weight.
        first: (5.0, 1.0, 5.0),
        second: (2.0, 2.0, 2.0),
        third: (3.0, 3.0, 3.0),
    }


async def test_hour_under_way(
    hass: HomeAssistant,
    indoor: MockConfigEntry,
    old_server: OldServer,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The hour under way stays with Home Assistant, until it has compiled it."""
    this_hour = NOW.replace(minute=0)
    old_server.fill(
        [
            (this_hour - MINUTE, OUTDOOR, 1, 1.0),
            (this_hour, OUTDOOR, 1, 2.0),
            (this_hour + 60 * MINUTE, OUTDOOR, 1, 3.0),
        ]
    )
    report = await _import(hass, old_server.database)
    assert (_counts(report), report["readings_too_new"]) == ([(1, 0)], 2)

    freezer.move_to(this_hour + timedelta(hours=1, seconds=30))
    report = await _import(hass, old_server.database)
    assert (_counts(report), report["readings_too_new"]) == ([(0, 1)], 2)

    # What Home Assistant does at 13:00:10, and what else happens in its queue
    do_adhoc_statistics(hass, start=this_hour + timedelta(minutes=55))
    freezer.move_to(this_hour + timedelta(hours=1, seconds=60))
    report = await _import(hass, old_server.database)
    assert (_counts(report), report["readings_too_new"]) == ([(0, 2)], 1)
    assert (await _hours(hass, entity_id(hass, "1")))[this_hour] == (20.0, 20.0, 20.0)


async def test_faults(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """Each sort of fault in a data.db is reported with its Id; the rest is imported."""
    hour = "2019-05-01T12:00:00"
    no_zone = "The time has no time zone, such as +00:00."
    no_time = "The time is not written like 2019-05-01T12:00:00+00:00."
    no_field = "field is not a number from 1 to 9."
    no_number = "data is not a decimal number, such as 21.5."
    rows = [
        (f"{hour}+00:00", OUTDOOR, 1, 10.0),
        (hour, OUTDOOR, 1, 1.0),
        (None, OUTDOOR, 1, 1.0),
        ("1970-01-01T00:00:09+00:00", OUTDOOR, 1, 1.0),
        (f"{hour}+00:00", "6c:rf", 1, 1.0),
        (f"{hour}+00:00", OUTDOOR, 10, 1.0),
        # The old server stored nan like this.
        (f"{hour}+00:00", OUTDOOR, 1, None),
        (f"{hour}+00:00", OUTDOOR, 1, float("inf")),
        (f"{hour}+00:00", OUTDOOR, 1, -300.0),
        (f"{hour}+00:00", OUTDOOR, b"\xff", b"\xff"),
        (b"\xff", OUTDOOR, 1, 1.0),
        (f"{hour}-01:00", OUTDOOR.upper(), 1, 20.0),
        # A spreadsheet makes 1.0 of 1.
        (f"{hour}-01:00", OUTDOOR, "1.0", 30.0),
    ]
    with closing(sqlite3.connect(old_server.database)) as connection, connection:
        connection.executemany("INSERT INTO data VALUES (NULL, '', ?, ?, ?, ?)", rows)

    report = await _import(hass, old_server.database)

    assert (report["lines"], report["faults"]) == (13, 10)
    assert [tuple(fault.values()) for fault in report["first_faults"]] == [
        (2, "date_time", hour, no_zone, 1),
        (3, "date_time", "", no_time, 2),
        (
            *(4, "date_time", "1970-01-01T00:00:09+00:00"),
            *("The time is before the year 2001: the clock had not been set.", 1),
        ),
        (5, "mac", "6c:rf", "mac is not six pairs of letters or digits.", 1),
        (6, "field", "10", no_field, 2),
        (7, "1", "", no_number, 2),
        (
            *(9, "1", "-300"),
            "data is not between -273.15 and 1000 °C, so the sensor cannot have"
            " measured it.",
            1,
        ),
    ]
    # The one at 13:00 that came later counts.
    assert await _hours(hass, entity_id(hass, "1")) == {
        datetime(2019, 5, 1, 12, tzinfo=UTC): (10.0, 10.0, 10.0),
        datetime(2019, 5, 1, 13, tzinfo=UTC): (30.0, 20.0, 30.0),
    }


async def test_without_entity(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """What belongs to no entity is left out and reported; none is created."""
    hour = NOW - 5 * HOUR
    old_server.fill(
        [(hour, OUTDOOR, 1, 1.0)]
        + [(hour, OUTDOOR, 2, -127.0)]
        + 2 * [(hour, OUTDOOR, 2, 1.0)]
        + 2 * [(hour, "aa:bb:cc:dd:ee:ff", 1, 1.0)]
    )

    report = await _import(hass, old_server.database)

    assert _counts(report) == [(1, 0)]
    assert report["readings_without_entity"] == 5
    assert report["sources_without_entity"] == [
        {
            "mac": mac,
            "column": column,
            "readings": readings,
            "lowest": lowest,
            "highest": 1.0,
            "first": hour.isoformat(),
            "last": hour.isoformat(),
        }
        for mac, column, readings, lowest in [
            (OUTDOOR, "2", 3, -127.0),
            ("aa:bb:cc:dd:ee:ff", "1", 2, 1.0),
        ]
    ]
    assert entity_id(hass, "2") is None


async def test_before_the_first_report(
    hass: HomeAssistant, station: MockConfigEntry, old_server: OldServer
) -> None:
    """A station that has not reported has no sensors, unless they are asked for."""
    hour = NOW.replace(minute=0) - 5 * HOUR
    old_server.fill([(hour, OUTDOOR, 1, 1.0), (hour + MINUTE, OUTDOOR, 1, 3.0)])

    with pytest.raises(ServiceValidationError) as error:
        await _import(hass, old_server.database)
    assert _failure(error) == "history_nothing_sources"
    assert f"- {OUTDOOR} 1: 2 (1 … 3)" in str(error.value)

    dry_run = await _import(
        hass, old_server.database, create_entities=True, dry_run=True
    )
    assert [(each["entity_id"], each["hours_imported"]) for each in dry_run["entities"]]
    assert entity_id(hass, "1") is None

    report = await _import(hass, old_server.database, create_entities=True)
    found = entity_id(hass, "1")
    assert found == "sensor.outdoor_temperature"
    assert [each["entity_id"] for each in report["entities"]] == [found]
    state = hass.states.get(found)
    assert state is not None
    assert state.state == "unavailable"
    assert await _hours(hass, found) == {
        hour: (pytest.approx((1 * 60 + 3 * 240 + 3 * 600) / 900), 1.0, 3.0)
    }


async def test_one_station(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """Only the chosen station's readings are imported, under another MAC if told."""
    hour = NOW.replace(minute=0) - 5 * HOUR
    old_server.fill([(hour, OUTDOOR, 1, 1.0), (hour, INDOOR, 1, 2.0)])

    report = await _import(
        hass, old_server.database, config_entry_id=indoor.entry_id, dry_run=True
    )
    assert [entity["entity_id"] for entity in report["entities"]] == [
        entity_id(hass, "1", mac=INDOOR)
    ]

    await _import(
        hass,
        old_server.database,
        config_entry_id=indoor.entry_id,
        mac=OUTDOOR.upper().replace(":", "-"),
    )
    assert await _hours(hass, entity_id(hass, "1", mac=INDOOR)) == {
        hour: (1.0, 1.0, 1.0)
    }
    assert await _hours(hass, entity_id(hass, "1")) == {}


async def test_csv(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """A CSV file with the table's columns is as good as the table."""
    file = old_server.database.with_suffix(".csv")
    file.write_bytes(
        b"\xef\xbb\xbfmac,Date_Time,data,FIELD\r\n"
        b'"6c:rf:7f:2b:0e:g8","2019-05-01T12:10:00.123456+00:00",72.3,1\r\n'
        b"\r\n"
        b'6c:rf:7f:2b:0e:g8,2019-05-01 14:20:00+02:00,"70.3",1\r\n'
        b'6c:rf:7f:2b:0e:g8,"2019-05-01T12:30:00+00:00,99,1\r\n'
        b"6c:rf:7f:2b:0e:g8,2019-05-01T12:40:00Z\r\n"
        b"\xff\xfe\x00\r\n"
        b"6c:rf:7f:2b:0e:g8,2019-05-01T13:00:00Z,10,1,and more"
    )

    report = await _import(hass, file)

    assert report["lines"] == 6
    assert [line["line"] for line in report["first_faults"]] == [5, 6, 7]
    assert await _hours(hass, entity_id(hass, "1")) == {
        datetime(2019, 5, 1, 12, tzinfo=UTC): (71.3, 70.3, 72.3),
        datetime(2019, 5, 1, 13, tzinfo=UTC): (10.0, 10.0, 10.0),
    }


@pytest.mark.parametrize(
    "options",
    [
        {
            "fields": {
                "1": {"kind": "temperature", "unit_of_measurement": "°F", "offset": -1},
                "2": {"kind": "humidity", "unit_of_measurement": "%"},
                "3": {"kind": "pressure", "unit_of_measurement": "Pa"},
                "4": {"kind": "battery_voltage", "unit_of_measurement": "mV"},
                "5": {"kind": "illuminance", "unit_of_measurement": "lx"},
                "6": {"kind": "number", "offset": 0.5},
            }
        }
    ],
)
async def test_thingspeak(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    get: Get,
    old_server: OldServer,
) -> None:
    """An export of ThingSpeak is calibrated and converted like new reports."""
    for field in "123456":
        assert (await get(legacy_url("40", field=field))).status == 200
    file = old_server.database.with_name("feeds.csv")
    file.write_text(
        "created_at,entry_id,field1,field2,field3,field4,field5,field6,field7,field8"
        ",latitude,longitude,elevation,status\n"
        "2019-05-01 12:00:10 UTC,1,51,40,101325,,,,,,,,,\n"
        "2019-05-01T13:00:20+01:00,2,,60,,3700,250,0,1,,,,,late\n"
        "2019-05-01 12:00:30 UTC,3,nan,nan,,,,,,,,,,\n"
        "2019-05-01 12:00:40 UTC,4,69,nan,,,,,,,,,,\n"
    )
    for data in ({}, {"mac": OUTDOOR}):
        with pytest.raises(ServiceValidationError) as error:
            await _import(hass, file, **data)
        assert _failure(error) == "history_without_station"

    report = await _import(hass, file, config_entry_id=station.entry_id)

    hour = datetime(2019, 5, 1, 12, tzinfo=UTC)
    assert [line["line"] for line in report["first_faults"]] == [4, 5]
    assert (report["lines"], report["faults"]) == (4, 2)
    assert report["sources_without_entity"] == [
        {"mac": OUTDOOR, "field": 7, "readings": 1}
    ]
    assert [
        (await _hours(hass, entity["entity_id"]))[hour] for entity in report["entities"]
    ] == [
        # °C and hPa, since these are the units of the states.
        (pytest.approx(15), pytest.approx(10), pytest.approx(20)),
        (50.0, 40.0, 60.0),
        (1013.25, 1013.25, 1013.25),
        (3700.0, 3700.0, 3700.0),
        (250.0, 250.0, 250.0),
        (0.5, 0.5, 0.5),
    ]


async def test_unit_of_the_statistics(
    hass: HomeAssistant,
    indoor: MockConfigEntry,
    old_server: OldServer,
    entity_registry: er.EntityRegistry,
) -> None:
    """Statistics keep their unit, whatever the entity shows."""
    hour = NOW.replace(minute=0) - 5 * HOUR
    outdoor = entity_id(hass, "1")
    assert outdoor is not None
    old_server.fill([(hour, OUTDOOR, 1, 10.0)])
    await _import(hass, old_server.database)
    entity_registry.async_update_entity_options(
        outdoor, "sensor", {"unit_of_measurement": "K"}
    )
    await hass.async_block_till_done()

    old_server.fill([(hour - HOUR, OUTDOOR, 1, 20.0)])
    await _import(hass, old_server.database)

    assert await _hours(hass, outdoor) == {
        hour - HOUR: (20.0, 20.0, 20.0),
        hour: (10.0, 10.0, 10.0),
    }


async def test_wrong_unit_of_the_statistics(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
) -> None:
    """Humidity is not mixed into the statistics of a temperature."""
    hour = NOW.replace(minute=0) - 5 * HOUR
    old_server.fill([(hour, OUTDOOR, 1, 10.0)])
    await _import(hass, old_server.database)
    hass.config_entries.async_update_entry(
        station, options={"fields": {"1": {"kind": "humidity"}}}
    )
    old_server.fill([(hour - HOUR, OUTDOOR, 1, 10.0), (hour, INDOOR, 1, 10.0)])

    with pytest.raises(ServiceValidationError) as error:
        await _import(hass, old_server.database)

    assert _failure(error) == "history_unit"
    assert len(await _hours(hass, entity_id(hass, "1"))) == 1
    assert await _hours(hass, entity_id(hass, "1", mac=INDOOR)) == {}


@pytest.mark.parametrize(
    ("name", "content", "failure"),
    [
        ("history.csv", b"", "history_unknown_format"),
        ("history.csv", b"date_time,mac,field\n", "history_unknown_format"),
        ("history.csv", b"\0" * 100_000, "history_unknown_format"),
        ("history.db", b"SQLite format 3\0", "history_unreadable"),
        ("history.db", b"SQLite format 3\0" + b"\xff" * 4096, "history_unreadable"),
        ("missing.db", None, "file_not_found"),
        (".", None, "file_not_found"),
        ("../elsewhere.csv", None, "path_not_allowed"),
        ("link.csv", None, "path_not_allowed"),
        ("/etc/passwd", None, "path_not_allowed"),
        ("secrets.yaml", None, "path_not_allowed"),
    ],
)
async def test_other_files(
    hass: HomeAssistant,
    indoor: MockConfigEntry,
    tmp_path: Path,
    name: str,
    content: bytes | None,
    failure: str,
) -> None:
    """A file that is none of ours, or nobody's business, is refused."""
    folder = tmp_path / "allowed"
    folder.mkdir()
    (tmp_path / "elsewhere.csv").write_text("date_time,mac,field,data\n")
    (folder / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    hass.config.allowlist_external_dirs = {str(folder)}
    if content is not None:
        (folder / name).write_bytes(content)
    # Home Assistant takes a relative path from its own folder.
    path = Path(name) if name == "secrets.yaml" else folder / name

    with pytest.raises(ServiceValidationError) as error:
        await _import(hass, path)

    assert _failure(error) == failure
    assert await _hours(hass, entity_id(hass, "1")) == {}


async def test_file_that_may_not_be_read(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """A database without the table is told from one that is fine."""
    with closing(sqlite3.connect(old_server.database)) as connection:
        connection.execute("ALTER TABLE data RENAME TO other")

    with pytest.raises(ServiceValidationError) as error:
        await _import(hass, old_server.database)

    assert _failure(error) == "history_unreadable"
    assert "no such table: data" in str(error.value)


async def test_progress(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """A notification tells how a long import goes on, and goes at its end."""
    old_server.fill(_year(25_000))
    shown: list[tuple[UpdateType, list[str]]] = []

    @callback
    def note(update: UpdateType, notifications: dict[str, Notification]) -> None:
        shown.append((update, [text["message"] for text in notifications.values()]))

    async_register_callback(hass, note)

    await _import(hass, old_server.database)

    updates = [update for update, _ in shown]
    assert updates[-1] is UpdateType.REMOVED
    assert UpdateType.REMOVED not in updates[:-1]
    messages = [message for _, (message,) in shown]
    assert messages[:5] == [
        f"Reading the old history: {percentage} %" for percentage in range(20, 101, 20)
    ]
    assert messages[5].startswith("Importing the old history: ")
    assert messages[-1] == "Importing the old history: 100 %"


async def test_upload(
    hass: HomeAssistant,
    indoor: MockConfigEntry,
    old_server: OldServer,
    hass_client: ClientSessionGenerator,
) -> None:
    """A file can be uploaded with Home Assistant's own selector."""
    hour = NOW.replace(minute=0) - 5 * HOUR
    old_server.fill([(hour, OUTDOOR, 1, 10.0)])
    file_id = await upload(await hass_client(), old_server.database)

    assert _counts(await _import(hass, file=file_id)) == [(1, 0)]

    assert await _hours(hass, entity_id(hass, "1")) == {hour: (10.0, 10.0, 10.0)}
    with pytest.raises(ServiceValidationError) as error:
        await _import(hass, file=file_id)
    assert _failure(error) == "upload_not_found"


async def _dialog(hass: HomeAssistant, station: MockConfigEntry) -> ConfigFlowResult:
    """Choose the import in the options of a station."""
    menu = await hass.config_entries.options.async_init(station.entry_id)
    assert "history" in menu["menu_options"]
    return await hass.config_entries.options.async_configure(
        menu["flow_id"], {"next_step_id": "history"}
    )


async def _submit(
    hass: HomeAssistant,
    form: ConfigFlowResult,
    user_input: dict[str, Any],
    asking_again: str | None = None,
) -> ConfigFlowResult:
    """Submit a form, and wait for what comes after the progress that it starts.

    `asking_again` is the step that a browser then gets which asks meanwhile.
    """
    options = hass.config_entries.options
    progress = await options.async_configure(form["flow_id"], user_input)
    assert progress["type"] is FlowResultType.SHOW_PROGRESS
    if asking_again is not None:
        progress = await options.async_configure(form["flow_id"])
        assert progress["type"] is FlowResultType.SHOW_PROGRESS
        assert progress["step_id"] == asking_again
    await hass.async_block_till_done()
    return await options.async_configure(form["flow_id"])


def _uploads() -> list[Path]:
    """Return what Home Assistant keeps of uploads."""
    return list(Path(tempfile.gettempdir(), "home-assistant-file_upload").iterdir())


def _texts(result: ConfigFlowResult) -> Mapping[str, str]:
    """Return what is filled into the texts of a page."""
    assert result["description_placeholders"] is not None
    return result["description_placeholders"]


async def test_dialog(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
    hass_client: ClientSessionGenerator,
) -> None:
    """The options of a station show what a file holds, then import it."""
    hour = NOW.replace(minute=0) - 5 * HOUR
    old_server.fill(
        [
            (hour, OUTDOOR, 1, 10.0),
            (hour, OUTDOOR, 12, 10.0),
            (hour, INDOOR, 1, 10.0),
            (NOW, OUTDOOR, 1, 10.0),
        ]
    )
    form = await _dialog(hass, station)
    assert form["step_id"] == "history"
    assert form["errors"] == {}

    user_input = {
        "file": await upload(await hass_client(), old_server.database),
        "mac": OUTDOOR,
        "overwrite": False,
    }
    confirm = await _submit(hass, form, user_input, asking_again="history_read")
    assert confirm["step_id"] == "history_confirm"
    texts = _texts(confirm)
    assert texts["entities"] == (
        f"| {entity_id(hass, '1')} | 2026-11-23 23:00 | 2026-11-23 23:00 | 1 | 1 | 0 |"
    )
    assert texts["first_faults"] == "- 2: field is not a number from 1 to 9."
    assert (texts["lines"], texts["faults"]) == ("4", "1")
    assert texts["readings_too_new"] == texts["readings_without_entity"] == "1"
    assert await _hours(hass, entity_id(hass, "1")) == {}

    done = await _submit(hass, confirm, {}, asking_again="history_import")
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "history_imported")
    assert _texts(done) == texts
    assert await _hours(hass, entity_id(hass, "1")) == {hour: (10.0, 10.0, 10.0)}
    assert await _hours(hass, entity_id(hass, "1", mac=INDOOR)) == {}


async def test_dialog_overwrites(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
    hass_client: ClientSessionGenerator,
) -> None:
    """Hours are overwritten if that is ticked; the board may have been another."""
    hour = NOW.replace(minute=0) - 5 * HOUR
    old_server.fill([(hour, OUTDOOR, 1, 10.0), (hour, INDOOR, 1, 20.0)])
    await _import(hass, old_server.database)

    user_input = {
        "file": await upload(await hass_client(), old_server.database),
        "mac": INDOOR.upper(),
        "overwrite": True,
    }
    confirm = await _submit(hass, await _dialog(hass, station), user_input)
    assert await _hours(hass, entity_id(hass, "1")) == {hour: (10.0, 10.0, 10.0)}
    await _submit(hass, confirm, {})

    assert await _hours(hass, entity_id(hass, "1")) == {hour: (20.0, 20.0, 20.0)}


async def test_dialog_after_faults(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
    hass_client: ClientSessionGenerator,
) -> None:
    """What is wrong is said, and one can try again."""
    client = await hass_client()
    wrong = old_server.database.with_name("holiday.jpg")
    wrong.write_bytes(b"JFIF")
    form = await _dialog(hass, station)
    user_input = {
        "file": await upload(client, wrong),
        "mac": "outdoor",
        "overwrite": False,
    }
    form = await hass.config_entries.options.async_configure(
        form["flow_id"], user_input
    )
    assert form["errors"] == {"base": "history_failed"}
    assert _texts(form)["error"] == "mac is not six pairs of letters or digits."

    form = await _submit(hass, form, {**user_input, "mac": OUTDOOR})
    assert form["errors"] == {"base": "history_failed"}
    assert _texts(form)["error"].startswith("The file is neither a data.db nor a CSV")

    user_input = {
        "file": await upload(client, old_server.database),
        "mac": OUTDOOR,
        "overwrite": False,
    }
    confirm = await _submit(hass, form, user_input)
    assert confirm["step_id"] == "history_confirm"
    assert _texts(confirm)["lines"] == "0"


async def test_dialog_closed(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
    hass_client: ClientSessionGenerator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A dialog that is closed while it reads leaves nothing behind."""
    old_server.fill(_year(50_000))
    form = await _dialog(hass, station)
    await hass.config_entries.options.async_configure(
        form["flow_id"],
        {
            "file": await upload(await hass_client(), old_server.database),
            "mac": OUTDOOR,
            "overwrite": False,
        },
    )
    assert len(_uploads()) == 1

    hass.config_entries.options.async_abort(form["flow_id"])
    await hass.async_block_till_done()

    assert _uploads() == []
    gc.collect()
    assert "never retrieved" not in caplog.text
    assert await _hours(hass, entity_id(hass, "1")) == {}
