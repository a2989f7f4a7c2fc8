"""Database servers for the recorder, run by an ordinary user on a free port."""

import asyncio
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import tempfile

from .home_assistant import free_port

START_LIMIT = 60  # seconds
STOP_LIMIT = 30  # seconds


class DatabaseMissingError(Exception):
    """The database server is not installed; the text names its package."""


@dataclass(frozen=True)
class Database:
    """A database server of Debian.

    `prepare`, `serve` and `create` return the commands that lay out a folder,
    serve it on a port and make an empty database there; `url` is how HA's
    recorder names it.
    """

    package: str
    user: str  # the user that runs it if this process is root, which it refuses
    programs: str  # a pattern of paths of the program that serves
    prepare: Callable[[Path, Path], Sequence[str]]
    serve: Callable[[Path, Path, int], Sequence[str]]
    create: Callable[[Path, Path, int], Sequence[str]]
    url: str

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[str]:
        """Serve an empty database in a folder of its own; return its URL.

        Raises DatabaseMissingError if the server is not installed.
        """
        program = self._program()
        user = self.user if os.geteuid() == 0 else None
        port = free_port()
        # Not in a folder of pytest, which keeps other users out of those.
        with tempfile.TemporaryDirectory(prefix="esp_weather-") as name:
            folder = Path(name)
            if user:
                shutil.chown(folder, user)
            if await _run(self.prepare(program, folder), user, folder):
                raise RuntimeError(f"{program}: {(folder / 'log').read_text()}")
            with (folder / "log").open("ab") as log:
                server = await asyncio.create_subprocess_exec(
                    *self.serve(program, folder, port),
                    user=user,
                    stdin=DEVNULL,
                    stdout=log,
                    stderr=STDOUT,
                    start_new_session=True,
                )
            try:
                async with asyncio.timeout(START_LIMIT):
                    while await _run(self.create(program, folder, port), user, folder):
                        await asyncio.sleep(0.2)
                yield self.url.format(port=port)
            finally:
                server.terminate()
                await asyncio.wait_for(server.wait(), STOP_LIMIT)

    def _program(self) -> Path:
        if not (found := sorted(Path("/").glob(self.programs))):
            raise DatabaseMissingError(f"Debian's package {self.package} is missing")
        return found[-1]


async def _run(command: Sequence[str], user: str | None, folder: Path) -> int:
    """Run a command of the server to its end and return its exit code."""
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, user=user, stdin=DEVNULL, stdout=log, stderr=STDOUT, cwd=folder
        )
    return await process.wait()


POSTGRESQL = Database(
    package="postgresql",
    user="postgres",
    programs="usr/lib/postgresql/*/bin/postgres",
    prepare=lambda program, folder: (
        str(program.with_name("initdb")),
        "--auth=trust",
        "--username=homeassistant",
        "--encoding=UTF8",
        "--no-sync",
        f"--pgdata={folder}/data",
    ),
    serve=lambda program, folder, port: (
        str(program),
        *("-D", f"{folder}/data", "-p", str(port), "-k", str(folder)),
        *("-c", "listen_addresses=127.0.0.1"),
    ),
    create=lambda program, folder, port: (
        str(program.with_name("createdb")),
        *("-h", "127.0.0.1", "-p", str(port), "-U", "homeassistant", "homeassistant"),
    ),
    url="postgresql://homeassistant@127.0.0.1:{port}/homeassistant",
)

MARIADB = Database(
    package="mariadb-server",
    user="mysql",
    programs="usr/sbin/mariadbd",
    prepare=lambda program, folder: (
        "mariadb-install-db",
        "--no-defaults",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        f"--datadir={folder}/data",
    ),
    serve=lambda program, folder, port: (
        str(program),
        "--no-defaults",
        f"--datadir={folder}/data",
        f"--socket={folder}/socket",
        f"--pid-file={folder}/pid",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--skip-log-bin",
    ),
    create=lambda program, folder, port: (
        "mariadb",
        "--no-defaults",
        f"--socket={folder}/socket",
        "--user=root",
        "--execute=CREATE DATABASE homeassistant CHARACTER SET utf8mb4",
    ),
    url="mysql+pymysql://root@127.0.0.1:{port}/homeassistant?charset=utf8mb4",
)
