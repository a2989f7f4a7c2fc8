"""The documentation's links, and what it repeats from the code."""

import json
from pathlib import Path
import re
import subprocess

import pytest

from custom_components.esp_weather.field import KINDS

CHECKOUT = Path(__file__).parents[1]
MANIFEST = CHECKOUT / "custom_components" / "esp_weather" / "manifest.json"
README_LINES = 200
PAGES = sorted(
    path
    for path in CHECKOUT.rglob("*.md")
    if not {
        ".venv",
        ".venv-oldest",
        ".venv-bench",
        ".tools",
        ".pytest_cache",
        "node_modules",
    }
    & {*path.relative_to(CHECKOUT).parts}
)


each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT))
)


def _text(page: Path) -> str:
    """Return a page without its code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub derives from the headings of a page."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", _text(page), re.MULTILINE)
    }


@each_page
def test_links(page: Path) -> None:
    """Each link leads to an existing page, heading or picture."""
    dead = []
    links = r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\""
    for target in map("".join, re.findall(links, _text(page))):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        linked = page if not path else (page.parent / path).resolve()
        if not linked.exists() or (anchor and anchor not in _anchors(linked)):
            dead.append(target)
    assert not dead


@each_page
def test_commands(page: Path) -> None:
    """Each script and tool that a page names exists."""
    text = page.read_text()
    for script in re.findall(r"\bscripts/([a-z-]+)", text):
        assert (CHECKOUT / "scripts" / script).is_file(), script
    for tool in re.findall(r"\btools\.([a-z_]+)", text):
        path = CHECKOUT / "tools" / tool
        assert path.with_suffix(".py").is_file() or path.is_dir(), tool


def test_length_of_the_readme() -> None:
    """The README stays short enough to be read to its end."""
    assert len((CHECKOUT / "README.md").read_text().splitlines()) <= README_LINES


def test_address_of_the_repository() -> None:
    """The address of the repository is the one in the manifest, wherever it occurs."""
    documentation = json.loads(MANIFEST.read_text())["documentation"]
    owner, name = documentation.split("/")[-2:]
    files = subprocess.run(
        ["git", "ls-files"], cwd=CHECKOUT, capture_output=True, check=True, text=True
    ).stdout.split()
    wrong = {}
    for file in files:
        if file.startswith("requirements/") or not (CHECKOUT / file).exists():
            continue
        try:
            text = (CHECKOUT / file).read_text()
        except UnicodeDecodeError:
            continue
        # As a link, percent-encoded in a link, and as HACS has it in its parameters
        found = re.findall(
            r"github\.com(?:/|%2F)([\w-]*esp[\w-]*)(?:/|%2F)([\w-]*weather[\w-]*)", text
        ) + re.findall(r"owner=([\w-]+)&repository=([\w-]+)", text)
        if others := {pair for pair in found if pair != (owner, name)}:
            wrong[file] = others
    assert not wrong


def test_kinds_of_fields() -> None:
    """The table of docs/stations.md has each kind with its units, in their order."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (CHECKOUT / "docs" / "stations.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    units = {row[0].strip("`"): row[2] for row in rows if len(row) == 4}

    assert list(units) == list(KINDS)
    for name, kind in KINDS.items():
        assert units[name] == (", ".join(kind.units) or units[name])
