"""Runs the tests of the folder on_board inside MicroPython, each in a fresh one."""

import ast
import asyncio
from asyncio.subprocess import PIPE, STDOUT
import os
from pathlib import Path

import pytest

from .interpreter import FIRMWARE, MICROPYTHON, TESTS, environment
from .server import report_server

TESTS_ON_BOARD = [
    (path.stem, function.name)
    for path in sorted((TESTS / "on_board").glob("*.py"))
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
        process = await asyncio.create_subprocess_exec(
            MICROPYTHON / "bin" / "micropython",
            TESTS / "run.py",
            module,
            function,
            cwd=tmp_path,
            env={
                **os.environ,
                **environment(
                    FIRMWARE, TESTS / "board", TESTS / "clock", TESTS / "on_board"
                ),
                "SERVER_PORT": str(server.port),
            },
            stdout=PIPE,
            stderr=STDOUT,
        )
        output, _ = await process.communicate()
    if process.returncode:
        pytest.fail(output.decode(), pytrace=False)
