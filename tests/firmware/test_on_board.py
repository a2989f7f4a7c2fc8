"""Runs the tests of the folder on_board inside MicroPython, each in a fresh one.

On the interpreter for 32 bits the numbers are as large as on a board, and the firmware is the
one that boards get. The 64-bit one runs everywhere.
"""

import ast
import os
from pathlib import Path

import pytest

from .interpreter import (
    BOARD,
    CLOCK,
    FIRMWARE,
    INTERPRETER,
    INTERPRETER_32,
    TESTS,
    build_firmware,
    compile_modules,
    joined_modules,
    needs_32_bits,
    run,
)
from .server import report_server

type Run = tuple[Path, Path]  # an interpreter, and the firmware that it finds

ON_BOARD = TESTS / "on_board"
DAYS = int(os.getenv("DAYS") or 1)  # of month.py
TESTS_ON_BOARD = [
    (path.stem, function.name)
    for path in sorted(ON_BOARD.glob("*.py"))
    for function in ast.parse(path.read_text()).body
    if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
]


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the firmware, each module compiled for itself.

    From source it runs in test_memory.py and in tests/e2e.
    """
    folder = tmp_path_factory.mktemp("modules")
    for source in ("main.py", "slots.py", "esp_weather"):
        target = folder if source.endswith(".py") else folder / source
        compile_modules(FIRMWARE / source, target)
    return folder


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the firmware as a board gets it.

    Tests may import from a module that is joined with others there.
    """
    folder = tmp_path_factory.mktemp("board")
    build_firmware(folder)
    package = folder / "esp_weather"
    joined = joined_modules()
    for source in (FIRMWARE / "esp_weather").glob("*.py"):
        if not (package / source.with_suffix(".mpy").name).exists():
            text = f"from esp_weather.{joined[source.stem]} import *\n"
            (package / source.name).write_text(text)
    return folder


@pytest.fixture(
    params=[
        pytest.param("64 bits", id="64-bit"),
        pytest.param("32 bits", id="32-bit", marks=needs_32_bits),
    ]
)
def interpreter(request: pytest.FixtureRequest, modules: Path, board: Path) -> Run:
    """Return MicroPython with the firmware: for 64 bits, and as on a board for 32."""
    if request.param == "64 bits":
        return INTERPRETER, modules
    return INTERPRETER_32, board


@pytest.mark.timeout(90 + 30 * DAYS)
@pytest.mark.parametrize(
    ("module", "function"),
    TESTS_ON_BOARD,
    ids=["::".join(test) for test in TESTS_ON_BOARD],
)
async def test_on_board(
    module: str, function: str, interpreter: Run, tmp_path: Path, socket_enabled: None
) -> None:
    """A test passes in an interpreter of its own; -rP shows what it has printed."""
    program, firmware = interpreter
    async with report_server() as server:
        code, output = await run(
            tmp_path,
            *(TESTS / "run.py", module, function),
            modules=(firmware, BOARD, CLOCK, ON_BOARD),
            interpreter=program,
            SERVER_PORT=str(server.port),
        )
    if code:
        pytest.fail(output, pytrace=False)
    print(output)  # noqa: T201
    assert not server.mistaken
