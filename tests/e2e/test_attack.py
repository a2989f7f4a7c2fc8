"""A short run of `python -m tools.attack` against a real Home Assistant."""

from pathlib import Path

import pytest

from tools.attack.result import table
from tools.attack.suite import THEMES, run


@pytest.mark.timeout(600)
async def test_promises_hold(tmp_path: Path, socket_enabled: None) -> None:
    """No attack breaks a promise of docs/security-and-reliability.md."""
    results = await run(tmp_path, list(THEMES), short=True)
    assert len(results) > len(THEMES)
    broken = [result for result in results if result.broken]
    assert not broken, table(broken)
