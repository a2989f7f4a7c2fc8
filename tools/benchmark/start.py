"""Measures what the integration adds to the start of Home Assistant (HA)."""

import asyncio
from asyncio.subprocess import PIPE
from pathlib import Path
import sys

from tools.station import OUTDOOR

from .home_assistant import BenchHomeAssistant
from .load import load
from .plan import Plan
from .systems import reports

INTEGRATION = "custom_components.esp_weather"
# Modules that HA has loaded before it loads the integration
LOADED = (
    "homeassistant.bootstrap",
    *(
        f"homeassistant.components.{name}"
        for name in ("binary_sensor", "diagnostics", "frontend", "recorder", "sensor")
    ),
)
MODULES = ("", ".binary_sensor", ".config_flow", ".diagnostics", ".sensor")


async def start(plan: Plan, folder: Path) -> str:
    """Measure the import, and look for complaints in HA's log."""
    imports = [await _import_seconds() for _ in range(plan.imports)]
    home_assistant = BenchHomeAssistant(folder / "start", [OUTDOOR], recorder=True)
    async with home_assistant:
        await load(home_assistant.port, reports([OUTDOOR]), 1, 1)
    complaints = [
        line
        for line in home_assistant.log.read_text(errors="replace").splitlines()
        if "blocking call" in line or INTEGRATION in line
    ]
    return f"""\
Importing the integration: {min(imports) * 1000:.1f} ms beyond Home Assistant's own modules.

Blocking calls and other complaints in the log: {"\n".join(complaints) or "none"}."""


async def _import_seconds() -> float:
    """Return the import time of the integration's modules and their dependencies."""
    code = "; ".join(
        [
            *(f"import {module}" for module in LOADED),
            "import sys; print('loaded', file=sys.stderr)",
            *(f"import {INTEGRATION}{module}" for module in MODULES),
        ]
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "importtime", "-c", code),
        cwd=Path(__file__).parents[2],
        stderr=PIPE,
    )
    _, output = await process.communicate()
    _, _, after = output.decode().partition("\nloaded\n")
    microseconds = 0
    for line in after.splitlines():
        own, _, module = line.removeprefix("import time:").split("|")
        if not module.strip().startswith("homeassistant."):
            microseconds += int(own)
    return microseconds / 1e6
