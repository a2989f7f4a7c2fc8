"""Runs `scripts/develop` during a test."""

import asyncio
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
import re
import signal
import sys

from tools.home_assistant import ending_with_this_process

LIMIT = 240  # seconds to start or to end


@asynccontextmanager
async def developing(
    config: Path, port: int, stations: str = "--bare"
) -> AsyncGenerator[str]:
    """Run it until the block ends; yield the address that it prints.

    Checks that Ctrl-C ends it with all that it has started.
    """
    develop = await asyncio.create_subprocess_exec(
        *ending_with_this_process(sys.executable, "-m", "tools.develop", stations),
        *("--config", str(config), "--port", str(port)),
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    assert develop.stdout is not None
    try:
        printed = ""
        async with asyncio.timeout(LIMIT):
            while "Ctrl-C" not in printed:
                line = await develop.stdout.readline()
                assert line, printed
                printed += line.decode()
        home_assistant, *_ = _children(develop.pid)
        (url,) = re.findall(r"^Open +(\S+)$", printed, re.MULTILINE)
        yield url
        develop.send_signal(signal.SIGINT)
        async with asyncio.timeout(LIMIT):
            assert "Stopped." in (await develop.stdout.read()).decode()
            assert await develop.wait() == 0
        assert not _is_running(home_assistant)
    finally:
        if develop.returncode is None:
            develop.terminate()
            await develop.communicate()


def _children(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def _is_running(process: str) -> bool:
    return Path("/proc", process).exists()
