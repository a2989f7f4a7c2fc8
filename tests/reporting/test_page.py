"""The page that a browser gets for a report."""

from base64 import b64encode
from hashlib import sha256
import re

from custom_components.esp_weather.reporting.page import PAGE_POLICY, render_page


def test_style_is_allowed() -> None:
    """The policy allows the page's own style and nothing else."""
    page = render_page("en", "21.5 °C", ["Outdoor", "2026-07-01 12:00"], taken=True)

    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    directives = dict(part.strip().split(" ", 1) for part in PAGE_POLICY.split(";"))
    assert directives.pop("style-src") == f"'sha256-{digest}'"
    assert set(directives.values()) == {"'none'"}
    assert "default-src" in directives
    for loading in ("<script", "src=", "href=", "url(", "@import", "style=", " on"):
        assert loading not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "prefers-color-scheme: dark" in style


def test_nothing_breaks_out() -> None:
    """Names and values are escaped."""
    evil = '</title><script>alert("1")</script>&\'$title'
    page = render_page(f'"{evil}', evil, [evil], taken=False)

    assert "<script" not in page
    assert page.count("</title>") == 1
    assert page.count("&lt;script&gt;") == 4
    assert "$title" in page


def test_says_what_it_is() -> None:
    """A value and a refusal look different, in the language of the text."""
    taken = render_page("de", "21,5 °C", ["Garten"], taken=True)
    refused = render_page("fr", "Refusé", [], taken=False)

    assert '<html lang="de">' in taken
    assert '<main class="taken">' in taken
    assert "<h1>21,5 °C</h1>\n<p>Garten</p>" in taken
    assert '<html lang="fr">' in refused
    assert '<main class="refused">' in refused
    assert "<p>" not in refused
