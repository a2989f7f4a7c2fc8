"""A serial port of this machine with a board at its other end."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
import fcntl
import os
from pathlib import Path
import termios

from tools.station import OUTDOOR

from .interpreter import BOARD, INTERPRETER, TESTS

_START_LIMIT = 30  # seconds


@asynccontextmanager
async def board_at_port(
    folder: Path, portal: int = 0, *version: str
) -> AsyncGenerator[str]:
    """Run a board whose flash is a folder; return the name of its port.

    Its page is at the port `portal` of this machine. It may say that its MicroPython
    has another `version`.

    There are two terminals, one that the board has as its own, so that Ctrl-C
    interrupts it, and one that is the port.
    """
    loop = asyncio.get_running_loop()
    port, port_end = os.openpty()
    board, board_end = os.openpty()
    _make_plain(port_end, 0)
    _make_plain(board_end, termios.ISIG | termios.NOFLSH)
    process = await asyncio.create_subprocess_exec(
        *(INTERPRETER, TESTS / "raw_repl.py", OUTDOOR.mac),
        *version,
        cwd=folder,
        env={"MICROPYPATH": str(BOARD), "PORTAL_HTTP": str(portal)},
        stdin=board_end,
        stdout=board_end,
        stderr=board_end,
        preexec_fn=_own_terminal,
    )
    started = asyncio.Event()
    loop.add_reader(board, started.set)
    _connect(loop, port, board)
    try:
        # Before, a Ctrl-C would end it, unlike a real board.
        async with asyncio.timeout(_START_LIMIT):
            await started.wait()
        _connect(loop, board, port)
        yield os.ttyname(port_end)
    finally:
        for each in (port, board):
            loop.remove_reader(each)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        for each in (port, port_end, board, board_end):
            os.close(each)


def _own_terminal() -> None:
    """Make this process one that Ctrl-C of its terminal interrupts."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _make_plain(terminal: int, flags: int) -> None:
    """Set a terminal to pass bytes unchanged, except for these `flags`."""
    attributes = termios.tcgetattr(terminal)
    attributes[0] = attributes[1] = 0
    attributes[3] = flags
    attributes[6][termios.VQUIT] = attributes[6][termios.VSUSP] = b"\x00"
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)


def _connect(loop: AbstractEventLoop, source: int, target: int) -> None:
    def copy() -> None:
        try:
            os.write(target, os.read(source, 4096))
        except OSError:  # The other end is gone.
            loop.remove_reader(source)

    loop.add_reader(source, copy)
