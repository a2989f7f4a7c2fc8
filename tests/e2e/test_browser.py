"""From an empty Home Assistant to the dashboard, in a real browser."""

from asyncio import sleep, timeout
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
import json
from pathlib import Path
import re

from playwright.async_api import Locator, Page, expect
import pytest

from homeassistant.const import MAJOR_VERSION, MINOR_VERSION
from tools.home_assistant import HomeAssistant
from tools.house import furnish, house
from tools.station import (
    INDOOR,
    OUTDOOR,
    Station,
    add_station,
    open_on_dashboard,
    report_signed,
)

from .browsing import (
    PHONE,
    TABLET,
    TIME_LIMIT,
    WIDE,
    OpenPage,
    browse,
    expect_no_overflow,
)
from .reporter import Reporter, firmware

IS_OLD = (MAJOR_VERSION, MINOR_VERSION) < (2026, 5)
SILENCE_LIMIT = 90_000  # ms until a station counts as silent
expect.set_options(timeout=TIME_LIMIT)

NEW = Station("Outdoor", "5c:cf:7f:2b:0e:a8", mean=27.5, swing=0)

# The answer for the inside room in each language
ADVICE = {
    "en": "Open the windows: 6.5° cooler outside",
    "de": "Fenster öffnen: draußen 6,5° kühler",
    "es": "Abre las ventanas: 6,5° más fresco fuera",
    "fr": "Ouvrez les fenêtres : 6,5° de moins dehors",
}


@pytest.fixture
async def open_page(socket_enabled: None, tmp_path: Path) -> AsyncGenerator[OpenPage]:
    """Return a function that opens a page; the pages must stay free of errors."""
    async with browse(tmp_path) as open_page:
        yield partial(open_page, console=True)


async def _shown_config(page: Page) -> dict[str, object]:
    """Return the config.json that the dialog of the pairing shows."""
    code = page.locator("step-flow-progress pre").first
    await expect(code).to_be_hidden()
    await page.locator("step-flow-progress summary").click()
    return json.loads(await code.inner_text())  # type: ignore[no-any-return]


async def _expect_address_on_a_phone(page: Page, folder: Path) -> None:
    """Expect the whole address on the first screen of a phone."""
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    address = page.locator("step-flow-progress code").first
    await expect(address).to_contain_text("/update/API_key=")
    box = await address.bounding_box()
    await page.screenshot(path=folder / "pairing-phone.png")
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE[0]
    assert box["y"] + box["height"] <= PHONE[1]
    await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


async def _name(page: Page, name: str, place: str) -> None:
    """Enter the name and the place of the station that was found."""
    await page.get_by_role("textbox", name="Name").fill(name)
    await page.get_by_text(place, exact=True).click()
    await page.get_by_role("button", name="Submit").click()


async def _finish(page: Page, area: str) -> None:
    """Assign the station that was added to an area."""
    await page.locator("ha-area-picker").click()
    await page.locator("ha-combo-box-item").filter(has_text=area).click()
    await page.get_by_role("button", name="Finish").click()
    await page.wait_for_url("**/config/devices/device/*")


async def _expect_dashboard(page: Page, *texts: str) -> None:
    """Expect the dashboard with these texts and without overflow."""
    for text in ("Last 24 hours", "Last 30 days", *texts):
        await expect(page.get_by_text(text).first).to_be_visible()
    await _expect_no_faults(page)


async def _expect_no_faults(page: Page) -> None:
    """Expect a page without error cards and without overflow."""
    await expect(page.locator("hui-error-card, hui-warning")).to_have_count(0)
    await expect_no_overflow(page)


async def _bottom(locator: Locator) -> float:
    """Return the distance of an element's lower edge from the top, in pixels."""
    box = await locator.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


async def _add_integration(page: Page) -> None:
    """Open the dialog that adds a station."""
    await page.get_by_role("button", name="Add integration").click()
    await page.get_by_placeholder("Search for a brand name").fill("ESP W")
    await page.get_by_text("ESP Weather", exact=True).click()


async def _open_settings(page: Page, name: str) -> None:
    """Open a page of the settings with clicks."""
    await page.locator("ha-sidebar").get_by_text("Settings", exact=True).click()
    await page.get_by_text(name, exact=True).click()


@pytest.mark.skipif(IS_OLD, reason="Community dashboards are offered since 2026.5")
@pytest.mark.timeout(300)
async def test_from_nothing_to_a_dashboard_and_an_automation(
    bare_url: str, open_page: OpenPage, tmp_path: Path
) -> None:
    """A new user gets there with the mouse, typing only names."""
    page = await open_page(bare_url)

    # The dashboard is offered once the dialog that adds a station was opened.
    await _open_settings(page, "Devices & services")
    await _add_integration(page)
    await expect(page.get_by_text("Pair a station")).to_be_visible()
    await page.goto(f"{bare_url}/config/lovelace/dashboards")
    await page.get_by_role("button", name="Add dashboard").click()
    await expect(page.get_by_text("ESP Weather", exact=True)).to_be_visible()

    # A station is paired.
    await page.goto(f"{bare_url}/config/integrations/dashboard")
    await _add_integration(page)
    await page.get_by_text("Pair a station").click()
    await _expect_address_on_a_phone(page, tmp_path)
    config = {
        **await _shown_config(page),
        "wifi": {"ssid": "Home", "password": "password"},
        "interval": 1,
        "signed": True,
    }
    key = str(config["key"])
    indoor = Reporter(bare_url, replace(INDOOR, key=key), 24.6)
    async with AsyncExitStack() as stations:
        await stations.enter_async_context(firmware(NEW, tmp_path / "27", config))
        await _name(page, "Outdoor", "Outside")
        await expect(
            page.get_by_text("reload the page in your browser")
        ).to_be_visible()
        await _finish(page, "Kitchen")

        # The other one has the same key, and is discovered.
        await stations.enter_async_context(indoor.switched_on())
        await _open_settings(page, "Devices & services")
        await page.locator("ha-config-flow-card").get_by_text("Add").click()
        await _name(page, "Indoor", "Inside")
        await _finish(page, "Living room")

        # They are on a new dashboard, which is offered once the page is reloaded.
        await page.reload()
        await _open_settings(page, "Dashboards")
        await page.get_by_role("button", name="Add dashboard").click()
        await page.get_by_text("ESP Weather", exact=True).click()
        await page.get_by_role("button", name="Create").click()
        await page.locator("ha-sidebar").get_by_text("ESP Weather").click()
        await _expect_dashboard(
            page, "Outdoor · Kitchen", "27.", "Indoor · Living room", "24.6"
        )
        await page.screenshot(path=tmp_path / "dashboard.png")
        await expect(
            page.get_by_text(re.compile("Keep closed: .* warmer outside"))
        ).to_be_visible()
        await _choose_one_station(page)
        await page.screenshot(path=tmp_path / "one-station.png")

        # An automation announces when to open the windows.
        await _open_settings(page, "Automations & scenes")
        await page.get_by_role("button", name="Create automation").click()
        await page.get_by_text("Open and close the windows").click()
        await page.get_by_text("Select an entity").click()
        await page.locator("ha-combo-box-item").filter(has_text="▸ Indoor").click()
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("textbox", name="Name").fill("Windows")
        await page.get_by_role("button", name="Save").last.click()
        await expect(page.get_by_text("Traces")).to_be_visible()

        # It does so at once, without a change of the advice.
        await page.locator("ha-sidebar").get_by_text("Notifications").click()
        await expect(page.get_by_text("Living Room: Keep closed")).to_be_visible()
        await expect(
            page.get_by_text(re.compile(r"Outdoor .*: 27\.\d °C, Indoor .*: 24\.6 °C"))
        ).to_be_visible()
        await page.screenshot(path=tmp_path / "notification.png")


async def _choose_one_station(page: Page) -> None:
    """Have the dashboard show only the station outdoors, for a week."""
    await page.get_by_role("button", name="Edit").first.click()
    dialog = page.locator("esp-weather-dashboard-editor")
    await dialog.get_by_text("Select a device").click()
    await page.locator("ha-combo-box-item").filter(has_text="Outdoor").click()
    save = page.get_by_role("button", name="Save")
    await expect(save).to_be_enabled()
    await dialog.locator("ha-selector-number input").last.fill("7")
    await dialog.locator("ha-selector-boolean").click()
    await save.click()
    await expect(page.get_by_text("Last 7 days")).to_be_visible()
    await expect(page.get_by_text("Indoor")).to_have_count(0)
    await expect(page.get_by_text("Diagnostics")).to_have_count(0)


async def test_dashboard(
    home_assistant: HomeAssistant, open_page: OpenPage, tmp_path: Path
) -> None:
    """The dashboard shows the readings, and follows changes."""
    await add_station(home_assistant, OUTDOOR)
    await open_on_dashboard(home_assistant)
    async with Reporter(home_assistant.url, OUTDOOR, -7.4).switched_on():
        async with timeout(TIME_LIMIT / 1000):
            while "-7.4" not in str(await home_assistant.rest("GET", "/api/states")):
                await sleep(0.1)
        page = await open_page(home_assistant.url, PHONE, dark=True)
        await _expect_dashboard(page, "Outdoor", "-7.4")
        ago = page.get_by_text(re.compile(r"^\s*Now\s*$|seconds? ago"))
        await expect(ago.first).to_be_visible()
        background = await page.evaluate(
            "getComputedStyle(document.querySelector('html')).backgroundColor"
        )
        assert background == "rgb(17, 17, 17)"
        # The old dashboard would ask to be refreshed after each change.
        if IS_OLD:
            return

        # Another station and its field appear by themselves.
        await add_station(home_assistant, INDOOR)
        await expect(page.get_by_text("No reading yet")).to_be_visible()
        async with Reporter(home_assistant.url, INDOOR, 21.2).switched_on():
            await _expect_dashboard(page, "Indoor", "21.2")
            fields = page.locator("hui-entities-card")
            await expect(fields).to_have_count(2)

            # So does its self-reported status, in a separate view.
            report = {"status": {"battery": 3.712}}
            assert await report_signed(home_assistant.url, INDOOR, **report) == 200
            await page.get_by_role("tab", name="Diagnostics").click()
            await expect(page.get_by_text("Battery voltage")).to_be_visible()
            await expect(page.get_by_text("3.71 V")).to_be_visible()
            await expect(page.get_by_text("Connected")).to_have_count(2)
            await page.screenshot(path=tmp_path / "diagnostics.png")

            # Hidden and disabled entities are not shown.
            for entity_id, change in (
                ("sensor.indoor_temperature", {"hidden_by": "user"}),
                ("binary_sensor.indoor_connectivity", {"disabled_by": "user"}),
            ):
                await home_assistant.websocket(
                    "config/entity_registry/update", entity_id=entity_id, **change
                )
            await expect(page.get_by_text("Connected")).to_have_count(1)
            await page.get_by_role("tab", name="ESP Weather").click()
            await expect(page.get_by_text("Last 24 hours")).to_be_visible()
            await expect(fields).to_have_count(1)
            await expect(page.get_by_text("No reading yet")).to_have_count(0)


@pytest.mark.timeout(300)
async def test_answer_at_a_glance(
    home_assistant: HomeAssistant, open_page: OpenPage, tmp_path: Path
) -> None:
    """The answer is at the top, whatever the screen, language and house."""
    rooms = house()
    await furnish(home_assistant, rooms)
    devices = {
        device["name"]: device["id"]
        for device in await home_assistant.websocket("config/device_registry/list")
    }
    for stations, size, dark, language in (
        (1, WIDE, True, "de"),
        (1, PHONE, False, "en"),
        (2, WIDE, False, "fr"),
        (2, TABLET, True, "es"),
        (2, PHONE, True, "de"),
        (6, WIDE, True, "es"),
        (6, TABLET, False, "en"),
        (6, PHONE, False, "fr"),
    ):
        shown = [devices[room.station.name] for room in rooms[:stations]]
        await open_on_dashboard(home_assistant, devices=shown)
        page = await open_page(home_assistant.url, size, dark=dark, language=language)
        graph = page.locator("hui-history-graph-card").first
        await expect(graph.locator("canvas").first).to_be_visible()
        answer = page.get_by_text(ADVICE[language])
        await expect(answer).to_have_count(1 if stations > 1 else 0)
        if stations > 1:
            assert await _bottom(answer) < await _bottom(graph) <= size[1]
            await expect(page.locator("ha-alert[alert-type=success]")).to_have_count(1)
        await _expect_no_faults(page)
        name = f"{stations}-{size[0]}-{language}-{'dark' if dark else 'light'}.png"
        await page.screenshot(path=tmp_path / name)
        if stations < 6:
            await page.context.close()
            continue

        # The empty station comes last, and a silent one has a badge.
        headings = await page.locator("hui-heading-card").evaluate_all(
            "cards => cards.map((card) => card.shadowRoot.textContent.trim())"
        )
        names = [name for name in headings if name.split(" ·")[0] in devices]
        assert [name.split(" ·")[0] for name in names] == [
            room.station.name for room in rooms
        ]
        assert headings.index(names[-1]) == len(headings) - 2
        badge = page.locator("hui-entity-badge").filter(has_text="Cellar")
        await expect(badge).to_be_visible(timeout=SILENCE_LIMIT)
        await expect(page.locator("hui-entity-badge:visible")).to_have_count(1)
        await page.screenshot(path=tmp_path / name)
        await page.context.close()
    await _expect_page_of_a_report(home_assistant, open_page, tmp_path)


async def _expect_page_of_a_report(
    home_assistant: HomeAssistant, open_page: OpenPage, tmp_path: Path
) -> None:
    """Expect a page at the legacy URL: the value that was taken, or what to do."""
    light, black = "rgb(250, 250, 250)", "rgb(17, 17, 17)"
    unknown = replace(OUTDOOR, key="unknown-key")
    for number, (station, value, dark, color, text) in enumerate(
        (
            (OUTDOOR, "21.5", False, light, "21.5 °C"),
            (OUTDOOR, "21.5", True, black, "Outdoor"),
            (OUTDOOR, "warm", False, light, "Correct the address"),
            (unknown, "21.5", True, black, "Compare both"),
        )
    ):
        url = home_assistant.url + station.report_path(1, value)
        page = await open_page(url, PHONE, dark=dark, console=False)
        await expect(page.get_by_text(text)).to_be_visible()
        # The page's policy allows its style.
        assert color == await page.evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        await page.screenshot(path=tmp_path / f"report-{number}.png")
        await page.context.close()
