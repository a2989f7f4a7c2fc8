"""Pairing and changing a station in a real browser."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from http import HTTPStatus
import json
from pathlib import Path
import re

import aiohttp
from playwright.async_api import Locator, Page, expect
import pytest
from yarl import URL

from tools.home_assistant import HomeAssistant
from tools.seed import INTEGRATION
from tools.station import INDOOR, OUTDOOR, Station, add_station, run_station

from .browsing import (
    PHONE,
    TIME_LIMIT,
    WIDE,
    OpenPage,
    add_integration,
    browse,
    look,
    open_options,
)

expect.set_options(timeout=TIME_LIMIT)

BME280 = ("temperature", "humidity", "pressure")
VALUES = {1: 21.5, 2: 48.2, 3: 1013.2}
SENSORS = [{"type": "bme280", "field": 1, "scl": 5, "sda": 4}]
MENU = ("station", "windows", "fields", "history", "export")
# What is wider than its box, in the shadow of an element too
CUT_OFF = """
menu => {
    const found = [];
    const look = root => {
        for (const element of root.querySelectorAll("*")) {
            const width = element.clientWidth;
            if (width && element.scrollWidth > width && element.innerText)
                found.push(element.innerText);
            if (element.shadowRoot) look(element.shadowRoot);
        }
    };
    look(menu.shadowRoot);
    return found;
}
"""
# It does not declare its fields.
SILENT = replace(INDOOR, name="Cellar", mac="5c:cf:7f:3b:0d:b0")
ATTIC = replace(INDOOR, name="Attic", mac="5c:cf:7f:3b:0d:b8")


@pytest.fixture
async def open_page(socket_enabled: None, tmp_path: Path) -> AsyncGenerator[OpenPage]:
    """Return a function that opens a page; the pages must stay free of errors."""
    async with browse(tmp_path) as open_page:
        yield open_page


async def _expect_on_a_phone(page: Page, locator: Locator) -> None:
    """Expect the whole of an element on the first screen of a phone."""
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    await expect(locator).to_be_visible()
    box = await locator.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE[0]
    assert box["y"] + box["height"] <= PHONE[1]
    await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


async def _start_pairing(page: Page, url: str) -> Locator:
    """Open the dialog that pairs a station and return it."""
    await add_integration(page, url)
    await page.get_by_text("Pair a station").click()
    dialog = page.locator("step-flow-progress")
    await expect(dialog.locator("code").first).to_contain_text("/update/API_key=")
    return dialog


@asynccontextmanager
async def _board(folder: Path, config: Mapping[str, object]) -> AsyncGenerator[None]:
    """Run a board with the firmware and with these settings."""
    running = asyncio.create_task(run_station(OUTDOOR, folder, config))
    try:
        yield
        assert not running.done()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _send(url: str, station: Station, field: int, value: float) -> int:
    """Send a legacy report; return the status of the answer."""
    address = URL(url + station.report_path(field, f"{value:g}"), encoded=True)
    async with aiohttp.request("GET", address) as answer:
        return answer.status


async def _expect_kinds(page: Page, *kinds: str, values: bool = True) -> None:
    """Expect the naming step to show these fields, with their values."""
    for (field, value), kind in zip(VALUES.items(), kinds, strict=True):
        label = f"Field {field}: {value if values else ''}"
        selector = page.locator("ha-selector-select").filter(has_text=label)
        await expect(selector).to_have_js_property("value", kind)


async def _choose_kind(page: Page, field: str, kind: str) -> None:
    """Choose what a field measures."""
    selector = page.locator("ha-selector-select").filter(has_text=field)
    await selector.click()
    await selector.get_by_text(kind, exact=True).click()


async def _sensors(home_assistant: HomeAssistant, name: str) -> dict[str, str]:
    """Return the fields of a station with their values and units."""
    states = {
        state["entity_id"]: state
        for state in await home_assistant.rest("GET", "/api/states")
    }
    return {
        kind: " ".join(
            [
                state["state"],
                state["attributes"].get("unit_of_measurement", ""),
            ]
        )
        for kind in BME280
        if (state := states.get(f"sensor.{name}_{kind}"))
    }


@pytest.mark.timeout(240)
async def test_pairing_shows_what_is_measured(
    shared_home_assistant: HomeAssistant, open_page: OpenPage, tmp_path: Path
) -> None:
    """The entities of a station are right, whether it declares its fields or not.

    One that does runs the firmware, with the config.json that the dialog shows.
    """
    url = shared_home_assistant.url
    page = await open_page(url)

    # One that declares its fields only needs a name and a place.
    dialog = await _start_pairing(page, url)
    await look(page, tmp_path / "1-pair")
    config = json.loads(await dialog.locator("pre").text_content() or "")
    config |= {
        "wifi": {"ssid": "Home", "password": "password"},
        "interval": 1,
        "signed": True,
        "sensors": SENSORS,
    }
    async with _board(tmp_path / "board", config):
        await _expect_kinds(page, *BME280, values=False)
        await look(page, tmp_path / "2-declared")
        await page.get_by_role("textbox", name="Name").fill("Garden")
        await page.get_by_text("Outside", exact=True).click()
        await page.get_by_role("button", name="Submit").click()
        await expect(
            page.get_by_text("reload the page in your browser")
        ).to_be_visible()
        await look(page, tmp_path / "3-created")
        await page.get_by_role("button", name="Finish").click()
        async with asyncio.timeout(TIME_LIMIT / 1000):
            while len(sensors := await _sensors(shared_home_assistant, "garden")) < len(
                BME280
            ):
                await asyncio.sleep(0.1)
    # The worked example of the data sheet
    assert sensors["temperature"] == "25.08 °C"
    assert sensors["pressure"].startswith("1006.5") and sensors["pressure"].endswith(
        "hPa"
    )
    assert sensors["humidity"].endswith("%")

    # The kinds of one that sends undeclared fields one by one are asked for.
    dialog = await _start_pairing(page, url)
    shown = await dialog.locator("code").first.inner_text()
    key = shown.partition("API_key=")[2].partition("/")[0]
    silent = replace(SILENT, key=key)
    for field, value in VALUES.items():
        assert await _send(url, silent, field, value) == HTTPStatus.SERVICE_UNAVAILABLE
    await _expect_kinds(page, "temperature", "temperature", "number")
    await page.get_by_role("textbox", name="Name").fill("Cellar")
    await page.get_by_text("Inside", exact=True).click()
    await _choose_kind(page, "Field 2: 48.2", "Humidity")
    await _choose_kind(page, "Field 3: 1013.2", "Air pressure")
    await look(page, tmp_path / "4-asked")
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_role("button", name="Finish").click()
    for field, value in reversed(VALUES.items()):
        assert await _send(url, silent, field, value) == HTTPStatus.OK
    assert await _sensors(shared_home_assistant, "cellar") == {
        "temperature": "21.5 °C",
        "humidity": "48.2 %",
        "pressure": "1013.2 hPa",
    }
    issues = await shared_home_assistant.websocket("repairs/list_issues")
    assert [each for each in issues["issues"] if each["domain"] == "esp_weather"] == []


@pytest.mark.timeout(240)
async def test_dialogs_of_a_station(
    shared_home_assistant: HomeAssistant, open_page: OpenPage, tmp_path: Path
) -> None:
    """The dialogs that change or repair a station work and fit the screen."""
    url = shared_home_assistant.url
    page = await open_page(url)

    # Added manually: the address is at the top.
    await add_integration(page, url)
    await page.get_by_text("Add the station manually").click()
    await page.get_by_role("textbox", name="Name").fill(INDOOR.name)
    await page.get_by_role("textbox", name="MAC address").fill(INDOOR.mac)
    await page.get_by_role("textbox", name="Key").fill(INDOOR.key)
    await page.get_by_text("Inside", exact=True).click()
    await look(page, tmp_path / "01-manual")
    await page.get_by_role("button", name="Submit").click()
    address = page.locator("step-flow-create-entry code").first
    await expect(address).to_contain_text(INDOOR.mac)
    await look(page, tmp_path / "02-created")
    await _expect_on_a_phone(page, address)
    config = page.locator("step-flow-create-entry pre")
    await expect(config).to_be_hidden()
    await page.locator("step-flow-create-entry summary").click()
    await expect(config).to_be_visible()
    await look(page, tmp_path / "03-config")
    await page.get_by_role("button", name="Finish").click()

    # An unknown field and a wrong key are issues with a dialog that fixes them.
    await _send(url, INDOOR, 1, 21.5)
    await _send(url, INDOOR, 3, 1013.2)
    await page.goto(f"{url}/config/repairs")
    await page.get_by_text("Field 3 of Indoor sends 1013.2").click()
    await expect(page.get_by_role("button", name="What it measures")).to_be_visible()
    await look(page, tmp_path / "10-kind")
    await _choose_kind(page, "What it measures", "Air pressure")
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_role("button", name=re.compile("Close|Finish")).last.click()
    assert (await _sensors(shared_home_assistant, "indoor"))["pressure"] == "1013.2 hPa"
    wrong = replace(INDOOR, key="another-key")
    for _ in range(3):
        assert await _send(url, wrong, 1, 21.5) == HTTPStatus.FORBIDDEN
    await page.goto(f"{url}/config/repairs")
    await page.get_by_text("Indoor sends a wrong key").click()
    await expect(page.get_by_text("reports with the MAC")).to_be_visible()
    await page.get_by_role("textbox", name="Key").fill("another-key")
    await look(page, tmp_path / "13-key")
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_role("button", name=re.compile("Close|Finish")).last.click()
    assert await _send(url, wrong, 1, 21.5) == HTTPStatus.OK

    # The fields: those that report are open and show their newest value.
    await open_options(page, url, INDOOR.name, "Fields")
    for text in ("Field 1: 21.5", "Field 3: 1013.2", "Field 2: –"):
        await expect(page.get_by_text(text).first).to_be_attached()
    await look(page, tmp_path / "20-fields")
    await open_options(page, url, INDOOR.name, "Station")
    await expect(page.get_by_text("Accept unsigned reports").first).to_be_visible()
    await look(page, tmp_path / "21-station")
    await open_options(page, url, INDOOR.name, "Windows")
    await expect(page.get_by_text("warmer inside than this")).to_be_visible()
    await look(page, tmp_path / "22-windows")

    # Reconfigure shows the address again.
    await page.goto(f"{url}/config/integrations/integration/esp_weather")
    row = page.locator("ha-config-entry-row").filter(has_text=INDOOR.name)
    await row.locator("ha-dropdown, ha-md-button-menu").first.click()
    await row.get_by_text("Reconfigure", exact=True).click()
    await expect(page.get_by_text("Show address and config.json")).to_be_visible()
    await look(page, tmp_path / "30-reconfigure")
    await page.get_by_text("Show address and config.json").click()
    address = page.locator("step-flow-form code").first
    await expect(address).to_contain_text("another-key")
    await look(page, tmp_path / "31-address")
    await _expect_on_a_phone(page, address)
    await expect(page.locator("step-flow-form pre")).to_be_hidden()


@pytest.mark.parametrize("language", ["de", "en", "es", "fr"])
async def test_menu_on_a_phone(
    shared_home_assistant: HomeAssistant,
    open_page: OpenPage,
    tmp_path: Path,
    language: str,
) -> None:
    """The menu of a station's options is shown whole, in each language."""
    url = shared_home_assistant.url
    await add_station(shared_home_assistant, ATTIC)
    page = await open_page(url, PHONE, language=language)
    await page.goto(f"{url}/config/integrations/integration/esp_weather")
    row = page.locator("ha-config-entry-row").filter(has_text=ATTIC.name)
    configure = re.compile("^(Configur|Konfigur)")
    await row.get_by_role("button", name=configure).first.click()
    menu = page.locator("step-flow-menu")
    texts = json.loads((INTEGRATION / "translations" / f"{language}.json").read_text())
    options = texts["options"]["step"]["init"]
    for text in (options[key][step] for key in options for step in MENU):
        await expect(menu.get_by_text(text, exact=True)).to_be_in_viewport(ratio=1)
    await look(page, tmp_path / language)
    assert await menu.evaluate(CUT_OFF) == []
