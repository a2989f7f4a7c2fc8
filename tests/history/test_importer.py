"""Importing the history of an old server, through to the recorder's database."""

import asyncio
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from math import sin
from pathlib import Path
import sqlite3
from statistics import fmean
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    do_adhoc_statistics,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.esp_weather.const import DOMAIN
from custom_components.esp_weather.history.importer import HistoryImport
from custom_components.esp_weather.protocol.readings import Reading
from homeassistant.components.persistent_notification import (
    Notification,
    UpdateType,
    async_register_callback,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.util.async_ import run_callback_threadsafe
from tests.helpers import INDOOR, KEY, OUTDOOR, Get, entity_id, legacy_url, upload
from tests.old_server import OldServer, Report

from .statistics import stored_hours

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("recorder_mock", "_folder_of_uploads")


@pytest.fixture
def persistent_database() -> bool:
    """Have the recorder write to a file, as in an installation."""
    return True


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


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


def _counts(report: dict[str, Any]) -> list[tuple[int, int]]:
    """Return how many hours of each entity were imported and kept."""
    return [
        (entity["hours_imported"], entity["hours_kept"])
        for entity in report["entities"]
    ]


def _minutes(minutes: int) -> Iterator[Report]:
    """Return one reading a minute of both stations, up to two days ago."""
    start = NOW.replace(minute=0) - timedelta(days=2) - minutes * MINUTE
    for minute in range(minutes):
        time = start + minute * MINUTE + timedelta(microseconds=minute)
        yield time, OUTDOOR, 1, 10 + 20 * sin(minute / 700) + sin(minute * 7.3)
        yield time + timedelta(seconds=20), INDOOR, 1, 20 + 3 * sin(minute / 1200)


def _failure(error: pytest.ExceptionInfo[ServiceValidationError]) -> str | None:
    """Return the key of a translated error, after checking its text."""
    assert error.value.translation_domain == DOMAIN
    assert "{" not in str(error.value)
    return error.value.translation_key


async def test_all_hours(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """Months of two stations give the statistics of each hour, in many batches too."""
    start = NOW.replace(minute=0) - timedelta(days=102)
    reports = [
        (
            start + number * timedelta(minutes=20),
            mac,
            1,
            sin(number / 9),
        )
        for number in range(7200)
        for mac in (OUTDOOR, INDOOR)
    ]
    old_server.fill(reports)

    report = await _import(hass, old_server.database)

    assert (report["lines"], report["faults"]) == (14_400, 0)
    for mac, entity in zip((OUTDOOR, INDOOR), report["entities"], strict=True):
        assert entity["entity_id"] == entity_id(hass, "1", mac=mac)
        assert entity["readings"] == 7200
        assert (entity["hours_imported"], entity["hours_kept"]) == (2400, 0)
        found = await stored_hours(hass, entity["entity_id"])
        assert list(found) == [start + number * HOUR for number in range(2400)]
        # Three values an hour, each for 15 minutes and so of the same weight
        for number, (mean, minimum, maximum) in enumerate(found.values()):
            values = [
                round(sin(each / 9), 4) for each in range(3 * number, 3 * number + 3)
            ]
            assert mean == pytest.approx(fmean(values))
            assert (minimum, maximum) == (min(values), max(values))


async def test_requests(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """All requests that the old server stored are imported, none that it refused."""
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
        "readings_archived": 0,
        "readings_too_new": 0,
        "readings_without_entity": 0,
        "sources_without_entity": [],
        "times_without_zone": 0,
        "times_skipped": 0,
        "times_doubled": 0,
        "warnings": [],
    }
    # 72.3 in each period that begins from 9:00 to 9:15, 10.0 from 9:38 to 9:53
    periods = 4 * [72.3] + 4 * [10.0]
    assert await stored_hours(hass, outdoor) == {
        hour: (pytest.approx(fmean(periods)), 10.0, 72.3)
    }
    # -1.2346 from 9:19 to 9:34, 0.0 from 9:57 to 10:12
    assert await stored_hours(hass, inside) == {
        hour: (pytest.approx(fmean([*4 * [-1.2346], 0.0])), -1.2346, 0.0),
        hour + HOUR: (0.0, 0.0, 0.0),
    }


async def test_again(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """A second import changes nothing unless it overwrites."""
    outdoor = entity_id(hass, "1")
    first, second, third = (NOW.replace(minute=0) - hours * HOUR for hours in (9, 7, 4))
    old_server.fill([(first, OUTDOOR, 1, 1.0), (third, OUTDOOR, 1, 3.0)])
    assert _counts(await _import(hass, old_server.database)) == [(2, 0)]
    assert _counts(await _import(hass, old_server.database)) == [(0, 2)]

    old_server.fill([(first, OUTDOOR, 1, 5.0), (second, OUTDOOR, 1, 2.0)])
    dry_run = await _import(hass, old_server.database, dry_run=True)
    assert await stored_hours(hass, outdoor) == {
        first: (1.0, 1.0, 1.0),
        third: (3.0, 3.0, 3.0),
    }
    assert await _import(hass, old_server.database) == dry_run
    assert _counts(dry_run) == [(1, 2)]
    assert await stored_hours(hass, outdoor) == {
        first: (1.0, 1.0, 1.0),
        second: (2.0, 2.0, 2.0),
        third: (3.0, 3.0, 3.0),
    }

    report = await _import(hass, old_server.database, overwrite=True)
    assert _counts(report) == [(3, 0)]
    assert await stored_hours(hass, outdoor) == {
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
    """The current hour is left to Home Assistant until it has compiled it."""
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
    assert (await stored_hours(hass, entity_id(hass, "1")))[this_hour] == (
        20.0,
        20.0,
        20.0,
    )


async def test_faults(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """Each kind of fault in a data.db is reported with its Id; the rest is imported."""
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
        # A spreadsheet turns 1 into 1.0.
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
            (
                "data is not between -273.15 and 1000 °C, so the sensor cannot have"
                " measured it."
            ),
            1,
        ),
    ]
    # The one at 13:00 that came later counts.
    assert await stored_hours(hass, entity_id(hass, "1")) == {
        datetime(2019, 5, 1, 12, tzinfo=UTC): (10.0, 10.0, 10.0),
        datetime(2019, 5, 1, 13, tzinfo=UTC): (30.0, 20.0, 30.0),
    }


async def test_without_entity(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """Readings without an entity are left out and reported; none is created."""
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
    """Sensors of a station that has not reported are created on request."""
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
    assert await stored_hours(hass, found) == {
        # 1.0 for one of 5 minutes, then 3.0 until 15 minutes after the last reading
        hour: (pytest.approx(fmean([(1 * 60 + 3 * 240) / 300, 3, 3, 3])), 1.0, 3.0)
    }


async def test_one_station(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """Only the chosen station's readings are imported, also under another MAC."""
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
    assert await stored_hours(hass, entity_id(hass, "1", mac=INDOOR)) == {
        hour: (1.0, 1.0, 1.0)
    }
    assert await stored_hours(hass, entity_id(hass, "1")) == {}


async def test_csv(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """A CSV file with the columns of the table gives the same statistics."""
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
    assert [
        (fault["line"], fault["column"], fault["value"], fault["readings"])
        for fault in report["first_faults"]
    ] == [(5, "field", "", 3)]
    assert await stored_hours(hass, entity_id(hass, "1")) == {
        # 72.3 for two periods of 5 minutes, 70.3 for four
        datetime(2019, 5, 1, 12, tzinfo=UTC): (
            pytest.approx(fmean([*2 * [72.3], *4 * [70.3]])),
            70.3,
            72.3,
        ),
        datetime(2019, 5, 1, 13, tzinfo=UTC): (10.0, 10.0, 10.0),
    }


def _after(first: float, seconds: float, last: float, others: float) -> Any:
    """Return the mean of an hour: two values in one period, then 3 more periods."""
    period = (first * seconds + last * others) / (seconds + others)
    return pytest.approx(fmean([period, last, last, last]))


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
    # A faulty cell does not affect the others in its line.
    assert [
        (fault["line"], fault["column"], fault["value"], fault["readings"])
        for fault in report["first_faults"]
    ] == [(4, "field1", "nan", 1), (4, "field2", "nan", 2)]
    assert (report["lines"], report["faults"]) == (4, 3)
    assert [
        (each["mac"], each["column"], each["readings"])
        for each in report["sources_without_entity"]
    ] == [(None, "field7", 1)]
    assert [
        (await stored_hours(hass, entity["entity_id"]))[hour]
        for entity in report["entities"]
    ] == [
        # °C and hPa, since these are the units of the states.
        (_after(10, 30, 20, 260), pytest.approx(10), pytest.approx(20)),
        (_after(40, 10, 60, 280), 40.0, 60.0),
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

    assert await stored_hours(hass, outdoor) == {
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
    assert len(await stored_hours(hass, entity_id(hass, "1"))) == 1
    assert await stored_hours(hass, entity_id(hass, "1", mac=INDOOR)) == {}


@pytest.mark.parametrize(
    ("name", "content", "failure"),
    [
        ("history.csv", b"", "history_unknown_format"),
        ("history.csv", b"mac,field,data\n", "history_unknown_format"),
        ("history.csv", b"date_time,mac,field,data\n", "history_nothing_empty"),
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
    """A file of another format, or one that may not be read, is refused."""
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
    assert await stored_hours(hass, entity_id(hass, "1")) == {}


async def test_progress(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """A notification shows the progress of a long import, and disappears at its end."""
    old_server.fill(_minutes(25_000))
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
    reading, importing = "Reading the old history", "Importing the old history"
    texts = [message.partition(":")[0] for message in messages]
    assert texts == [
        *texts.count(reading) * [reading],
        *texts.count(importing) * [importing],
    ]
    percentages = [
        int(message.split()[-2]) for message in messages[: texts.count(reading)]
    ]
    assert percentages == sorted({*percentages})
    assert len(percentages) > 5
    assert percentages[-1] == 100
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

    assert await stored_hours(hass, entity_id(hass, "1")) == {hour: (10.0, 10.0, 10.0)}
    with pytest.raises(ServiceValidationError) as error:
        await _import(hass, file=file_id)
    assert _failure(error) == "upload_not_found"


async def test_table_of_others(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """Without columns or time zone in the call, the error asks for them."""
    file = old_server.database.with_name("table.csv")
    file.write_text("Time,Temperature\n2019-05-01 14:00,20\nyesterday,21\n")
    station = {"config_entry_id": indoor.entry_id}
    named = {**station, "columns": {"Temperature": 1, "Wind": 2}}
    for data, key in (
        (station, "history_nothing_zone"),
        ({**named, "time_zone": "Central Europe"}, "invalid_time_zone"),
        ({**station, "time_zone": "Europe/Berlin"}, "history_nothing_sources"),
        ({"columns": {"Temperature": 1}}, "history_without_station"),
        ({**station, "mac": "indoor"}, "invalid_mac"),
    ):
        with pytest.raises(ServiceValidationError) as error:
            await _import(hass, file, **data)
        assert _failure(error) == key

    report = await _import(hass, file, **named, time_zone="Europe/Berlin")

    assert (report["faults"], report["times_without_zone"]) == (1, 1)
    assert await stored_hours(hass, entity_id(hass, "1", mac=INDOOR)) == {
        datetime(2019, 5, 1, 12, tzinfo=UTC): (20.0, 20.0, 20.0)
    }


async def test_nothing_but_faults(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """A file with nothing but faults is refused, with the faults."""
    with closing(sqlite3.connect(old_server.database)) as connection, connection:
        connection.executemany(
            "INSERT INTO data VALUES (NULL, '', ?, ?, 1, 1)",
            3 * [("1970-01-01T00:00:09+00:00", OUTDOOR)],
        )
    with pytest.raises(ServiceValidationError) as error:
        await _import(hass, old_server.database)
    assert _failure(error) == "history_nothing_faults"
    assert (
        "- 1: date_time `1970-01-01T00:00:09+00:00`: The time is before the year 2001:"
        " the clock had not been set. (× 3)"
    ) in str(error.value)


async def test_damaged_database(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """All readable rows are imported, and the report says what is missing."""
    old_server.fill(_minutes(5_000))
    with closing(sqlite3.connect(old_server.database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with old_server.database.open("r+b") as file:
        file.truncate(old_server.database.stat().st_size // 2)

    report = await _import(hass, old_server.database)

    damaged, without_log = report["warnings"]
    assert damaged.startswith(
        "The database is damaged: database disk image is malformed"
    )
    assert "50 % of the file is missing" in damaged
    assert "-wal" in without_log
    assert 1_000 < report["entities"][0]["readings"] < 5_000


def _stop(hass: HomeAssistant) -> None:
    """Stop whatever would delay the stop of Home Assistant."""
    for job in list(hass._shutdown_jobs):
        hass.async_run_hass_job(job.job, *job.args)


async def test_stopped_before_it_reads(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """An import that was requested just before the stop does not start."""
    opened: list[str] = []

    @contextmanager
    def open_file() -> Generator[Path]:
        opened.append("read")
        yield old_server.database

    history = HistoryImport(hass, open_file)
    _stop(hass)
    with pytest.raises(ServiceValidationError) as error:
        await history.async_read(lambda percentage: None)
    assert _failure(error) == "history_stopped"
    assert opened == []
    await history.async_close()


async def test_stopped_while_it_reads(
    hass: HomeAssistant, indoor: MockConfigEntry, old_server: OldServer
) -> None:
    """Home Assistant does not wait for the end of the file."""
    old_server.fill(_minutes(5_000))

    @contextmanager
    def open_file() -> Generator[Path]:
        run_callback_threadsafe(hass.loop, partial(_stop, hass)).result()
        yield old_server.database

    history = HistoryImport(hass, open_file)
    try:
        with pytest.raises(ServiceValidationError) as error:
            await history.async_read(lambda percentage: None)
    finally:
        await history.async_close()
    assert _failure(error) == "history_stopped"


async def test_field_that_two_make(
    hass: HomeAssistant, station: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    """Two simultaneous imports of a field without an entity create one entity."""
    await asyncio.gather(
        *(station.runtime_data.async_add_field(Reading(2, 20.0)) for _ in range(2))
    )
    assert hass.states.async_entity_ids("sensor") == [entity_id(hass, "2")]
    assert "unique" not in caplog.text
