"""The compiled firmware that a release brings."""

from hashlib import sha256
import json
import os
from pathlib import Path
import subprocess
import sys

from custom_components.esp_weather.const import FIRMWARE_VERSION

from .interpreter import COMPILER, FIRMWARE


def _build(target: Path) -> dict[str, bytes]:
    """Compile into a folder and return its files."""
    subprocess.run(
        [sys.executable, FIRMWARE / "build.py", target],
        check=True,
        env={**os.environ, "PYTHONPATH": str(COMPILER.parents[1])},
    )
    return {path.name: path.read_bytes() for path in sorted(target.iterdir())}


def test_build(tmp_path: Path) -> None:
    """The manifest names each module with its digest; what was there before is gone."""
    target = tmp_path / "firmware"
    target.mkdir()
    (target / "removed.mpy").touch()
    files = _build(target)
    manifest = json.loads(files.pop("firmware.json"))
    assert manifest == {
        "version": FIRMWARE_VERSION,
        "bytecode": 6,
        "files": {
            name: [len(content), sha256(content).hexdigest()]
            for name, content in files.items()
        },
    }
    modules = (FIRMWARE / "esp_weather").glob("*.py")
    assert sorted(files) == sorted(f"{path.stem}.mpy" for path in modules)
    # A station reads it as a whole, with its heap.
    assert len((target / "firmware.json").read_bytes()) < 6_000


def test_same_source_same_files(tmp_path: Path) -> None:
    """Two builds have the same digests, wherever they are made."""
    assert _build(tmp_path / "one") == _build(tmp_path / "another place")
