"""The simulated power cut: only what was synced survives."""

from contextlib import closing, suppress
from pathlib import Path
import sqlite3

import pytest

from custom_components.esp_weather.recording.durability import DatabaseFiles
from tools.lossy_files import LossyDisk, LossyFilesMissingError

ROWS = 60


def _cut(folder: Path, *, is_synced: bool) -> tuple[int, str]:
    """Commit rows as the recorder does, cut the power, and return what is left."""
    disk = LossyDisk(folder)
    name = "home-assistant_v2.db"
    with disk.mounted():
        files = DatabaseFiles(disk.mount / name)
        connection = sqlite3.connect(disk.mount / name)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE states (state TEXT)")
        connection.commit()
        files.sync(connection)
        for number in range(ROWS):
            connection.execute("INSERT INTO states VALUES (?)", (f"{number}" * 900,))
            connection.commit()
        if is_synced:
            files.sync(connection)
        disk.cut()
        with suppress(sqlite3.Error):
            connection.close()
    with closing(sqlite3.connect(disk.disk / name)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM states").fetchone()
        (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
    return rows, integrity


def test_power_cut(tmp_path: Path) -> None:
    """Without the sync, committed rows are lost."""
    try:
        assert _cut(tmp_path / "synced", is_synced=True) == (ROWS, "ok")
    except LossyFilesMissingError as err:
        pytest.skip(str(err))
    rows, integrity = _cut(tmp_path / "not synced", is_synced=False)
    assert rows < ROWS
    assert integrity == "ok"
