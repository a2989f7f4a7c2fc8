"""A real browser: Debian's Chromium, without a window."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import shutil

from playwright.async_api import Browser, async_playwright

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
# It runs as root in CI, and must not access the internet.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class BrowserMissingError(Exception):
    """No Chromium is installed."""


@asynccontextmanager
async def browser() -> AsyncGenerator[Browser]:
    """Run Chromium. Raises BrowserMissingError if there is none."""
    found = (path for name in EXECUTABLES if (path := shutil.which(name)))
    if (executable := next(found, None)) is None:
        raise BrowserMissingError(
            "Chromium is missing. On Debian, run as root: apt-get install chromium"
        )
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(
            executable_path=executable, args=ARGUMENTS
        ) as chromium,
    ):
        yield chromium
