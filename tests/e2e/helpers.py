"""What the tests against a real Home Assistant share, beside the fixtures."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
import sqlite3


def rows(database: Path, entity_id: str) -> list[tuple[str, datetime]]:
    """Return each state of an entity with its time, as the recorder stored them."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return [
            (state, datetime.fromtimestamp(time, UTC))
            for state, time in connection.execute(
                "SELECT state, last_updated_ts FROM states"
                " JOIN states_meta USING (metadata_id)"
                " WHERE states_meta.entity_id = ? ORDER BY last_updated_ts, state_id",
                (entity_id,),
            )
        ]
