"""The fixtures of the tests against a real Home Assistant."""

import asyncio
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncGenerator
from pathlib import Path
import re
import signal
import sys

import pytest

from tools.home_assistant import HomeAssistant, ending_with_this_process, free_port

DEVELOP_LIMIT = 240  # seconds in which scripts/develop has to start or to end


@pytest.fixture
async def home_assistant(
    tmp_path: Path, socket_enabled: None
) -> AsyncGenerator[HomeAssistant]:
    """Return a Home Assistant that runs on a free port, with nothing set up."""
    async with HomeAssistant(tmp_path, free_port()) as home_assistant:
        yield home_assistant


@pytest.fixture
async def bare_url(tmp_path: Path, socket_enabled: None) -> AsyncGenerator[str]:
    """Return the address that `scripts/develop --bare` prints when it is running.

    Ctrl-C has to end it and all that it has started.
    """
    develop = await asyncio.create_subprocess_exec(
        *ending_with_this_process(sys.executable, "-m", "tools.develop", "--bare"),
        *("--config", str(tmp_path / "config"), "--port", str(free_port())),
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    assert develop.stdout is not None
    try:
        printed = ""
        async with asyncio.timeout(DEVELOP_LIMIT):
            while "Ctrl-C" not in printed:
                line = await develop.stdout.readline()
                assert line, printed
                printed += line.decode()
        (home_assistant,) = _children(develop.pid)
        (url,) = re.findall(r"^Open +(\S+)$", printed, re.MULTILINE)
        yield url
        develop.send_signal(signal.SIGINT)
        async with asyncio.timeout(DEVELOP_LIMIT):
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
