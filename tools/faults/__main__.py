"""Prints what a real Home Assistant (HA) loses under faults.

Run `python -m tools.faults` for the figures of docs/security-and-reliability.md.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from http import HTTPStatus
from pathlib import Path
import tempfile
from typing import Any

from homeassistant.const import __version__
from tools.databases import MARIADB, POSTGRESQL, DatabaseMissingError
from tools.load import NO_ANSWER

from .common import FaultError, Result
from .machine import (
    changes,
    clock,
    database,
    flood,
    full,
    kill,
    locked,
    overload,
    restart,
)
from .recorder import (
    Replacement,
    backup,
    copy_older,
    delete,
    delete_log,
    disabled,
    dropped,
    dropped_for_statistics,
    excluded,
    move_empty,
    move_older,
    replaced,
    truncate,
    without_recorder,
)

type Fault = Callable[[Path], Awaitable[Result]]


def _replaced(replace: Replacement, *, report: bool = True) -> Fault:
    return lambda folder: replaced(folder, replace, report=report)


FAULTS: Mapping[str, Fault] = {
    "flood for 30 s": flood,
    "flood by one station for 30 s": lambda folder: flood(folder, stations=1),
    "flood of signed reports for 30 s": lambda folder: flood(folder, signed=True),
    "database locked for a minute": locked,
    "more reports than a slow disk takes": overload,
    "disk full for 20 s": lambda folder: full(folder, 20),
    "disk full for a minute": full,
    "HA restarted 3 times": restart,
    "HA killed 5 times, commit_interval 5": lambda folder: kill(folder, 5, 5),
    "HA killed 5 times, commit_interval 1": lambda folder: kill(folder, 1, 5),
    "HA killed 5 times, commit_interval 0": lambda folder: kill(folder, 0, 5),
    "clock set an hour ahead and back": clock,
    "stations changed, recorder purged": changes,
    "recorder disabled 4 times": disabled,
    "database replaced: deleted": _replaced(delete),
    "database replaced: deleted before the first report": _replaced(
        delete, report=False
    ),
    "database replaced: log deleted": _replaced(delete_log),
    "database replaced: log deleted before the first report": _replaced(
        delete_log, report=False
    ),
    "database replaced: older one moved in": _replaced(move_older),
    "database replaced: older one moved in before the first report": _replaced(
        move_older, report=False
    ),
    "database replaced: empty file moved in": _replaced(move_empty),
    "database replaced: older one written over it": _replaced(copy_older),
    "database replaced: emptied": _replaced(truncate),
    "backup 3 times": backup,
    "recorder drops its rows": dropped,
    "recorder drops its rows, statistics": dropped_for_statistics,
    "without recorder": without_recorder,
    "excluded from recording": excluded,
    "PostgreSQL": lambda folder: database(folder, POSTGRESQL),
    "MariaDB": lambda folder: database(folder, MARIADB),
}


async def _run(name: str, fault: Fault) -> str:
    """Return the line of the table for a fault."""
    with tempfile.TemporaryDirectory(prefix="esp_weather-") as folder:
        try:
            result = await fault(Path(folder))
        except (FaultError, DatabaseMissingError) as err:
            return f"| {name} | not possible here: {err} |"
    outcome = result.outcome
    cells: list[Any] = [
        name,
        outcome.sent,
        len(outcome.taken),
        outcome.answers[HTTPStatus.SERVICE_UNAVAILABLE],
        outcome.answers[NO_ANSWER],
        result.lost,
        result.unanswered_rows,
        result.twice,
        result.backlog or "",
        f"{max(result.looks):.2f} s" if result.looks else "",
        f"{outcome.percentile(99):.3f} s",
    ]
    if (numbered := result.numbered) is not None:
        cells += [numbered.measured, numbered.confirmed, numbered.lost]
        cells += [numbered.twice, numbered.wrong, numbered.left]
        notes = [f"{name}: {figure}" for name, figure in result.figures.items()]
        cells.append("; ".join([*notes, f"issues: {result.issues}"]))
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def main() -> None:
    """Print the table; names on the command line choose some of its lines."""
    parser = argparse.ArgumentParser(prog="python -m tools.faults", description=__doc__)
    parser.add_argument(
        "words", nargs="*", help="only faults that contain one of these"
    )
    words = parser.parse_args().words
    print(f"Home Assistant {__version__}, {date.today()}\n")
    print(
        "| fault | sent | 200 | 503 | no answer | lost | rows without 200 | twice |"
        " backlog | slowest websocket | p99 | numbered | confirmed | lost | twice |"
        " wrong | not confirmed | notes |"
    )
    print(f"|{'---|' * 18}")
    for name, fault in FAULTS.items():
        if not words or any(word in name for word in words):
            print(asyncio.run(_run(name, fault)), flush=True)


if __name__ == "__main__":
    main()
