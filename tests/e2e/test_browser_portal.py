"""Pairing a board by its QR code: the dialog, and the page that a phone shows then."""

from collections.abc import AsyncGenerator
from pathlib import Path

from playwright.async_api import Route, expect
import pytest
from yarl import URL

from tests.firmware.simulated import PORTAL, Board, simulated_board
from tools.home_assistant import HomeAssistant

from .browsing import PHONE, TIME_LIMIT, OpenPage, browse, expect_no_overflow, look

expect.set_options(timeout=TIME_LIMIT)


@pytest.fixture
async def open_page(socket_enabled: None, tmp_path: Path) -> AsyncGenerator[OpenPage]:
    """Return a function that opens a page; the pages must stay free of errors."""
    async with browse(tmp_path) as open_page:
        yield open_page


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


@pytest.mark.timeout(240)
async def test_qr_code(
    home_assistant: HomeAssistant, open_page: OpenPage, tmp_path: Path
) -> None:
    """What the code says fills in the board's page, which leads to the naming step."""
    url = home_assistant.url
    page = await open_page(url)
    await page.goto(f"{url}/config/integrations/dashboard")
    await page.get_by_role("button", name="Add integration").click()
    await page.get_by_placeholder("Search for a brand name").fill("ESP W")
    await page.get_by_text("ESP Weather", exact=True).last.click()
    await page.get_by_text("Pair a board with our firmware").click()
    code = page.locator("ha-qr-code")
    await expect(code.locator("canvas")).to_be_visible()
    await look(page, tmp_path / "1-qr-code")
    data = await code.evaluate("element => element.data")
    assert data.startswith(f"http://{PORTAL}/#key=")
    link = page.get_by_role("link", name="this link")
    assert await link.get_attribute("href") == data

    async with simulated_board(tmp_path / "board") as board:
        await board.says("Portal: join")
        phone = await page.context.browser.new_page(  # type: ignore[union-attr]
            viewport={"width": PHONE[0], "height": PHONE[1]}, locale="de-DE"
        )
        await phone.route(f"http://{PORTAL}/**", _network_of(board))  # type: ignore[arg-type]
        await phone.goto(data)
        await expect(phone.get_by_label("Schlüssel")).to_have_value(
            data.partition("key=")[2].partition("&")[0]
        )
        await expect(phone.get_by_label("Adresse von Home Assistant")).to_have_value(
            url
        )
        await expect(phone.get_by_text("Dieses Netz hat kein Passwort")).to_be_visible()
        await expect_no_overflow(phone)
        await phone.screenshot(path=tmp_path / "2-page.png")
        await phone.get_by_label("Passwort").fill("wrong password")
        await phone.get_by_role("button", name="Speichern").click()
        await expect(phone.get_by_text("Passwort des WLANs ist falsch")).to_be_visible()
        await phone.screenshot(path=tmp_path / "3-error.png")
        # What the board has not sent back is still there.
        await expect(phone.get_by_label("Schlüssel")).to_have_value(
            data.partition("key=")[2].partition("&")[0]
        )
        await phone.get_by_label("Passwort").fill("password")
        await phone.get_by_role("button", name="Speichern").click()
        await expect(phone.get_by_text("Das Board ist jetzt in deinem")).to_be_visible()
        await phone.screenshot(path=tmp_path / "4-done.png")
        await phone.close()

        await page.get_by_role("button", name="Next").click()
        await expect(page.get_by_role("textbox", name="Name")).to_be_visible(
            timeout=60_000
        )
        await look(page, tmp_path / "5-name")
        # It is signed in none of these ways: an ESP8266 sends one field at a time.
        await expect(page.get_by_text("Field 1:").first).to_be_visible()
