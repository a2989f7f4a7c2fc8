"""Runs the JavaScript of the dashboard without a browser."""

from pathlib import Path
import subprocess

import playwright

# Playwright comes with a Node.js that is newer than Debian's.
_NODE = Path(playwright.__file__).parent / "driver" / "node"
_FOLDER = Path(__file__).parent / "javascript"


def run_node(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Node.js in the folder of the JavaScript tests."""
    return subprocess.run(
        [_NODE, "--no-warnings", *arguments],
        cwd=_FOLDER,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
