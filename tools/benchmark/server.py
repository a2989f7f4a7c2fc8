"""A measured server from outside: processor time, memory and database."""

import asyncio
from contextlib import closing
from dataclasses import dataclass
import os
from pathlib import Path
import sqlite3
import time

import psutil

from .load import SERVER_CORES

# HA's recorder commits every 5 seconds, after working through its queue.
QUIET = 30.0


@dataclass(frozen=True)
class Server:
    """A running server and the query that counts the readings in its database."""

    port: int
    pid: int
    database: Path | None = None
    count: str = ""
    parameters: tuple[str, ...] = ()

    def cpu_seconds(self) -> float:
        """Return the processor time that the process and its children have used."""
        process = psutil.Process(self.pid)
        times = [p.cpu_times() for p in (process, *process.children(recursive=True))]
        return float(sum(t.user + t.system for t in times))

    def rows(self) -> int:
        """Return how many readings are in the database."""
        if self.database is None:
            return 0
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
            ((number,),) = db.execute(self.count, self.parameters)
        return int(number)

    async def wait_for_rows(self, number: int) -> int:
        """Return the number of readings once it is `number` or stops growing."""
        rows = self.rows()
        changed = time.monotonic()
        while self.database and rows < number and time.monotonic() < changed + QUIET:
            await asyncio.sleep(0.1)
            if (now := self.rows()) != rows:
                rows = now
                changed = time.monotonic()
        return rows


def memory(pid: int) -> int:
    """Return the bytes of memory that a process holds."""
    return int(psutil.Process(pid).memory_info().rss)


def keep_off_load_core(pid: int) -> None:
    """Keep the main thread, which does the work, off the core of the load."""
    os.sched_setaffinity(pid, SERVER_CORES)  # the main thread's only
