"""Run Home Assistant (HA) with the integration of this checkout, to try it out."""

import argparse
import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
import fcntl
from itertools import count
import os
from pathlib import Path
import signal
import sys
import time

from homeassistant.const import __version__

from .home_assistant import HomeAssistant, HomeAssistantError, free_port
from .house import MORE_STATIONS
from .past import add_past
from .station import (
    INDOOR,
    OUTDOOR,
    Station,
    add_station,
    open_on_dashboard,
    run_station,
)

CHECKOUT = Path(__file__).parents[1]
FIRST_PORT = 8123  # HA's own
STATIONS: tuple[Station, ...] = (OUTDOOR, INDOOR)
INTERVAL = 5  # seconds between two reports of a station


def main() -> None:
    """Run until Ctrl-C, or until HA is ended from its own pages."""
    parser = argparse.ArgumentParser(prog="scripts/develop", description=__doc__)
    number = parser.add_mutually_exclusive_group()
    number.add_argument("--bare", action="store_true", help="start without stations")
    number.add_argument(
        "--many",
        action="store_true",
        help=f"start with {len(MORE_STATIONS)} more stations",
    )
    parser.add_argument("--config", type=Path, help="another folder for HA's files")
    parser.add_argument(
        "--port", type=int, default=FIRST_PORT, help=f"a port other than {FIRST_PORT}"
    )
    arguments = parser.parse_args()
    # Without stations also means without those of an earlier run.
    default = CHECKOUT / ("config-bare" if arguments.bare else "config")
    stations = STATIONS
    if arguments.bare:
        stations = ()
    elif arguments.many:
        stations += MORE_STATIONS
    try:
        asyncio.run(develop(arguments.config or default, arguments.port, stations))
    except asyncio.CancelledError:
        print("Stopped.")
    except HomeAssistantError as err:
        sys.exit(str(err))
    except ExceptionGroup as errors:
        failures, others = errors.split(HomeAssistantError)
        if failures is None or others is not None:
            raise
        sys.exit("\n".join(str(failure) for failure in failures.exceptions))


async def develop(config: Path, port: int, stations: Sequence[Station]) -> None:
    """Run HA and these stations until a signal or HA's end.

    If another instance is running, takes the next free folder and port. Raises
    HomeAssistantError if HA fails, and an ExceptionGroup of it if a station does.
    """
    _end_on_signal()
    print(f"Starting Home Assistant {__version__} …", flush=True)
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        # An instance that is starting does not listen on its port yet.
        async with _starting_alone():
            folder = stack.enter_context(_free_folder(config))
            home_assistant = HomeAssistant(folder, free_port(port))
            await stack.enter_async_context(home_assistant)
        for station in stations:
            if await add_station(home_assistant, station):
                await add_past(home_assistant, station)
                await open_on_dashboard(home_assistant)
        print(f"Running after {time.monotonic() - started:.0f} s.\n")
        print(_explanation(home_assistant, stations), flush=True)
        async with asyncio.TaskGroup() as tasks:
            boards = [
                tasks.create_task(
                    run_station(
                        station,
                        home_assistant.config / station.name.lower(),
                        station.config(home_assistant.port, INTERVAL),
                    )
                )
                for station in stations
            ]
            await home_assistant.wait()
            for board in boards:
                board.cancel()


@asynccontextmanager
async def _starting_alone() -> AsyncGenerator[None]:
    """Keep other instances from starting until the block ends."""
    with _opened(Path(__file__)) as lock:
        while not _has_locked(lock):
            await asyncio.sleep(0.2)
        yield


@contextmanager
def _free_folder(config: Path) -> Generator[Path]:
    """Yield the folder or, if another instance uses it, the next free one beside it.

    It is reserved until the block ends.
    """
    for number in count(1):
        folder = config.with_name(f"{config.name}-{number}") if number > 1 else config
        folder.mkdir(parents=True, exist_ok=True)
        with _opened(folder) as lock:
            if _has_locked(lock):
                yield folder
                return


@contextmanager
def _opened(path: Path) -> Generator[int]:
    """Open a file or folder for locking; a lock ends with the block or the process."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _has_locked(descriptor: int) -> bool:
    """Lock a file or folder; return whether no other process had locked it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end_on_signal() -> None:
    """Cancel this task on the first signal to end; HA needs time to stop."""
    task = asyncio.current_task()
    assert task is not None

    def end() -> None:
        if not task.cancelling():
            print("\nStopping Home Assistant …", flush=True)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end)


def _explanation(home_assistant: HomeAssistant, stations: Sequence[Station]) -> str:
    """Return instructions for trying the integration."""
    lines = [f"Open           {home_assistant.url}"]
    station = OUTDOOR
    if not stations:
        lines += [
            "Add a station  Settings > Devices & services > Add integration > ESP Weather",
            "               > Pair a station. The dialog shows what to put into it.",
            "Without one    send this again and again, with the key from the dialog:",
        ]
        station = replace(OUTDOOR, key="KEY")
    report = f"curl '{home_assistant.url}{station.report_path(1, '15.2')}'"
    return "\n".join(
        [
            *lines,
            f"Report         {report}",
            f"Database       {home_assistant.database}",
            f"Log            {home_assistant.log}",
            "Ctrl-C ends it.",
        ]
    )


if __name__ == "__main__":
    main()
