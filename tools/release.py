"""Check that a release is ready, and make its files: python -m tools.release.

dist/ then holds esp_weather.zip, which HACS installs, with the compiled firmware in it,
SHA256SUMS, and notes.md from CHANGELOG.md. The same commit always makes the same zip.
"""

import argparse
from hashlib import sha256
import json
from pathlib import Path
import re
import subprocess
import sys
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

CHECKOUT = Path(__file__).parents[1]
INTEGRATION = CHECKOUT / "custom_components" / "esp_weather"
CHANGELOG = CHECKOUT / "CHANGELOG.md"
ZIP = "esp_weather.zip"  # as hacs.json names it
UNRELEASED = "Unreleased"

_LEFT_OUT = {"__pycache__"}


class ReleaseError(Exception):
    """A release that is not ready."""


def version() -> str:
    """Return the version, which only the manifest defines."""
    manifest = json.loads((INTEGRATION / "manifest.json").read_text())
    return str(manifest["version"])


def notes(changelog: str, release: str) -> str:
    """Return the changelog's section on a release.

    Raises ReleaseError if there is none, or if there are changes after it.
    """
    if _section(changelog, UNRELEASED):
        raise ReleaseError(
            f"CHANGELOG.md has changes under “{UNRELEASED}”. Rename that section to the"
            " new version, and set that version in manifest.json."
        )
    if not (text := _section(changelog, release)):
        raise ReleaseError(f"CHANGELOG.md has no section “## {release}” with a text.")
    return f"{text}\n"


def _section(changelog: str, title: str) -> str:
    """Return the text of a section, "" if there is none."""
    section = re.search(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    return section[1].strip() if section else ""


def make_zip(folder: Path, target: Path) -> None:
    """Pack the integration so that the same files give the same bytes."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not _LEFT_OUT & {*path.relative_to(folder).parts}
    )
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for path in files:
            # The default date, so that the zip is reproducible
            entry = ZipInfo(str(path.relative_to(folder)))
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())


def check(release: str, tag: str | None) -> str:
    """Return the notes of a release that is ready. Raises ReleaseError."""
    if tag not in {None, release}:
        raise ReleaseError(f"The tag is {tag}, but the manifest has {release}.")
    if changed := _git("status", "--porcelain"):
        raise ReleaseError(f"Commit or remove these first:\n{changed}")
    if tag is None and _git("tag", "--list", release):
        raise ReleaseError(
            f"There is a tag {release} already. Set a new version in manifest.json."
        )
    return notes(CHANGELOG.read_text(), release)


def _git(*arguments: str) -> str:
    """Return the output of a git command."""
    return subprocess.run(
        ["git", *arguments], cwd=CHECKOUT, capture_output=True, check=True, text=True
    ).stdout


def main() -> None:
    """Make the files of a release, or print what is missing for it."""
    parser = argparse.ArgumentParser(prog="scripts/release", description=__doc__)
    parser.add_argument("--check-tag", metavar="TAG", help="the tag that is released")
    tag = parser.parse_args().check_tag
    release = version()
    try:
        text = check(release, tag)
    except ReleaseError as err:
        sys.exit(str(err))
    dist = CHECKOUT / "dist"
    dist.mkdir(exist_ok=True)
    (dist / "notes.md").write_text(text)
    make_zip(INTEGRATION, dist / ZIP)
    digest = sha256((dist / ZIP).read_bytes()).hexdigest()
    (dist / "SHA256SUMS").write_text(f"{digest}  {ZIP}\n")
    print(f"dist/{ZIP} of {release}: sha256 {digest}")
    if tag is None:
        print(f"To publish it: git tag {release} && git push origin {release}")


if __name__ == "__main__":
    main()
