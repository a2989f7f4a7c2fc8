"""Take the pictures of the README: python -m tools.screenshots.

They show a house with a station outside and two inside.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time

from PIL import Image

from .browser import browser
from .home_assistant import HomeAssistant, free_port
from .house import furnish, house
from .past import temperature_at
from .station import open_on_dashboard

IMAGES = Path(__file__).parents[1] / "docs" / "images"
# width, height in pixels, and whether it is dark
PICTURES = {"dashboard": (1280, 1330, False), "dashboard-phone": (390, 844, True)}
COLOURS = 256  # enough for a page, and a third of the size
DRAWN = 3000  # ms until the graphs have come to rest


async def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        home_assistant = HomeAssistant(Path(folder), free_port())
        async with home_assistant, browser() as chromium:
            # Their last readings go on from their past.
            rooms = tuple(
                replace(room, temperature=temperature_at(room.station, time()))
                for room in house()[:3]
            )
            await furnish(home_assistant, rooms)
            await open_on_dashboard(home_assistant)
            for name, (width, height, dark) in PICTURES.items():
                page = await chromium.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if dark else "light",
                )
                await page.goto(home_assistant.url)
                await page.get_by_text("Last 24 hours").wait_for()
                await page.wait_for_timeout(DRAWN)
                file = IMAGES / f"{name}.png"
                await page.screenshot(path=file)
                with Image.open(file) as image:
                    image.convert("RGB").quantize(COLOURS).save(file, optimize=True)


if __name__ == "__main__":
    asyncio.run(main())
