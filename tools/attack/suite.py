"""The attacks by theme, and the function that runs them."""

from pathlib import Path
import sys
import time
from types import ModuleType

import aiohttp

from tools.home_assistant import HomeAssistantError

from . import (
    bans,
    connections,
    cost,
    crowds,
    databases,
    firmware_files,
    forms,
    growth,
    http_syntax,
    keys_in_logs,
    nonces,
    origins,
    races,
    signatures,
    uploads,
)
from .result import BrokenError, Result
from .target import Attack, Target

_FAILURES = (
    BrokenError,
    HomeAssistantError,
    aiohttp.ClientError,
    OSError,  # a TimeoutError, too
    # An answer is not what it always is.
    LookupError,
    TypeError,
    ValueError,
)
THEMES: dict[str, ModuleType] = {
    each.__name__.rpartition(".")[2]: each
    for each in (
        http_syntax,
        signatures,
        forms,
        nonces,
        origins,
        bans,
        keys_in_logs,
        crowds,
        connections,
        cost,
        firmware_files,
        races,
        growth,
        uploads,
        databases,
    )
}


async def run(folder: Path, themes: list[str], *, short: bool) -> list[Result]:
    """Run the attacks of some themes against a separate Home Assistant.

    A theme may be limited to one attack: `nonces.expired`.
    """
    async with Target.running(folder / "config", short=short) as target:
        return [
            await _attack(target, theme, attack)
            for theme, _, only in (each.partition(".") for each in themes)
            for attack in THEMES[theme].ATTACKS
            if only in {"", attack.__name__}
        ]


async def _attack(target: Target, theme: str, attack: Attack) -> Result:
    name = f"{theme}.{attack.__name__}"
    promise = (attack.__doc__ or "").partition("\n")[0]
    began = time.monotonic()
    figures = []
    broken = False
    for part in (attack, Target.see_that_nothing_broke):
        try:
            figures.append(await part(target))
        except _FAILURES as err:
            broken = True
            figures.append(str(err) or repr(err))
    figure = "; ".join(figures)
    print(
        f"{'BROKEN' if broken else 'holds '} {name} ({time.monotonic() - began:.1f} s):"
        f" {figure}",
        file=sys.stderr,
    )
    return Result(name, promise, broken, figure)
