"""In a browser, from a board without settings to a broken update that is undone.

A phone fills in the board's page. All else is done in the pages of Home Assistant, where
every step waits for what a person sees.
"""

from pathlib import Path
import re

from playwright.async_api import Browser, Locator, Page, Route, expect
import pytest
from yarl import URL

from tests.firmware.simulated import PORTAL, Board, simulated_board
from tools.station import OUTDOOR

from .browsing import (
    PHONE,
    TIME_LIMIT,
    add_integration,
    browse,
    expect_no_overflow,
    look,
)
from .whole_way import (
    BOARD,
    BROKEN,
    LIMIT,
    NEXT,
    UNDONE,
    announced_home_assistant,
    expect_undone,
    release_broken,
    until_interval,
)

expect.set_options(timeout=TIME_LIMIT)

BOARD_LIMIT = LIMIT * 1000  # ms for what the board does
# The value of a row is in front of its name, which it is put into.
SENSORS = (
    r"\d\s?%\s+Humidity\s*$",
    r"\d\shPa\s+Pressure\s*$",
    r"\d\s°C\s+Temperature\s*$",
    r"\d\s°C\s+Temperature 2\s*$",
)


def _network_of(board: Board) -> object:
    """Return a handler that leads a browser to the board, as its network does."""

    async def handle(route: Route) -> None:
        url = URL(route.request.url)
        answer = await route.fetch(
            url=str(url.with_host("127.0.0.1").with_port(board.http)),
            headers={**await route.request.all_headers(), "host": PORTAL},
            max_redirects=0,
        )
        await route.fulfill(response=answer)

    return handle


async def _qr_code(page: Page, url: str, file: Path) -> str:
    """Open the dialog that pairs a board; return what its code says."""
    await add_integration(page, url)
    await page.get_by_text("Pair a board with our firmware").click()
    code = page.locator("ha-qr-code")
    await expect(code.locator("canvas")).to_be_visible()
    await look(page, file)
    data: str = await code.evaluate("element => element.data")
    assert data.startswith(f"http://{PORTAL}/#key=")
    link = page.get_by_role("link", name="this link")
    assert await link.get_attribute("href") == data
    return data


async def _fill_in(browser: Browser, board: Board, data: str, folder: Path) -> None:
    """Fill in the board's page on a German phone that has scanned the code."""
    await board.says("Portal: join")
    phone = await browser.new_page(
        viewport={"width": PHONE[0], "height": PHONE[1]}, locale="de-DE"
    )
    await phone.route(f"http://{PORTAL}/**", _network_of(board))  # type: ignore[arg-type]
    await phone.goto(data)
    key = phone.get_by_label("Schlüssel")
    scanned = URL(data.replace("#", "?")).query
    await expect(key).to_have_value(scanned["key"])
    address = phone.get_by_label("Adresse von Home Assistant")
    await expect(address).to_have_value(f"http://{scanned['host']}:{scanned['port']}")
    await expect(phone.get_by_text("Dieses Netz hat kein Passwort")).to_be_visible()
    await expect_no_overflow(phone)
    await phone.screenshot(path=folder / "2-page.png")
    # The board is to find it.
    await address.fill("")
    await phone.get_by_label("Passwort").fill("wrong password")
    await phone.get_by_role("button", name="Speichern").click()
    await expect(phone.get_by_text("Passwort des WLANs ist falsch")).to_be_visible()
    await phone.screenshot(path=folder / "3-error.png")
    # What the board has not sent back is still there.
    await expect(key).to_have_value(scanned["key"])
    await expect(address).to_have_value("")
    await phone.get_by_label("Passwort").fill("password")
    await phone.get_by_role("button", name="Speichern").click()
    await expect(phone.get_by_text("Das Board ist jetzt in deinem")).to_be_visible()
    await phone.screenshot(path=folder / "4-done.png")
    await phone.close()


async def _open_update(page: Page, version: str) -> Locator:
    """Open the dialog of the update to this version from the page of the device."""
    update = page.locator("hui-update-entity-row")
    await expect(update).to_contain_text("Update available", timeout=BOARD_LIMIT)
    await update.get_by_text("Firmware").click()
    dialog = page.locator("ha-more-info-dialog")
    await expect(dialog.get_by_role("heading", name=version)).to_be_visible()
    return dialog


async def _expect_versions(dialog: Locator, installed: str, latest: str) -> None:
    """Expect the dialog of the update to show these versions."""
    for text in (f"Installed version {installed}", f"Latest version {latest}"):
        row = dialog.locator(".summary .row").filter(has_text=text)
        await expect(row).to_be_visible(timeout=BOARD_LIMIT)


@pytest.mark.timeout(600)
async def test_whole_way(socket_enabled: None, tmp_path: Path) -> None:
    """What a person sees and does, from the QR code to the update that is undone."""
    async with (
        announced_home_assistant(tmp_path / "config") as home_assistant,
        browse(tmp_path) as open_page,
        simulated_board(tmp_path / "board", command=BOARD) as board,
    ):
        page = await open_page(home_assistant.url)
        assert page.context.browser is not None
        data = await _qr_code(page, home_assistant.url, tmp_path / "1-qr-code")
        await _fill_in(page.context.browser, board, data, tmp_path)
        await board.says("Home Assistant is at 127.0.0.1")

        await page.get_by_role("button", name="Next").click()
        name = page.get_by_role("textbox", name="Name")
        await expect(name).to_be_visible(timeout=BOARD_LIMIT)
        await look(page, tmp_path / "5-name")
        await name.fill(OUTDOOR.name)
        await page.get_by_text("Outside", exact=True).click()
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("button", name="Finish").click()

        # The entities
        await page.goto(
            f"{home_assistant.url}/config/integrations/integration/esp_weather"
        )
        await page.get_by_role("link", name="1 device").first.click()
        sensors = page.locator("ha-device-entities-card").filter(has_text="Sensors")
        await expect(sensors.locator("hui-sensor-entity-row")).to_have_text(
            [re.compile(each) for each in SENSORS], timeout=BOARD_LIMIT
        )
        await look(page, tmp_path / "6-device")

        device = page.url

        # The interval, on a phone
        await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        interval = page.locator("hui-number-entity-row input")
        await expect(interval).to_have_value("60", timeout=BOARD_LIMIT)
        await interval.fill("1")
        await interval.press("Enter")
        await until_interval(board, 1)
        await expect(interval).to_have_value("1")
        await page.screenshot(path=tmp_path / "7-interval.png")

        # The update
        dialog = await _open_update(page, NEXT)
        await look(page, tmp_path / "8-update")
        await dialog.get_by_role("button", name="Update").click()
        await _expect_versions(dialog, NEXT, NEXT)
        await expect(dialog.get_by_text("Up-to-date")).to_be_visible()
        await look(page, tmp_path / "9-updated")

        # One that is broken. Home Assistant's page logs an error of its own if Home
        # Assistant ends while it is open.
        await page.close()
        await release_broken(home_assistant)
        page = await open_page(device, PHONE)
        dialog = await _open_update(page, BROKEN)
        await _expect_versions(dialog, NEXT, BROKEN)
        await dialog.get_by_role("button", name="Update").click()
        await expect(dialog.get_by_text(UNDONE)).to_be_visible(timeout=BOARD_LIMIT)
        await _expect_versions(dialog, NEXT, BROKEN)
        await look(page, tmp_path / "10-undone")
        expect_undone(board)
