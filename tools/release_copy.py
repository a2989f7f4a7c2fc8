"""The integration as a release has it: with the compiled firmware."""

from pathlib import Path
import shutil
import subprocess
import sys

from .seed import CHECKOUT, INTEGRATION

FIRMWARE = CHECKOUT / "firmware"
_COMPILER = CHECKOUT / ".tools" / "micropython" / "lib"


def add_firmware(config: Path, notes: str, source: Path = FIRMWARE) -> None:
    """Give a Home Assistant its own copy of the integration, with this firmware in it."""
    target = config / "custom_components" / INTEGRATION.name
    if target.is_symlink():
        target.unlink()
        left_out = shutil.ignore_patterns("firmware", "__pycache__")
        shutil.copytree(INTEGRATION, target, ignore=left_out)
    subprocess.run(
        [sys.executable, source / "build.py", target / "firmware"],
        check=True,
        env={"PYTHONPATH": str(_COMPILER)},
    )
    (target / "firmware" / "notes.md").write_text(notes)
