"""What the tests share in which a board goes the whole way with Home Assistant (HA)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
import shutil

from tests.firmware.simulated import COMMAND, Board
from tools.home_assistant import HomeAssistant, free_port
from tools.release_copy import add_firmware
from tools.seed import seed, store
from tools.station import CHECKOUT

LIMIT = 120  # seconds for what is waited for
# A board that reports several fields at once, and its next two versions
BOARD = (*COMMAND, "esp32")
NEXT = "8.0.0"
BROKEN = "9.0.0"
UNDONE = (
    "The last update was undone: the new version could not report."
    " The previous version is running."
)

_SAY = 'print("ESP Weather", VERSION)'
# Home Assistant, which leaves the loopback out when it announces itself
_ANNOUNCING = """
import sys
from zeroconf import IPVersion
from homeassistant.components import zeroconf
loopback = {"ip_version": IPVersion.V4Only, "interfaces": ["127.0.0.1"]}
zeroconf._async_get_zc_args = lambda hass: loopback
from homeassistant.__main__ import main
sys.exit(main())
"""


@asynccontextmanager
async def announced_home_assistant(config: Path) -> AsyncGenerator[HomeAssistant]:
    """Run a Home Assistant that announces itself on this machine alone.

    It has a newer version of the firmware than that of the board.
    """
    port = free_port()
    await asyncio.to_thread(_prepare, config, port)
    async with HomeAssistant(
        config, port, program=("-c", _ANNOUNCING)
    ) as home_assistant:
        yield home_assistant


def _prepare(config: Path, port: int) -> None:
    seed(config, port)
    store(config, "core.network", 1, {"configured_adapters": ["lo"]})
    with (config / "configuration.yaml").open("a") as file:
        file.write("\nzeroconf:\n")
    _release(config, NEXT, _SAY)


async def release_broken(home_assistant: HomeAssistant) -> None:
    """Restart HA with a version of the firmware that ends as soon as it starts."""
    await home_assistant.stop()
    broken = f"{_SAY}; machine.reset()"
    await asyncio.to_thread(_release, home_assistant.config, BROKEN, broken)
    await home_assistant.start()


def _release(config: Path, version: str, start: str) -> None:
    """Give HA another version of the firmware.

    `start` is what the firmware does when it starts, instead of saying its version.
    """
    source = config / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(CHECKOUT / "firmware", source)
    package = source / "esp_weather"
    text = (package / "__init__.py").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VERSION"))
    (package / "__init__.py").write_text(text.replace(line, f'VERSION = "{version}"'))
    text = (package / "start.py").read_text()
    assert _SAY in text
    (package / "start.py").write_text(text.replace(_SAY, start))
    add_firmware(config, f"## {version}\n", source)


async def until_interval(board: Board, interval: int) -> None:
    """Wait until the board has this interval. Raises TimeoutError."""
    async with asyncio.timeout(LIMIT):
        while (board.settings or {})["interval"] != interval:
            await asyncio.sleep(0.1)


def expect_undone(board: Board) -> None:
    """Expect that the board has started what is broken, and runs what was before."""
    assert board.console.count(f"ESP Weather {BROKEN}\n") == 4
    assert (board.folder / "slot").read_text() == "a\n"
