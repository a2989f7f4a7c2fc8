"""The documentation names what is there."""

from pathlib import Path

from custom_components.esp_weather.field import KINDS

STATIONS = Path(__file__).parents[1] / "docs/stations.md"


def test_kinds() -> None:
    """The table of docs/stations.md has each kind with its units, in their order."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in STATIONS.read_text().splitlines()
        if line.startswith("| `")
    ]
    units = {row[0].strip("`"): row[2] for row in rows if len(row) == 4}

    assert list(units) == list(KINDS)
    for name, kind in KINDS.items():
        assert units[name] == (", ".join(kind.units) or units[name])
