"""Loads a web server with wrk, or with single requests at a steady rate."""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from dataclasses import dataclass
import json
import os
from pathlib import Path
import socket
import tempfile
import time
from typing import NamedTuple

PATIENT = "patient"  # waits after a 503

SCRIPT = Path(__file__).with_name("load.lua")
# The load runs on a core of its own. Otherwise the kernel may place client and server
# on the same core or not, which doubles or halves the time of an answer.
LOAD_CORE = max(os.sched_getaffinity(0))
SERVER_CORES = (os.sched_getaffinity(0) - {LOAD_CORE}) or {LOAD_CORE}


class LoadError(Exception):
    """A server did not answer as expected."""


@dataclass(frozen=True)
class Load:
    """The result of a load; times are in seconds."""

    answers: int
    seconds: float
    refused: int
    failed: int
    p50: float
    p99: float

    @property
    def taken(self) -> int:
        """Return how many requests succeeded."""
        return self.answers - self.refused

    @property
    def rate(self) -> float:
        """Return how many requests succeeded per second."""
        return self.taken / self.seconds


async def load(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    seconds: int,
    how: Sequence[str] = (),
) -> Load:
    """Send `requests` over and over, each connection as fast as it is answered.

    `how` holds the parameters of load.lua. Raises LoadError if connections failed.
    """
    with tempfile.NamedTemporaryFile(prefix="esp_weather_requests_") as file:
        file.write(b"\0".join(requests))
        file.flush()
        wrk = await asyncio.create_subprocess_exec(
            *("taskset", "--cpu-list", str(LOAD_CORE)),
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", str(seconds), "--timeout", "30", "--script", str(SCRIPT)),
            *(f"http://127.0.0.1:{port}", "--", file.name, *how),
            stdout=PIPE,
        )
        output, _ = await wrk.communicate()
    if wrk.returncode:
        raise LoadError(f"wrk ended with exit code {wrk.returncode}")
    result = Load(**json.loads(output.splitlines()[-1]))
    if result.failed:
        raise LoadError(f"The server did not answer everything: {result}")
    return result


class Answer(NamedTuple):
    """When a request was sent, on the monotonic clock, and the seconds it took."""

    sent: float
    seconds: float


def trickle(
    port: int, requests: Sequence[bytes], rate: float, number: int
) -> list[Answer]:
    """Send `number` requests over one connection, `rate` of them per second.

    Raises LoadError if an answer is not 200.
    """
    answers: list[Answer] = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.monotonic()
        for turn in range(number):
            time.sleep(max(0.0, start + turn / rate - time.monotonic()))
            sent = time.monotonic()
            connection.sendall(requests[turn % len(requests)])
            answer = connection.recv(65536)
            answers.append(Answer(sent, time.monotonic() - sent))
            if not answer.startswith(b"HTTP/1.1 200"):
                raise LoadError(answer.decode(errors="replace"))
    return answers
