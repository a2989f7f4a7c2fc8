"""Draw the brand images of the integration for Home Assistant (HA).

The sizes, and that nothing transparent surrounds a picture, are HA's rules for
brand images. The colours are bright enough for a dark page and dark enough for
a white one, so that no dark variants are needed.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

BRAND = Path(__file__).parents[1] / "custom_components" / "esp_weather" / "brand"

ICON = 256  # pixels, wide and high
LOGO = 128  # pixels high
DETAIL = 4  # drawn this many times larger, for smooth edges

OUTSIDE = "#1e88e5"
INSIDE = "#fb8c00"
GLASS = "white"
COLD = 0.25  # the filled share of each thermometer
WARM = 0.75


def main() -> None:
    """Write the brand images."""
    BRAND.mkdir(exist_ok=True)
    for suffix, scale in (("", 1), ("@2x", 2)):
        icon(ICON * scale).save(BRAND / f"icon{suffix}.png", optimize=True)
        logo(LOGO * scale).save(BRAND / f"logo{suffix}.png", optimize=True)


def icon(size: int) -> Image.Image:
    """Return a window, cold outside and warm inside, of `size` pixels each way."""
    large = size * DETAIL
    image = Image.new("RGBA", (large, large))
    pane = large * 15 // 32
    for left, colour, filled in ((0, OUTSIDE, COLD), (large - pane, INSIDE, WARM)):
        draw = ImageDraw.Draw(image)
        draw.rounded_rectangle(
            (left, 0, left + pane - 1, large - 1), radius=pane // 5, fill=colour
        )
        _draw_thermometer(draw, left + pane / 2, large, colour, filled)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def _draw_thermometer(
    draw: ImageDraw.ImageDraw, middle: float, height: int, colour: str, filled: float
) -> None:
    """Draw a white thermometer around the line x = `middle`, filled with `colour`."""
    bulb = 0.125 * height
    tube = 0.075 * height
    glass = 0.032 * height
    top = 0.12 * height
    centre = 0.74 * height
    level = centre - bulb - filled * (centre - bulb - top - glass)
    for inset, start, fill in ((0.0, top, GLASS), (glass, level, colour)):
        draw.rounded_rectangle(
            (middle - tube + inset, start, middle + tube - inset, centre),
            radius=tube - inset,
            fill=fill,
        )
        draw.circle((middle, centre), bulb - inset, fill=fill)


def logo(height: int) -> Image.Image:
    """Return the icon and the name of the integration, `height` pixels high."""
    # Pillow's own font: Aileron, which is in the public domain.
    font = ImageFont.load_default(height * 0.62)
    left = round(height * 1.25)
    box = font.getbbox("ESP Weather", anchor="lm", stroke_width=height / 64)
    image = Image.new("RGBA", (left + round(box[2]), height))
    image.paste(icon(height))
    ImageDraw.Draw(image).text(
        (left, height / 2),
        "ESP Weather",
        font=font,
        fill=OUTSIDE,
        anchor="lm",
        stroke_width=height / 64,
    )
    return image.crop(image.getbbox())


if __name__ == "__main__":
    main()
