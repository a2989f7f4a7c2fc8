"""Runs the tests of the folder on_board inside MicroPython, each in a fresh one."""

import ast
from pathlib import Path

import pytest

from .interpreter import BOARD, CLOCK, FIRMWARE, TESTS, compile_modules, run
from .server import report_server

ON_BOARD = TESTS / "on_board"
TESTS_ON_BOARD = [
    (path.stem, function.name)
    for path in sorted(ON_BOARD.glob("*.py"))
    for function in ast.parse(path.read_text()).body
    if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
]


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the firmware, compiled: it starts some thousand times.

    From source it runs in test_memory.py and in tests/e2e.
    """
    folder = tmp_path_factory.mktemp("firmware")
    for source in ("main.py", "slots.py", "esp_weather"):
        target = folder if source.endswith(".py") else folder / source
        compile_modules(FIRMWARE / source, target)
    return folder


@pytest.mark.parametrize(
    ("module", "function"),
    TESTS_ON_BOARD,
    ids=["::".join(test) for test in TESTS_ON_BOARD],
)
async def test_on_board(
    module: str, function: str, firmware: Path, tmp_path: Path, socket_enabled: None
) -> None:
    """A test passes in an interpreter of its own."""
    async with report_server() as server:
        code, output = await run(
            tmp_path,
            *(TESTS / "run.py", module, function),
            modules=(firmware, BOARD, CLOCK, ON_BOARD),
            SERVER_PORT=str(server.port),
        )
    if code:
        pytest.fail(output, pytrace=False)
    assert not server.mistaken
