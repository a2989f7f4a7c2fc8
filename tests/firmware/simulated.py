"""The simulated board in a process of its own, whose portal a phone can reach."""

import asyncio
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
import os
from pathlib import Path
from typing import Any

import aiohttp

from tools.home_assistant import free_port
from tools.station import OUTDOOR

from .interpreter import BOARD, FIRMWARE, INTERPRETER, SIMULATOR

PORTAL = "192.168.4.1"
COMMAND = (INTERPRETER, SIMULATOR / "board.py", OUTDOOR.mac, "20", "5")
LIMIT = 40  # seconds for what is waited for


@dataclass
class Board:
    """A board whose flash is a folder."""

    folder: Path
    http: int
    dns: int

    @property
    def console(self) -> str:
        """Return what it has said."""
        return (self.folder / "console.log").read_text()

    @property
    def settings(self) -> dict[str, Any] | None:
        """Return what is in its config.json, None if there is none."""
        path = self.folder / "config.json"
        return json.loads(path.read_text()) if path.exists() else None

    async def says(self, text: str, times: int = 1) -> None:
        """Wait until it has said this so often."""
        try:
            async with asyncio.timeout(LIMIT):
                while self.console.count(text) < times:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise TimeoutError(f"{text!r} is not in:\n{self.console}") from None

    async def request(
        self,
        path: str = "/",
        form: Mapping[str, str] | None = None,
        *,
        host: str = PORTAL,
        language: str = "en",
        **headers: str,
    ) -> tuple[int, str, str]:
        """Ask as a phone does; return status, location and content."""
        await self.says("Portal: join")
        all_headers = {"Host": host, "Accept-Language": language, **headers}
        async with aiohttp.request(
            "GET" if form is None else "POST",
            f"http://127.0.0.1:{self.http}{path}",
            data=form,
            headers=all_headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(LIMIT),
        ) as answer:
            return (
                answer.status,
                answer.headers.get("Location", ""),
                await answer.text(),
            )


@asynccontextmanager
async def simulated_board(
    folder: Path,
    config: Mapping[str, Any] | None = None,
    command: Sequence[str | Path] = COMMAND,
    modules: str = f"{FIRMWARE}:{BOARD}",
) -> AsyncGenerator[Board]:
    """Run a board that measures on the clock of this machine."""
    board = Board(folder, free_port(), free_port())
    with _prepare(folder, config).open("wb") as console:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={
                **os.environ,
                "MICROPYPATH": modules,
                "PORTAL_HTTP": str(board.http),
                "PORTAL_DNS": str(board.dns),
            },
            stdin=DEVNULL,
            stdout=console,
            stderr=STDOUT,
        )
    try:
        yield board
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _prepare(folder: Path, config: Mapping[str, Any] | None) -> Path:
    """Make a board's folder and return the file for its console."""
    folder.mkdir(exist_ok=True)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder / "console.log"
