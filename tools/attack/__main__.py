"""Runs the attacks: `python -m tools.attack [THEME[.ATTACK]…] [--short]`."""

import argparse
import asyncio
from pathlib import Path
import sys
import tempfile

from .result import table
from .suite import THEMES, run


def main() -> None:
    """Run the attacks and print the table; exit with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tools.attack", description=__doc__)
    names = [*THEMES]
    for theme, module in THEMES.items():
        names += [f"{theme}.{attack.__name__}" for attack in module.ATTACKS]
    parser.add_argument(
        "theme",
        nargs="*",
        choices=[*names, []],
        metavar="THEME[.ATTACK]",
        help=f"all if none: {', '.join(THEMES)}",
    )
    parser.add_argument("--short", action="store_true", help="fewer tries of each")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = asyncio.run(
            run(Path(folder), arguments.theme or list(THEMES), short=arguments.short)
        )
    print(table(results))
    sys.exit(any(result.broken for result in results))


if __name__ == "__main__":
    main()
