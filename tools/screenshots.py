"""Take the pictures of the README: python -m tools.screenshots.

They show a house with a station outside, which is paired, and two inside.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time

from PIL import Image
from playwright.async_api import Locator, Page

from .browser import browser
from .home_assistant import HomeAssistant, free_port
from .house import Room, furnish, house
from .past import temperature_at
from .station import open_on_dashboard, report_signed

IMAGES = Path(__file__).parents[1] / "docs" / "images"
DIALOG = (480, 980)  # pixels of a screen that a dialog fills
# width, height in pixels, and whether it is dark
PICTURES = {"dashboard": (1280, 1150, False), "dashboard-phone": (390, 844, True)}
COLOURS = 256  # enough for a page, at a third of the size
DRAWN = 3000  # ms until the graphs have settled
PRESSURE = 1013.2  # hPa


async def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        home_assistant = HomeAssistant(Path(folder), free_port())
        async with home_assistant, browser() as chromium:
            # Their last readings continue their past.
            outside, *inside = (
                replace(room, temperature=temperature_at(room.station, time()))
                for room in house()[:3]
            )
            page = await chromium.new_page(
                viewport={"width": DIALOG[0], "height": DIALOG[1]}
            )
            paired = await _pair(page, home_assistant, outside)
            await furnish(home_assistant, (paired, *inside))
            await open_on_dashboard(home_assistant)
            for name, (width, height, dark) in PICTURES.items():
                page = await chromium.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if dark else "light",
                )
                await page.goto(home_assistant.url)
                await page.get_by_text("Last 24 hours").wait_for()
                await _take(page, name)


async def _pair(page: Page, home_assistant: HomeAssistant, room: Room) -> Room:
    """Pair a station with the mouse; return it with its key."""
    url = home_assistant.url
    await page.goto(f"{url}/config/integrations/dashboard")
    await page.get_by_role("button", name="Add integration").click()
    await page.get_by_placeholder("Search for a brand name").fill("ESP W")
    await page.get_by_text("ESP Weather", exact=True).click()
    await page.get_by_text("Pair a station").click()
    address = await page.locator("step-flow-progress code").first.inner_text()
    key = address.partition("API_key=")[2].partition("/")[0]
    station = replace(room.station, key=key)
    report = {
        "fields": {
            "1": {"kind": "temperature"},
            "2": {"kind": "humidity"},
            "3": {"kind": "pressure"},
        },
        "readings": [
            {"field": field, "value": value, "age": 0}
            for field, value in enumerate(
                (round(room.temperature or 0, 1), room.humidity, PRESSURE), 1
            )
        ],
    }
    await report_signed(url, station, **report)
    await page.get_by_role("textbox", name="Name").fill(station.name)
    await _take(page, "pairing")
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_role("button", name="finish").click()
    await report_signed(url, station, **report)
    (device,) = (
        device["id"]
        for device in await home_assistant.websocket("config/device_registry/list")
        if device["name"] == station.name
    )
    await page.goto(f"{url}/config/devices/device/{device}")
    sensors = page.locator("ha-device-entities-card").filter(has_text="hPa")
    await _take(page, "first-values", sensors.first)
    return replace(room, station=station)


async def _take(page: Page, name: str, shown: Locator | None = None) -> None:
    """Write the picture of a page or of a part of it."""
    await page.wait_for_timeout(DRAWN)
    file = IMAGES / f"{name}.png"
    await (shown or page).screenshot(path=file)
    with Image.open(file) as image:
        image.convert("RGB").quantize(COLOURS).save(file, optimize=True)


if __name__ == "__main__":
    asyncio.run(main())
