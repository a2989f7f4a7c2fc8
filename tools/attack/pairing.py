"""A pairing dialog of the owner."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
import re
from typing import Any

from .result import require
from .target import FLOWS, Target

_KEY = re.compile(r"API_key=([\w-]{1,64})/")


@asynccontextmanager
async def pairing(target: Target) -> AsyncGenerator[tuple[str, str]]:
    """Open the dialog; return the path of its flow and the key that it shows."""
    rest = target.home_assistant.rest
    step = await rest("POST", FLOWS, {"handler": "esp_weather"})
    option = next((each for each in step["menu_options"] if "pair" in each), "pair")
    flow = f"{FLOWS}/{step['flow_id']}"
    try:
        shown: Any = await rest("POST", flow, {"next_step_id": option})
        found = _KEY.search(json.dumps(shown))
        require(found, f"no key in the dialog: {shown}")
        yield flow, found[1] if found else ""
    finally:
        await rest("DELETE", flow)
