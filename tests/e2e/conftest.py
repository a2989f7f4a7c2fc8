"""The fixtures of the tests against a real Home Assistant."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tools.home_assistant import HomeAssistant, free_port

from .developing import developing


@pytest.fixture
async def home_assistant(
    tmp_path: Path, socket_enabled: None
) -> AsyncGenerator[HomeAssistant]:
    """Return a Home Assistant that runs on a free port, with nothing set up."""
    async with HomeAssistant(tmp_path, free_port()) as home_assistant:
        yield home_assistant


@pytest.fixture
async def bare_url(tmp_path: Path, socket_enabled: None) -> AsyncGenerator[str]:
    """Return the address that `scripts/develop --bare` prints when it is running."""
    async with developing(tmp_path / "config", free_port()) as url:
        yield url
