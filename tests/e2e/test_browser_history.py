"""Import and export of readings in a real browser."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
import re

import aiohttp
from playwright.async_api import Page, expect
import pytest
from yarl import URL

from tools.home_assistant import HomeAssistant
from tools.station import OUTDOOR, add_station

from .browsing import TIME_LIMIT, browse, look, open_options

expect.set_options(timeout=TIME_LIMIT)

EXCEL = (
    "created_at,entry_id,field1,field2,status;;;\n"
    + "".join(
        f"2019-05-01 {10 + minute // 60}:{minute % 60:02}:10;{minute};"
        f"{20 + minute % 7},5;{50 + minute % 9};\n"
        for minute in range(120)
    )
    + "2019-05-01 12:30:10;121;-127;off;\n"
)


async def _upload(page: Page, file: Path) -> None:
    """Choose a file, and wait until Home Assistant has it."""
    await page.locator("input[type=file]").set_input_files(file)
    await expect(page.get_by_text(file.name, exact=True)).to_be_visible()


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("socket_enabled")
async def test_import_and_export(home_assistant: HomeAssistant, tmp_path: Path) -> None:
    """A file is imported into the statistics, and readings are exported."""
    await add_station(home_assistant, OUTDOOR)
    wrong = tmp_path / "empty.csv"
    wrong.write_text("created_at,entry_id,field1\n")
    file = tmp_path / "feeds.csv"
    file.write_text(EXCEL)

    async with browse(tmp_path) as open_page:
        page = await open_page(home_assistant.url)

        # Every reading is to be kept.
        await open_options(
            page,
            home_assistant.url,
            OUTDOOR.name,
            "Station",
        )
        # The switch lies over its text.
        await page.get_by_text("Keep every reading in a file").click(force=True)
        await look(page, tmp_path / "0-archive")
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("button", name=re.compile("Close|Finish")).last.click()
        for value in ("21.5", "21.5", "22"):
            url = URL(home_assistant.url + OUTDOOR.report_path(1, value), encoded=True)
            async with aiohttp.request("GET", url) as response:
                assert response.status == 200
        await open_options(
            page, home_assistant.url, OUTDOOR.name, "Import old readings"
        )

        # A file without readings is refused, without an Import button.
        await _upload(page, wrong)
        await page.get_by_role("button", name="Next").click()
        await expect(page.get_by_text("The file contains no readings")).to_be_visible()
        await look(page, tmp_path / "1-empty")
        await _upload(page, file)
        await page.get_by_role("button", name="Next").click()

        # The content of the file, and the choice of fields
        await expect(page.get_by_text("What the file contains")).to_be_visible()
        await expect(page.get_by_role("cell", name="-127")).to_be_visible()
        await expect(page.get_by_text("Also keep every reading")).to_be_visible()
        await look(page, tmp_path / "2-fields")
        await page.get_by_role("button", name="Next").click()

        # The preview of the import
        await expect(page.get_by_text("What would be imported")).to_be_visible()
        await expect(page.get_by_text("Field 2 (new)")).to_be_visible()
        await look(page, tmp_path / "3-confirm")
        await page.get_by_role("button", name="Import").click()
        await expect(page.get_by_text("The old readings are imported")).to_be_visible()
        await expect(
            page.get_by_text("added to the file that keeps every reading: 240.")
        ).to_be_visible()
        await look(page, tmp_path / "4-imported")

        # The readings of today, as a file
        await open_options(page, home_assistant.url, OUTDOOR.name, "Export readings")
        await look(page, tmp_path / "5-export")
        await page.get_by_role("button", name="Submit").click()
        await expect(page.get_by_text("3 readings are in the file")).to_be_visible()
        await look(page, tmp_path / "6-exported")
        # The link opens a new tab, whose download may start before Playwright reports
        # the tab.
        link = page.get_by_role("link", name="esp_weather-outdoor")
        await link.evaluate("link => { link.target = '_self' }")
        async with page.expect_download() as downloading:
            await link.click()
        download = await downloading.value
        path = Path(await download.path())
        lines = (await asyncio.to_thread(path.read_text)).splitlines()
        assert [line.rpartition(",")[2] for line in lines] == [
            *("data", "21.5", "21.5", "22.0")
        ]

    states = await home_assistant.rest("GET", "/api/states")
    assert "sensor.outdoor_temperature_2" in {state["entity_id"] for state in states}
    statistics = await home_assistant.websocket(
        "recorder/statistics_during_period",
        start_time=datetime(2019, 5, 1, tzinfo=UTC).isoformat(),
        end_time=(datetime(2019, 5, 1, tzinfo=UTC) + timedelta(days=2)).isoformat(),
        statistic_ids=["sensor.outdoor_temperature"],
        period="hour",
    )
    hours = statistics["sensor.outdoor_temperature"]
    assert [(hour["min"], hour["max"]) for hour in hours] == [
        (20.5, 26.5),
        (20.5, 26.5),
        # The last value counts until the sensor would have been unavailable.
        (20.5, 20.5),
    ]
