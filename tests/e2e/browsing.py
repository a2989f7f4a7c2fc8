"""Pages of a real browser that must stay free of errors."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import ConsoleMessage, Page

from tools.browser import browser as run_browser

TIME_LIMIT = 20_000  # ms until a page shows its content
WIDE = (1280, 960)
TABLET = (768, 1024)
PHONE = (390, 844)

type OpenPage = Callable[..., Awaitable[Page]]


@asynccontextmanager
async def browse(folder: Path) -> AsyncGenerator[OpenPage]:
    """Run a browser and yield the function that opens a page in it.

    At the end a picture of each page is in the folder. Fails if a page had an error.
    """
    errors: list[str] = []

    def log(message: ConsoleMessage) -> None:
        # The images of other integrations are on the internet.
        if message.type == "error" and "/api/brands/" not in message.location["url"]:
            errors.append(f"{message.text} {message.location['url']}")

    async with run_browser() as browser:

        async def open_page(
            url: str,
            size: tuple[int, int] = WIDE,
            *,
            dark: bool = False,
            language: str = "en",
            console: bool = False,
        ) -> Page:
            """Return a page; with `console`, errors that it logs count too."""
            context = await browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if dark else "light",
            )
            context.set_default_timeout(TIME_LIMIT)
            # When one view follows another at once, Home Assistant's transition
            # between them ends in an error of its own.
            await context.add_init_script(
                "localStorage.setItem('disableViewTransition', 'true');"
                f"localStorage.setItem('selectedLanguage', '\"{language}\"')"
            )
            page = await context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            if console:
                page.on("console", log)
            await page.goto(url)
            # After the login, which ends where it began, or what is no page of HA
            await page.locator("home-assistant-main, main[class]").first.wait_for()
            return page

        yield open_page
        for context in browser.contexts:
            for number, page in enumerate(context.pages):
                await page.screenshot(path=folder / f"end-{number}.png")
    assert errors == [], errors


async def look(page: Page, file: Path) -> None:
    """Take pictures on a wide screen and on a phone; expect no overflow on either."""
    size = page.viewport_size
    assert size is not None
    for name, (width, height) in (("wide", WIDE), ("phone", PHONE)):
        await page.set_viewport_size({"width": width, "height": height})
        await page.screenshot(path=file.with_name(f"{file.name}-{name}.png"))
        await expect_no_overflow(page)
    await page.set_viewport_size(size)


async def expect_no_overflow(page: Page) -> None:
    """Expect that nothing is cut off at the right edge of the page."""
    assert await page.evaluate(
        "document.scrollingElement.scrollWidth <= window.innerWidth"
    )
    # These scroll within what is around them.
    assert await page.locator("table:visible, pre:visible").evaluate_all(
        "all => all.every((e) => e.getBoundingClientRect().right <= innerWidth)"
    )


async def add_integration(page: Page, url: str) -> None:
    """Open the dialog that adds a station."""
    await page.goto(f"{url}/config/integrations/dashboard")
    await page.get_by_role("button", name="Add integration").click()
    await page.get_by_placeholder("Search for a brand name").fill("ESP W")
    # The page behind names the integration too, once there is a station.
    dialog = page.locator("dialog-add-integration")
    await dialog.get_by_text("ESP Weather", exact=True).click()


async def open_options(page: Page, url: str, station: str, choice: str) -> None:
    """Choose a dialog in the options of a station."""
    await page.goto(f"{url}/config/integrations/integration/esp_weather")
    row = page.locator("ha-config-entry-row").filter(has_text=station)
    await row.get_by_role("button", name="Configure").first.click()
    await page.get_by_text(choice, exact=True).click()
