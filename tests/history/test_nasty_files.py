"""Odd files, uploaded in the dialog: imported, or refused with the reason."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
import gzip
from pathlib import Path
import sqlite3
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.esp_weather.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from tests.helpers import OUTDOOR, Get, entity_id, legacy_url, upload

from .dialog import open_dialog, submit, suggested, texts
from .statistics import stored_hours

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HOUR = datetime(2019, 5, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("recorder_mock", "_folder_of_uploads")


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


async def _upload(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    hass_client: ClientSessionGenerator,
    file: Path,
) -> Any:
    """Choose a file in the dialog; return the next page."""
    assert (await get(legacy_url("20"))).status == 200
    form = await open_dialog(hass, station, "history")
    return await submit(hass, form, {"file": await upload(await hass_client(), file)})


SERVER = "Id,API_key,date_time,mac,field,data\n"
ROW = f"1,,2019-05-01T12:00:00+00:00,{OUTDOOR},1,20.5\n"


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.csv", b"", "neither a data.db nor a table"),
        ("a.csv", b"\n\n\n", "neither a data.db nor a table"),
        ("a.csv", gzip.compress((SERVER + ROW).encode()), "neither a data.db"),
        ("a.csv", b"2019-05-01T12:00:00Z,20.5\n" * 9, "neither a data.db"),
        ("a.csv", b"<html><body>Log in</body></html>\n", "neither a data.db"),
        ("a.csv", b'{"channel":{"id":1},\n"feeds":[]}\n', "neither a data.db"),
        ("a.csv", SERVER.encode(), "contains no readings"),
        ("a.csv", b"date,temp\n5/1/2019 12:00,20\n5/2/2019 12:00,21\n", "neither a"),
        (
            "a.csv",
            b"created_at,field1\n2019-05-01 12:00:00 CEST,20\n",
            "The time is not written like",
        ),
        (
            "a.csv",
            (SERVER + ROW.replace("20.5", "1.234,5")).encode(),
            "more numbers than the first line has columns",
        ),
        (
            "a.csv",
            b"time,Temp,Hum\n2019-05-01T12:00:00Z,20,5,40,5\n",
            "more numbers than the first line has columns",
        ),
        (
            "a.csv",
            (SERVER + ROW.replace("20.5", "1 234.5")).encode(),
            "data is not a decimal number",
        ),
        (
            "a.csv",
            (SERVER + ROW.replace(OUTDOOR, "not a mac")).encode(),
            "mac is not six pairs",
        ),
        ("a.csv", (SERVER + ROW.replace(",1,20", ",x,20")).encode(), "field is not a"),
        (
            "a.csv",
            (SERVER + ROW.replace("2019", "1970")).encode(),
            "before the year 2001",
        ),
        ("a.db", b"SQLite format 3\0" + b"\0" * 84, "cannot be read"),
        ("a.db", (SERVER + ROW).encode("utf-32"), "neither a data.db"),
        ("a.csv", b"time,,,\n2019-05-01T12:00:00Z,1,2,3\n", "contains no readings"),
        ("тест '\"<>.csv", b"\xff" * 5000, "neither a data.db"),
    ],
)
async def test_error_says_why(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    hass_client: ClientSessionGenerator,
    tmp_path: Path,
    name: str,
    content: bytes,
    error: str,
) -> None:
    """A file without usable readings is refused, without an Import button."""
    file = tmp_path / name
    file.write_bytes(content)
    form = await _upload(hass, station, get, hass_client, file)
    assert (form["step_id"], form["errors"]) == ("history", {"base": "history_failed"})
    assert error in texts(form)["error"]
    assert "{" not in texts(form)["error"]


@pytest.mark.parametrize(
    ("content", "sources"),
    [
        # Line ends of old Macs
        ((SERVER + ROW).replace("\n", "\r").encode(), {f"{OUTDOOR} 1"}),
        # Columns of the same name, and text that Markdown would format
        (
            b"time,Temp,temp,<img src=x>,*a*,b`c\n2019-05-01T12:00:00Z,20,30,40,50,60\n",
            {"Temp", "temp (2)", r"\<img src=x\>", r"\*a\*", r"b\`c"},
        ),
        # A line with a NUL and one that ends in the middle of a character
        (
            (SERVER + ROW + "2,,2019-05-01T12:01:00Z,\0,1,1\n").encode() + b"3,,\xc3",
            {f"{OUTDOOR} 1"},
        ),
        # Lines with more and fewer cells, whose total is right
        (
            (SERVER + ROW + ROW.replace("\n", ",x\n") + "2,,2019\n" + ROW).encode(),
            {f"{OUTDOOR} 1"},
        ),
        # A cell with a line break
        (
            (
                b"created_at,entry_id,field1,status\n"
                b'2019-05-01 12:00:00 UTC,1,20,"two\nlines"\n'
            ),
            {"field1"},
        ),
        (b"time;T\n2019-05-01T12:00:00Z;1e308\n2019-05-01T12:01:00Z;1e308\n", {"T"}),
        # Seconds since 1970
        (b"timestamp,T\n1556712000,20\n1556712060000,21\n", {"T"}),
        # Very many columns
        (
            b"time,"
            + b"a," * 1500
            + b"b\n2019-05-01T12:00:00Z,"
            + b"1," * 1500
            + b"2\n",
            None,
        ),
    ],
)
async def test_readings_are_found(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    hass_client: ClientSessionGenerator,
    tmp_path: Path,
    content: bytes,
    sources: set[str] | None,
) -> None:
    """The content of a file is shown unchanged, each column on its own."""
    file = tmp_path / "file.csv"
    file.write_bytes(content)
    form = await _upload(hass, station, get, hass_client, file)
    assert (form["step_id"], form["errors"]) == ("history_fields", {})
    shown = texts(form)["sources"].splitlines()
    if sources is None:
        assert len(shown) == 100
    else:
        assert {line.split(" | ")[0].removeprefix("| ") for line in shown} == sources


def _numbers(database: sqlite3.Connection) -> None:
    """Write times, fields and values in other types than the server did."""
    database.execute("CREATE TABLE DATA (Date_Time, MAC, Field, Data)")
    database.execute(
        "INSERT INTO data VALUES (1556712000, ?, '1.0', '20,5')", [OUTDOOR]
    )
    database.execute("INSERT INTO data VALUES (1556712000.5, ?, 1.0, 21)", [OUTDOOR])
    database.execute("INSERT INTO data VALUES (?, x'00', 9e99, 1e999)", [2**63 - 1])


def _many_stations(database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE data (date_time, mac, field, data)")
    database.execute(
        "INSERT INTO data VALUES ('2019-05-01T12:00:00Z', ?, 1, 20.5)", [OUTDOOR]
    )
    database.executemany(
        "INSERT INTO data VALUES ('2019-05-01T12:00:00Z', ?, 1, 0)",
        ([f"02{number:010}"] for number in range(5_000)),
    )


@pytest.mark.parametrize("fill", [_numbers, _many_stations])
async def test_databases(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    hass_client: ClientSessionGenerator,
    tmp_path: Path,
    fill: Callable[[sqlite3.Connection], None],
) -> None:
    """A table that another program has written is imported, too."""
    file = tmp_path / "data.db"
    with closing(sqlite3.connect(file)) as database, database:
        fill(database)
    fields = await _upload(hass, station, get, hass_client, file)
    confirm = await submit(hass, fields, suggested(fields))
    await submit(hass, confirm, {})
    assert (await stored_hours(hass, entity_id(hass, "1")))[HOUR][1] == 20.5


@pytest.mark.parametrize(
    "path", ["\0", "data\0.db", "", "~", "/dev/zero", "/proc/self/mem"]
)
async def test_paths(hass: HomeAssistant, station: MockConfigEntry, path: str) -> None:
    """Only files in allowed folders are opened."""
    with pytest.raises(ServiceValidationError) as error:
        await hass.services.async_call(
            DOMAIN, "import_history", {"path": path}, blocking=True
        )
    assert error.value.translation_key in {"path_not_allowed", "file_not_found"}
