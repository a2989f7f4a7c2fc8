"""The fixtures of the tests against a real Home Assistant."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
import pytest_socket

from tools.home_assistant import HomeAssistant, free_port

from .developing import developing


@pytest.fixture
async def home_assistant(
    tmp_path: Path, socket_enabled: None
) -> AsyncGenerator[HomeAssistant]:
    """Return a Home Assistant that runs on a free port, with nothing set up."""
    async with HomeAssistant(tmp_path, free_port()) as home_assistant:
        yield home_assistant


@pytest.fixture(scope="module")
def _home_assistant_of_module(
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[HomeAssistant]:
    """Run a Home Assistant for the tests of a module, in an event loop of its own."""
    pytest_socket.enable_socket()
    home_assistant = HomeAssistant(
        tmp_path_factory.mktemp("home-assistant"), free_port()
    )
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(home_assistant.start())
        yield home_assistant
        runner.run(home_assistant.stop())


@pytest.fixture
async def shared_home_assistant(
    _home_assistant_of_module: HomeAssistant, socket_enabled: None
) -> AsyncGenerator[HomeAssistant]:
    """Return a Home Assistant that the tests of a module share."""
    async with _home_assistant_of_module.logged_in():
        yield _home_assistant_of_module


@pytest.fixture
async def bare_url(tmp_path: Path, socket_enabled: None) -> AsyncGenerator[str]:
    """Return the address that `scripts/develop --bare` prints when it is running."""
    async with developing(tmp_path / "config", free_port()) as url:
        yield url
