"""The dialogs that import and export the readings of a station."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
import gc
from pathlib import Path
import sqlite3
import tempfile
from typing import Any

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.components.recorder import get_instance
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from tests.helpers import INDOOR, OUTDOOR, Get, entity_id, legacy_url, upload
from tests.old_server import OldServer

from .dialog import open_dialog, submit, suggested, texts
from .statistics import stored_hours

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIVE_HOURS_AGO = NOW.replace(minute=0) - 5 * HOUR

pytestmark = pytest.mark.usefixtures("recorder_mock", "_folder_of_uploads")

OUTDOOR_1 = f"{OUTDOOR} 1"
INDOOR_1 = f"{INDOOR} 1"


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOW)


@pytest.fixture
async def browser(hass_client: ClientSessionGenerator) -> TestClient[Any, Any]:
    """Return a client that uploads and downloads as the user's browser does."""
    return await hass_client()


def _uploads() -> list[Path]:
    """Return the uploads that Home Assistant still has."""
    return list(Path(tempfile.gettempdir(), "home-assistant-file_upload").iterdir())


async def _upload(
    hass: HomeAssistant,
    station: MockConfigEntry,
    browser: TestClient[Any, Any],
    file: Path,
) -> Any:
    """Choose a file in the dialog; return the next page."""
    form = await open_dialog(hass, station, "history")
    assert form["errors"] == {}
    return await submit(hass, form, {"file": await upload(browser, file)})


async def test_import(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
    browser: TestClient[Any, Any],
) -> None:
    """The dialog shows the content of the file, a preview, and the result."""
    old_server.fill(
        [
            (FIVE_HOURS_AGO, OUTDOOR, 1, 10.0),
            (FIVE_HOURS_AGO, OUTDOOR, 12, 10.0),
            (FIVE_HOURS_AGO, INDOOR, 1, -127.0),
            (NOW, OUTDOOR, 1, 11.0),
        ]
    )

    fields = await _upload(hass, station, browser, old_server.database)
    assert fields["step_id"] == "history_fields"
    assert texts(fields)["sources"] == (
        f"| {OUTDOOR_1} | 2 | 10 | 11 |\n| {INDOOR_1} | 1 | -127 | -127 |"
    )
    answers = suggested(fields)
    assert answers == {"field_1": OUTDOOR_1, "overwrite": False}

    confirm = await submit(hass, fields, answers)
    assert confirm["step_id"] == "history_confirm"
    shown = texts(confirm)
    assert shown["entities"] == (
        "- **Temperature**: 2026-11-23 23:00 to 2026-11-23 23:00,"
        " 1 readings, 1 new hours, 0 unchanged"
    )
    assert shown["first_faults"] == (
        "- 2: field `12`: field is not a number from 1 to 9."
    )
    assert (shown["lines"], shown["faults"]) == ("4", "1")
    assert shown["readings_too_new"] == shown["readings_without_entity"] == "1"
    assert await stored_hours(hass, entity_id(hass, "1")) == {}

    done = await submit(hass, confirm, {})
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "history_imported")
    assert texts(done) == shown
    assert await stored_hours(hass, entity_id(hass, "1")) == {
        FIVE_HOURS_AGO: (10.0, 10.0, 10.0)
    }
    assert await stored_hours(hass, entity_id(hass, "1", mac=INDOOR)) == {}
    # Home Assistant ends the flow, and with it the upload, in a task of its own.
    await hass.async_block_till_done()
    assert _uploads() == []


async def test_another_board_and_overwrite(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
    browser: TestClient[Any, Any],
) -> None:
    """A field takes the readings of any source; hours are overwritten on request."""
    old_server.fill(
        [(FIVE_HOURS_AGO, OUTDOOR, 1, 10.0), (FIVE_HOURS_AGO, INDOOR, 1, 20.0)]
    )
    for chosen, overwrite, expected in (
        (OUTDOOR_1, False, 10.0),
        (INDOOR_1, False, 10.0),
        (INDOOR_1, True, 20.0),
    ):
        fields = await _upload(hass, station, browser, old_server.database)
        confirm = await submit(
            hass, fields, {"field_1": chosen, "overwrite": overwrite}
        )
        await submit(hass, confirm, {})
        assert await stored_hours(hass, entity_id(hass, "1")) == {
            FIVE_HOURS_AGO: (expected, expected, expected)
        }


@pytest.mark.parametrize(
    "options", [{"fields": {"2": {"kind": "humidity"}}}], ids=["humidity"]
)
async def test_columns_and_time_zone(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    tmp_path: Path,
    browser: TestClient[Any, Any],
) -> None:
    """Columns are matched by name; a missing zone is asked for; entities are made."""
    assert (await get(legacy_url("20"))).status == 200
    await hass.config.async_set_time_zone("Europe/Berlin")
    file = tmp_path / "table.csv"
    file.write_text(
        "Time;Humidity;Temperature;Note\n"
        "01.05.2019 14:00;40,5;21,5;\n"
        "01.05.2019 14:10;41,5;22,5;window\n"
    )

    fields = await _upload(hass, station, browser, file)
    answers = suggested(fields)
    assert answers == {
        "field_1": "Temperature",
        "field_2": "Humidity",
        "time_zone": "Europe/Berlin",
        "overwrite": False,
    }

    for wrong, error in (
        ({**answers, "field_2": "Temperature"}, "history_field_twice"),
        (
            {key: answers[key] for key in ("time_zone", "overwrite")},
            "history_no_field",
        ),
    ):
        again = await hass.config_entries.options.async_configure(
            fields["flow_id"], wrong
        )
        assert again["errors"] == {"base": error}

    confirm = await submit(hass, fields, {**answers, "time_zone": "Asia/Tokyo"})
    assert "Field 2 (new)" in texts(confirm)["entities"]
    assert texts(confirm)["first_faults"] == (
        "- 3: Note `window`: data is not a decimal number, such as 21.5."
    )
    assert entity_id(hass, "2") is None
    await submit(hass, confirm, {})

    humidity = entity_id(hass, "2")
    assert humidity == "sensor.outdoor_humidity"
    state = hass.states.get(humidity)
    assert state is not None
    assert state.state == "unavailable"
    hour = datetime(2019, 5, 1, 5, tzinfo=UTC)
    assert await stored_hours(hass, humidity) == {
        hour: (pytest.approx((2 * 40.5 + 4 * 41.5) / 6), 40.5, 41.5)
    }
    assert await stored_hours(hass, entity_id(hass, "1")) == {
        hour: (pytest.approx((2 * 21.5 + 4 * 22.5) / 6), 21.5, 22.5)
    }


async def test_faults(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
    browser: TestClient[Any, Any],
) -> None:
    """Faults are shown before the import, and another file can be tried."""
    wrong = old_server.database.with_name("holiday.jpg")
    wrong.write_bytes(b"JFIF")
    form = await _upload(hass, station, browser, wrong)
    assert (form["step_id"], form["errors"]) == ("history", {"base": "history_failed"})
    assert texts(form)["error"].startswith("The file is neither a data.db nor a table")

    form = await submit(
        hass, form, {"file": await upload(browser, old_server.database)}
    )
    assert form["errors"] == {"base": "history_failed"}
    assert texts(form)["error"].startswith("The file contains no readings")

    old_server.fill([(NOW, OUTDOOR, 1, 10.0)])
    fields = await submit(
        hass, form, {"file": await upload(browser, old_server.database)}
    )
    assert fields["errors"] == {}
    fields = await submit(hass, fields, suggested(fields))
    assert fields["step_id"] == "history_fields"
    assert texts(fields)["error"].startswith(
        "All readings in the file are of the current hour"
    )
    assert len(_uploads()) == 1

    hass.config_entries.options.async_abort(fields["flow_id"])
    await hass.async_block_till_done()
    assert _uploads() == []


async def test_entity_that_is_removed_meanwhile(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
    browser: TestClient[Any, Any],
) -> None:
    """An import that fails at its end shows the reason."""
    old_server.fill([(FIVE_HOURS_AGO, OUTDOOR, 1, 10.0)])
    fields = await _upload(hass, station, browser, old_server.database)
    confirm = await submit(hass, fields, suggested(fields))
    hass.config_entries.async_update_entry(
        station, options={"fields": {"1": {"kind": "rain"}}}
    )
    await hass.config_entries.async_reload(station.entry_id)
    await hass.async_block_till_done()

    done = await submit(hass, confirm, {})

    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "history_failed")
    assert "of another kind" in texts(done)["error"]


async def test_closed(
    hass: HomeAssistant,
    station: MockConfigEntry,
    indoor: MockConfigEntry,
    old_server: OldServer,
    browser: TestClient[Any, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Closing the dialog while it reads leaves nothing behind."""
    old_server.fill(
        (FIVE_HOURS_AGO - timedelta(minutes=minute), OUTDOOR, 1, 10.0)
        for minute in range(50_000)
    )
    form = await open_dialog(hass, station, "history")
    await hass.config_entries.options.async_configure(
        form["flow_id"], {"file": await upload(browser, old_server.database)}
    )
    assert len(_uploads()) == 1
    # A browser asks again when it has lost the connection.
    progress = await hass.config_entries.options.async_configure(form["flow_id"])
    assert (progress["type"], progress["step_id"]) == (
        FlowResultType.SHOW_PROGRESS,
        "history_look",
    )

    hass.config_entries.options.async_abort(form["flow_id"])
    await hass.async_block_till_done()

    assert _uploads() == []
    gc.collect()
    assert "never retrieved" not in caplog.text
    assert await stored_hours(hass, entity_id(hass, "1")) == {}


@pytest.mark.parametrize("file_format", ["csv", "db"])
async def test_export(
    hass: HomeAssistant,
    station: MockConfigEntry,
    get: Get,
    tmp_path: Path,
    browser: TestClient[Any, Any],
    freezer: FrozenDateTimeFactory,
    file_format: str,
) -> None:
    """The readings are in a file whose link works in the user's browser."""
    hass.config.media_dirs = {"local": str(tmp_path / "media")}
    form = await open_dialog(hass, station, "export")
    nothing = await submit(hass, form, {"format": file_format})
    assert (nothing["step_id"], nothing["errors"]) == (
        "export",
        {"base": "history_failed"},
    )
    assert texts(nothing)["error"].startswith("The recorder has no readings")
    assert list((tmp_path / "media" / "esp_weather").iterdir()) == []
    for value in ("20.5", "20.5", "21.25"):
        assert (await get(legacy_url(value))).status == 200
        freezer.tick(timedelta(minutes=1, microseconds=7))

    await get_instance(hass).async_block_till_done()
    wrong = await hass.config_entries.options.async_configure(
        form["flow_id"],
        {
            "format": file_format,
            "start": "2026-11-24 12:00:00",
            "end": "2026-11-24 11:00:00",
        },
    )
    assert texts(wrong)["error"] == "The start has to be earlier than the end."
    done = await submit(
        hass, form, {"format": file_format, "start": "2026-11-20 00:00:00"}
    )

    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "history_exported")
    shown = texts(done)
    assert shown["readings"] == "3"
    response = await browser.get(shown["url"])
    assert response.status == 200
    assert shown["name"] in response.headers["Content-Disposition"]
    content = await response.read()
    rows = [
        (1, "", "2026-11-24T12:30:00+00:00", OUTDOOR, 1, 20.5),
        (2, "", "2026-11-24T12:31:00.000007+00:00", OUTDOOR, 1, 20.5),
        (3, "", "2026-11-24T12:32:00.000014+00:00", OUTDOOR, 1, 21.25),
    ]
    if file_format == "csv":
        assert content.decode() == "".join(
            f"{','.join(map(str, row))}\n"
            for row in [("Id", "API_key", "date_time", "mac", "field", "data"), *rows]
        )
    else:
        file = tmp_path / "download.db"
        file.write_bytes(content)
        with closing(sqlite3.connect(file)) as database:
            assert database.execute("SELECT * FROM data").fetchall() == rows
