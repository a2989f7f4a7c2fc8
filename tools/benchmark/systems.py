"""The systems that take readings: ESP Weather and the alternatives."""

import asyncio
from asyncio.subprocess import DEVNULL
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest
import json
import os
from pathlib import Path
import signal
import socket

import aiohttp

from tools.home_assistant import free_port
from tools.station import OUTDOOR, Station

from .home_assistant import BenchHomeAssistant, many_stations
from .server import Server

OLD_SERVER = Path(__file__).with_name("old_server.py")
BENCH_PROGRAMS = Path(__file__).parents[2] / ".venv-bench" / "bin"
# The number of different requests before the first one is repeated
REQUESTS = 2000

SIGNED_PATH = "/api/esp_weather/report"
MAX_SIGNED_RATE = 15_000  # per second, which is more than can be taken
# Enough that no station has two reports in flight
STATIONS = many_stations(50)

HOME_ASSISTANT_ROWS = (
    "SELECT count(*) FROM states JOIN states_meta USING (metadata_id)"
    " WHERE states_meta.entity_id LIKE ?"
)
OLD_SERVER_ROWS = "SELECT count(*) FROM readings"


@dataclass(frozen=True)
class System:
    """A server, and requests that each report one reading."""

    name: str
    server: Server
    requests: Sequence[bytes]
    readings: int = 1  # in each request
    # Returns signed requests, which can be sent once only
    sign: Callable[[int], Awaitable[Sequence[bytes]]] | None = None

    async def prepare(self, seconds: int) -> Sequence[bytes]:
        """Return the requests to load it with."""
        if self.sign is None:
            return self.requests
        return await self.sign(seconds * MAX_SIGNED_RATE)


def values() -> list[str]:
    """Return temperatures, each different from the previous one."""
    return [f"{10 + number % 1500 / 50:.2f}" for number in range(REQUESTS)]


def get(path: str) -> bytes:
    """Return the HTTP request that a station sends."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, content: object, *headers: str) -> bytes:
    """Return an HTTP request with a JSON body."""
    body = json.dumps(content)
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", body]).encode()


def state_writes(
    stations: Sequence[Station], fields: Sequence[int] = (1,)
) -> list[bytes]:
    """Return requests to the view that only writes states of plain sensors."""
    return [
        request.replace(b"/update/", b"/bench_state/")
        for request in reports(stations, fields)
    ]


def reports(stations: Sequence[Station], fields: Sequence[int] = (1,)) -> list[bytes]:
    """Return legacy reports of the stations' fields in turn."""
    turns = [(station, field) for field in fields for station in stations]
    return [
        get(turns[n % len(turns)][0].report_path(turns[n % len(turns)][1], value))
        for n, value in enumerate(values())
    ]


def form_reports(stations: Sequence[Station], method: str) -> list[bytes]:
    """Return form reports of one field, as sketches for ThingSpeak send them."""
    requests = []
    for turn, value in enumerate(values()):
        form = f"api_key={stations[turn % len(stations)].key}&field1={value}"
        if method == "GET":
            requests.append(get(f"/update?{form}"))
        else:
            head = f"POST /update HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(form)}"
            requests.append(f"{head}\r\n\r\n{form}".encode())
    return requests


def unsigned(home_assistant: BenchHomeAssistant) -> list[System]:
    """Return our unsigned reports. The first one is the legacy report."""
    server = Server(home_assistant.port, home_assistant.process.pid)
    return [
        System("legacy report", server, reports(STATIONS)),
        *(
            System(f"form report, {method}", server, form_reports(STATIONS, method))
            for method in ("GET", "POST")
        ),
    ]


def without_recorder(home_assistant: BenchHomeAssistant) -> list[System]:
    """Return the limit of HA, which is the first one, and our reports."""
    server = Server(home_assistant.port, home_assistant.process.pid)
    station = STATIONS[0]
    tails = [
        station.report_path(1, value).removeprefix("/update") for value in values()
    ]
    return [
        System("empty view", server, [get(f"/bench{tail}") for tail in tails]),
        System(
            "route that sets a state", server, [get(f"/bench_set{t}") for t in tails]
        ),
        System("view that writes a state", server, state_writes([OUTDOOR])),
        System("legacy report", server, reports([station])),
        signed_reports(home_assistant, server, 1),
        signed_reports(home_assistant, server, 20),
        System("empty view, short address", server, [get("/bench/")]),
    ]


def recorded(home_assistant: BenchHomeAssistant, entities: str) -> Server:
    """Return HA as a server, which counts the rows of entities that are LIKE it."""
    return Server(
        home_assistant.port,
        home_assistant.process.pid,
        home_assistant.database,
        HOME_ASSISTANT_ROWS,
        (entities,),
    )


def with_recorder(home_assistant: BenchHomeAssistant) -> list[System]:
    """Return the ways to get readings of many stations into the database of HA.

    A single station would not do: committing n states of one entity takes HA's
    recorder a time that grows with the square of n.
    """

    def server(entities: str) -> Server:
        return recorded(home_assistant, entities)

    turns = [(turn % len(STATIONS), value) for turn, value in enumerate(values())]
    attributes = {
        "device_class": "temperature",
        "state_class": "measurement",
        "unit_of_measurement": "°C",
    }
    stations = server("sensor.station_%_temperature")
    return [
        System("legacy report", stations, reports(STATIONS)),
        signed_reports(home_assistant, stations, 1),
        signed_reports(home_assistant, stations, 20),
        System(
            "REST API",
            server("sensor.rest_%"),
            [
                post(
                    f"/api/states/sensor.rest_{station}",
                    {"state": value, "force_update": True, "attributes": attributes},
                    f"Authorization: Bearer {home_assistant.token}",
                )
                for station, value in turns
            ],
        ),
        System(
            "webhook trigger",
            server("sensor.webhook_%"),
            [
                post(f"/api/webhook/bench_{station}", {"value": value})
                for station, value in turns
            ],
        ),
    ]


def signed_reports(
    home_assistant: BenchHomeAssistant, server: Server, readings: int
) -> System:
    """Return our signed report, with a number of readings a second apart.

    It comes from many stations: of one that has sent several reports at once, the
    one with the newest nonce might be taken first, and the others would be refused.
    """

    unsigned = [_unsigned(turn, readings) for turn in range(REQUESTS)]

    async def sign(number: int) -> list[bytes]:
        # A station signs while it has nothing else to do: that is not what is measured.
        async with (
            aiohttp.ClientSession(home_assistant.url) as session,
            session.get(f"/bench_nonces/{number}") as answer,
        ):
            nonces = await answer.json()
        return [
            unsigned[turn % REQUESTS].sign(nonce) for turn, nonce in enumerate(nonces)
        ]

    return System(
        f"signed report, {readings} reading{'s'[: readings - 1]}",
        server,
        [],
        readings,
        sign,
    )


@dataclass(frozen=True)
class _Unsigned:
    """A signed report without its nonce and signature, which stand for themselves."""

    request: bytes
    base: bytes
    key: bytes

    def sign(self, nonce: str) -> bytes:
        """Return the request, signed as RFC 9421 has it."""
        base = self.base.replace(b"NONCE", nonce.encode())
        signature = b64encode(digest(self.key, base, "sha256"))
        return self.request.replace(b"NONCE", nonce.encode()).replace(
            b"SIGNATURE", signature
        )


def _unsigned(turn: int, readings: int) -> _Unsigned:
    station = STATIONS[turn % len(STATIONS)]
    numbers = [float(value) for value in values()]
    content = {
        "mac": station.mac,
        "readings": [
            {"field": 1, "value": numbers[turn - age], "age": age}
            for age in range(readings)
        ],
    }
    body_digest = b64encode(sha256(json.dumps(content).encode()).digest()).decode()
    parameters = (
        f'("@method" "@path" "content-digest");keyid="{station.mac}";nonce="NONCE"'
    )
    base = (
        f'"@method": POST\n"@path": {SIGNED_PATH}\n'
        f'"content-digest": sha-256=:{body_digest}:\n"@signature-params": {parameters}'
    )
    request = post(
        SIGNED_PATH,
        content,
        f"Content-Digest: sha-256=:{body_digest}:",
        f"Signature-Input: sig={parameters}",
        "Signature: sig=:SIGNATURE:",
    )
    return _Unsigned(request, base.encode(), station.key.encode())


@asynccontextmanager
async def old_servers(folder: Path) -> AsyncGenerator[list[System]]:
    """Run the old server in the two usual ways."""
    async with (
        _old_server(
            "old server, gunicorn",
            folder / "gunicorn.db",
            *(
                "gunicorn",
                "--workers",
                "2",
                "--bind",
                "127.0.0.1:{port}",
                "old_server:app",
            ),
        ) as gunicorn,
        _old_server(
            "old server, flask run",
            folder / "flask.db",
            *("flask", "--app", "old_server", "run", "--port", "{port}"),
        ) as development,
    ):
        yield [gunicorn, development]


@asynccontextmanager
async def _old_server(
    name: str, database: Path, program: str, *arguments: str
) -> AsyncGenerator[System]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "TERM", BENCH_PROGRAMS / program),
        *(argument.format(port=port) for argument in arguments),
        cwd=OLD_SERVER.parent,
        env={**os.environ, "OLD_SERVER_DATABASE": str(database)},
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(30):
            while not _is_open(port):
                await asyncio.sleep(0.1)
        server = Server(port, process.pid, database, OLD_SERVER_ROWS)
        yield System(name, server, reports(STATIONS))
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
