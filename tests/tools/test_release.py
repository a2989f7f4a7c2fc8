"""The files of a release."""

import json
from pathlib import Path
from zipfile import ZipFile

import pytest

from tools.release import CHECKOUT, INTEGRATION, ZIP, ReleaseError, make_zip, notes

CHANGELOG = "# Changelog\n\n## 1.1.0\n\n- New\n\n## 1.0.0\n\n- Old\n\n## 0.9.0\n"


def test_notes() -> None:
    """The notes are the changelog's section on one version."""
    assert notes(CHANGELOG, "1.1.0") == "- New\n"
    assert notes(CHANGELOG, "1.0.0") == "- Old\n"


@pytest.mark.parametrize("release", ["0.9.0", "1.0", "2.0.0"])
def test_no_notes(release: str) -> None:
    """A release needs notes."""
    with pytest.raises(ReleaseError, match=release):
        notes(CHANGELOG, release)


def test_unreleased() -> None:
    """A release leaves no change without a version."""
    changes = CHANGELOG.replace("## 1.1.0", "## Unreleased\n\n- Newer\n\n## 1.1.0")
    with pytest.raises(ReleaseError, match="Unreleased"):
        notes(changes, "1.1.0")
    assert notes(changes.replace("- Newer\n", ""), "1.1.0") == "- New\n"


def test_zip(tmp_path: Path) -> None:
    """The zip holds the integration's folder and is reproducible."""
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    make_zip(INTEGRATION, first)
    make_zip(INTEGRATION, second)

    assert first.read_bytes() == second.read_bytes()
    with ZipFile(first) as archive:
        names = archive.namelist()
        assert (
            archive.read("manifest.json")
            == (INTEGRATION / "manifest.json").read_bytes()
        )
    assert "translations/en.json" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith("/")]


def test_hacs() -> None:
    """hacs.json names the zip and the oldest Home Assistant that is tested."""
    hacs = json.loads((CHECKOUT / "hacs.json").read_text())
    pins = (CHECKOUT / "requirements" / "oldest.in").read_text()

    assert (hacs["zip_release"], hacs["filename"]) == (True, ZIP)
    assert f"\nhomeassistant=={hacs['homeassistant']}\n" in pins
