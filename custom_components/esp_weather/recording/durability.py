"""Syncs the files of the recorder's database to the disk.

SQLite under Home Assistant runs with `synchronous=NORMAL`: what is committed survives a
kill of the process, not a power cut. PostgreSQL and MariaDB are durable at commit.
"""

import os
from pathlib import Path

from sqlalchemy import make_url


class DatabaseReplacedError(Exception):
    """The database's file was deleted, or another one has taken its place."""


class DatabaseFiles:
    """The files of a SQLite database. Blocking; one thread at a time."""

    def __init__(self, file: Path) -> None:
        """Name the database's file; nothing is opened."""
        self._file = file
        self._log = file.with_name(f"{file.name}-wal")
        self._owner: object = None
        self._inode: int | None = None
        self._log_inode: int | None = None

    @classmethod
    def of(cls, url: str) -> DatabaseFiles | None:
        """Return the files of a database, None if its commits are durable anyway."""
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite" or parsed.database in (
            None,
            ":memory:",
        ):
            return None
        return cls(Path(str(parsed.database)))

    def sync(self, owner: object) -> None:
        """Return once everything that was committed is on the disk.

        `owner` is the recorder's engine, a new one if the recorder itself has begun
        a new database. Raises DatabaseReplacedError if another file or another log is
        there now than at the first sync, or OSError if the file cannot be written.
        """
        self._check(owner)
        self._sync_log()

    def _check(self, owner: object) -> None:
        try:
            inode = self._file.stat().st_ino
        except FileNotFoundError:
            raise DatabaseReplacedError from None
        if owner is not self._owner:
            self._owner, self._inode, self._log_inode = owner, inode, None
        elif inode != self._inode:
            raise DatabaseReplacedError

    def _sync_log(self) -> None:
        # This descriptor is closed again. Closed on the database's own file, it would
        # take all of SQLite's locks with it, which are the process's.
        try:
            log = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            # Where SQLite cannot have such a log, it syncs by itself.
            if self._log_inode is None:
                return
            raise DatabaseReplacedError from None
        try:
            os.fsync(log)
            inode = os.fstat(log).st_ino
        finally:
            os.close(log)
        if self._log_inode not in (None, inode):
            raise DatabaseReplacedError
        # A new file's name is only durable once its folder is synced.
        if self._log_inode is None:
            _sync_folder(self._log.parent)
            self._log_inode = inode


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
