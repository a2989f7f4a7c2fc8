"""What a person sees and clicks, in a real browser."""

from asyncio import sleep, timeout
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
import json
from pathlib import Path
import re

from playwright.async_api import Browser, Page, expect
import pytest

from homeassistant.const import MAJOR_VERSION, MINOR_VERSION
from tools.browser import browser as run_browser
from tools.home_assistant import HomeAssistant
from tools.station import INDOOR, OUTDOOR, Station, add_station, open_on_dashboard

from .reporter import Reporter, firmware, report_status

IS_OLD = (MAJOR_VERSION, MINOR_VERSION) < (2026, 5)
TIME_LIMIT = 20_000  # ms for what the page has to show
expect.set_options(timeout=TIME_LIMIT)

NEW = Station("Outdoor", "5c:cf:7f:2b:0e:a8", mean=27.5, swing=0)

WIDE = (1280, 960)
PHONE = (390, 844)

type OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture
async def browser(socket_enabled: None) -> AsyncGenerator[Browser]:
    """Return a running browser."""
    async with run_browser() as browser:
        yield browser


@pytest.fixture
async def open_page(browser: Browser, tmp_path: Path) -> AsyncGenerator[OpenPage]:
    """Return a function that opens a page; the pages must stay free of errors."""
    errors: list[str] = []

    async def _open_page(
        url: str, size: tuple[int, int] = WIDE, *, dark: bool = False
    ) -> Page:
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
        )
        context.set_default_timeout(TIME_LIMIT)
        # When one view follows another at once, Home Assistant's transition between them
        # ends in an error of its own.
        await context.add_init_script(
            "localStorage.setItem('disableViewTransition', 'true')"
        )
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                errors.append(f"{message.text} {message.location['url']}")
                # The pictures of other integrations come from the internet.
                if message.type == "error"
                and "/api/brands/" not in message.location["url"]
                else None
            ),
        )
        await page.goto(url)
        return page

    yield _open_page
    for context in browser.contexts:
        for number, page in enumerate(context.pages):
            await page.screenshot(path=tmp_path / f"end-{number}.png")
    assert errors == []


async def _shown_config(page: Page) -> dict[str, object]:
    """Return the config.json that the dialog of the pairing shows."""
    code = page.locator("step-flow-progress pre").first
    return json.loads(await code.inner_text())  # type: ignore[no-any-return]


async def _name(page: Page, name: str) -> None:
    """Name the station that was found."""
    await page.get_by_role("textbox", name="Name").fill(name)
    await page.get_by_role("button", name="Submit").click()


async def _finish(page: Page, area: str) -> None:
    """Put the station that was added into an area."""
    await page.locator("ha-area-picker").click()
    await page.locator("ha-combo-box-item").filter(has_text=area).click()
    await page.get_by_role("button", name="Finish").click()
    await page.wait_for_url("**/config/devices/device/*")


async def _expect_dashboard(page: Page, *texts: str) -> None:
    """Expect the dashboard with these texts, and nothing that sticks out."""
    for text in ("Last 24 hours", "Last 30 days", "Connected", *texts):
        await expect(page.get_by_text(text).first).to_be_visible()
    await expect(page.locator("hui-error-card, hui-warning")).to_have_count(0)
    assert await page.evaluate(
        "document.scrollingElement.scrollWidth <= window.innerWidth"
    )


async def _open_settings(page: Page, name: str) -> None:
    """Click the way to a page of the settings."""
    await page.locator("ha-sidebar").get_by_text("Settings", exact=True).click()
    await page.get_by_text(name, exact=True).click()


@pytest.mark.skipif(IS_OLD, reason="Community dashboards are offered since 2026.5")
@pytest.mark.timeout(300)
async def test_from_nothing_to_a_dashboard_and_an_automation(
    bare_url: str, open_page: OpenPage, tmp_path: Path
) -> None:
    """A new user gets there with the mouse alone, and a name typed here and there."""
    page = await open_page(bare_url)

    # A station is paired.
    await _open_settings(page, "Devices & services")
    await page.get_by_role("button", name="Add integration").click()
    await page.get_by_placeholder("Search for a brand name").fill("ESP W")
    await page.get_by_text("ESP Weather", exact=True).click()
    await page.get_by_text("Pair a station").click()
    config = {
        **await _shown_config(page),
        "wifi": {"ssid": "Home", "password": "password"},
        "interval": 1,
    }
    key = str(config["key"])
    indoor = Reporter(bare_url, replace(INDOOR, key=key), 24.6)
    async with AsyncExitStack() as stations:
        await stations.enter_async_context(firmware(NEW, tmp_path / "27", config))
        await _name(page, "Outdoor")
        await expect(
            page.get_by_text("reload the page in your browser")
        ).to_be_visible()
        await _finish(page, "Kitchen")

        # The other one has the same key, and is found by itself.
        await stations.enter_async_context(indoor.switched_on())
        await _open_settings(page, "Devices & services")
        await page.locator("ha-config-flow-card").get_by_text("Add").click()
        await _name(page, "Indoor")
        await _finish(page, "Living room")

        # They are on a new dashboard, which the page offers when it is loaded again.
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
        await _choose_one_station(page)
        await page.screenshot(path=tmp_path / "one-station.png")

        # An automation says when to open the windows.
        await _open_settings(page, "Automations & scenes")
        await page.get_by_role("button", name="Create automation").click()
        await page.get_by_text("Open and close the windows").click()
        for station in ("Outdoor", "Indoor"):
            await page.get_by_text("Select an entity").first.click()
            await page.locator("ha-combo-box-item").filter(has_text=station).click()
        await expect(page.get_by_text("Select an entity")).to_have_count(0)
        row = page.locator("ha-settings-row").filter(has_text="Hold time")
        hold = row.locator("input")
        await hold.fill("0.1")
        await hold.press("Tab")
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("textbox", name="Name").fill("Windows")
        await page.get_by_role("button", name="Save").last.click()
        await expect(page.get_by_text("Traces")).to_be_visible()
    cooler = replace(NEW, mean=21.5)
    async with indoor.switched_on(), firmware(cooler, tmp_path / "21", config):
        await page.locator("ha-sidebar").get_by_text("Notifications").click()
        await expect(page.get_by_text("Open the windows", exact=True)).to_be_visible()
        await expect(
            page.get_by_text(re.compile(r"It is 21\.\d °C outside and 24\.6 °C inside"))
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
    await dialog.locator("ha-selector-number input").fill("7")
    await save.click()
    await expect(page.get_by_text("Last 7 days")).to_be_visible()
    await expect(page.get_by_text("Indoor")).to_have_count(0)


@pytest.mark.parametrize(
    ("size", "dark"), [(PHONE, True), (WIDE, False)], ids=["phone", "wide"]
)
async def test_dashboard(
    home_assistant: HomeAssistant,
    open_page: OpenPage,
    tmp_path: Path,
    size: tuple[int, int],
    *,
    dark: bool,
) -> None:
    """The dashboard shows what was sent, and follows what changes."""
    await add_station(home_assistant, OUTDOOR)
    await open_on_dashboard(home_assistant)
    async with Reporter(home_assistant.url, OUTDOOR, -7.4).switched_on():
        async with timeout(TIME_LIMIT / 1000):
            while "-7.4" not in str(await home_assistant.rest("GET", "/api/states")):
                await sleep(0.1)
        page = await open_page(home_assistant.url, size, dark=dark)
        await _expect_dashboard(page, "Outdoor", "-7.4")
        background = await page.evaluate(
            "getComputedStyle(document.querySelector('html')).backgroundColor"
        )
        assert (background == "rgb(17, 17, 17)") is dark
        if IS_OLD:  # The dashboard would ask to be refreshed upon each change.
            return

        # Another station and its field appear by themselves.
        await add_station(home_assistant, INDOOR)
        await expect(page.get_by_text("Nothing reported yet")).to_be_visible()
        async with Reporter(home_assistant.url, INDOOR, 21.2, 2).switched_on():
            await _expect_dashboard(page, "Indoor", "21.2", "Temperature 2")

            # So does what a station says of itself, where it does.
            await report_status(home_assistant.url, INDOOR, rssi=-61, battery=3.712)
            await expect(page.get_by_text("Signal strength")).to_be_visible()
            await expect(page.get_by_text("-61 dBm")).to_be_visible()
            await expect(page.get_by_text("Battery voltage")).to_be_visible()
            await expect(page.get_by_text("3.71 V")).to_be_visible()
            await page.screenshot(path=tmp_path / "dashboard.png")

            # What is hidden or disabled stays away.
            for entity_id, change in (
                ("sensor.indoor_temperature_2", {"hidden_by": "user"}),
                ("binary_sensor.indoor_connectivity", {"disabled_by": "user"}),
            ):
                await home_assistant.websocket(
                    "config/entity_registry/update", entity_id=entity_id, **change
                )
            await expect(page.get_by_text("Temperature 2")).to_have_count(0)
            await expect(page.get_by_text("Connected")).to_have_count(1)
