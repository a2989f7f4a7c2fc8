"""Runs the tests of the folder on_board inside MicroPython, each in a fresh one."""

import ast
from pathlib import Path

import pytest

from .interpreter import BOARD, CLOCK, FIRMWARE, TESTS, run
from .server import report_server

ON_BOARD = TESTS / "on_board"
TESTS_ON_BOARD = [
    (path.stem, function.name)
    for path in sorted(ON_BOARD.glob("*.py"))
    for function in ast.parse(path.read_text()).body
    if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
]


@pytest.mark.parametrize(
    ("module", "function"),
    TESTS_ON_BOARD,
    ids=["::".join(test) for test in TESTS_ON_BOARD],
)
async def test_on_board(
    module: str, function: str, tmp_path: Path, socket_enabled: None
) -> None:
    """A test passes in an interpreter of its own."""
    async with report_server() as server:
        code, output = await run(
            tmp_path,
            *(TESTS / "run.py", module, function),
            modules=(FIRMWARE, BOARD, CLOCK, ON_BOARD),
            SERVER_PORT=str(server.port),
        )
    if code:
        pytest.fail(output, pytrace=False)
