"""The command that measures the prediction of the next change."""

from pathlib import Path
import shutil
import sys

import pytest

from tools.crossing import main

SERIES = Path(__file__).parents[1] / "windows" / "series"


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["crossing", *arguments])
    main()


def test_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any folder of series gives a table: each house, and all together."""
    shutil.copy(SERIES / "valencia_2012.csv", tmp_path)

    _run(monkeypatch, str(tmp_path), "--every", "60")

    lines = capsys.readouterr().out.splitlines()
    names = ["next_change", "as yesterday", "trend", "week's profile"]
    assert [line[19:34].strip() for line in lines[1:9]] == names * 2
    assert lines[1].startswith("valencia_2012 ")
    assert lines[5].startswith("together ")
    assert "ms" in lines[9]


def test_no_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without series is refused with the reason."""
    with pytest.raises(SystemExit):
        _run(monkeypatch, str(tmp_path))

    assert "no series" in capsys.readouterr().err
