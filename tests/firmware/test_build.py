"""The compiled firmware in a release."""

from hashlib import sha256
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys

from custom_components.esp_weather.const import FIRMWARE_VERSION

from .interpreter import COMPILER, FIRMWARE, joined_modules


def _run(target: Path, firmware: Path = FIRMWARE) -> str:
    """Compile into a folder and return the error."""
    process = subprocess.run(
        [sys.executable, firmware / "build.py", target],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(COMPILER.parents[1])},
    )
    assert process.returncode == (1 if process.stderr else 0)
    return process.stderr


def _build(target: Path) -> dict[str, bytes]:
    """Compile into a folder and return its files."""
    assert not _run(target)
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
    joined = joined_modules()
    modules = (path.stem for path in (FIRMWARE / "esp_weather").glob("*.py"))
    assert set(files) == {f"{joined.get(name, name)}.mpy" for name in modules}
    # A station reads it as a whole, with its heap.
    assert len((target / "firmware.json").read_bytes()) < 6_000


def test_same_source_same_files(tmp_path: Path) -> None:
    """Two builds have the same digests, wherever they are made."""
    assert _build(tmp_path / "one") == _build(tmp_path / "another place")


def test_no_name_is_defined_twice(tmp_path: Path) -> None:
    """Two joined modules cannot define the same name."""
    firmware = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, firmware)
    with (firmware / "esp_weather" / "clock.py").open("a") as file:
        file.write("\ndef main() -> None:\n    pass\n")
    assert _run(tmp_path, firmware) == "start defines main twice.\n"
