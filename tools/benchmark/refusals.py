"""Measures the cost of refusing a request without a key."""

from collections.abc import Iterator
import json
from pathlib import Path

from tools.signature import SIGNED_PATH, Signer
from tools.station import Station

from .home_assistant import BenchHomeAssistant, many_stations
from .load import LoadError
from .plan import Plan
from .rates import Measured, in_turns
from .server import Server
from .systems import System, get
from .table import middle, ratio, table

STATIONS = (1, 20)
CONNECTIONS = 1
LONG_PATH = 6000  # characters; aiohttp takes about 8,000
LONG_BODY = 64 * 1024  # bytes; more is answered 413
UNKNOWN = "02:00:00:00:ff:01"
KEY = "XXXXXXXXXX"
# The cost of the same bytes sent to an empty view
EMPTY = " to an empty view"


async def refusals(plan: Plan, folder: Path) -> str:
    """Compare the costs of refusals with that of a refused legacy report."""
    return "\n\n".join([await _part(plan, folder, number) for number in STATIONS])


async def _part(plan: Plan, folder: Path, number: int) -> str:
    stations = many_stations(number)
    home_assistant = BenchHomeAssistant(
        folder / f"refusals-{number}", stations, recorder=False
    )
    async with home_assistant:
        server = Server(home_assistant.port, home_assistant.process.pid)
        kinds = dict(_kinds(stations[0]))
        systems = [System(kind, server, [sent]) for kind, sent in kinds.items()] + [
            System(kind + EMPTY, server, [_to_empty_view(sent)])
            for kind, sent in kinds.items()
        ]
        measured = await in_turns(systems, CONNECTIONS, plan.seconds, plan.bursts)
    for kind in kinds:
        if any(each.load.taken for each in measured[kind]):
            raise LoadError(f"This was not refused: {kind}")
    first, *_ = kinds
    return (
        f"CPU of a refused request, {number} station{'s'[: number - 1]},"
        f" {CONNECTIONS} connection:\n\n"
    ) + table(
        ["refused", "CPU", "ratio", "empty view sent the same", "beyond it"],
        [
            [
                kind,
                f"{1e6 * middle(measured[kind], _cost):.0f} µs",
                ratio(measured[kind], measured[first], _cost),
                f"{1e6 * middle(measured[kind + EMPTY], _cost):.0f} µs",
                f"{_beyond(measured, kind, first):.2f}",
            ]
            for kind in kinds
        ],
    )


def _beyond(measured: dict[str, list[Measured]], kind: str, first: str) -> float:
    """Return what ESP Weather adds to the empty view, as a ratio to the first kind."""
    ours = middle(measured[kind], _cost) - middle(measured[kind + EMPTY], _cost)
    return ours / middle(measured[first], _cost)


def _cost(measured: Measured) -> float:
    return measured.cpu_seconds / measured.load.answers


def _kinds(station: Station) -> Iterator[tuple[str, bytes]]:
    """Yield refused requests of all kinds; the first one is the reference."""
    unknown, wrong = Station("", UNKNOWN, key=KEY), Station("", station.mac, key=KEY)
    yield "legacy, unknown MAC", get(unknown.report_path(1, "21.5"))
    yield "legacy, wrong key", get(wrong.report_path(1, "21.5"))
    yield (
        "legacy, wrong key, from a browser",
        _with(get(wrong.report_path(1, "21.5")), "Accept: text/html"),
    )
    path = unknown.report_path(1, "")
    yield "legacy, 6,000 characters of data", get(path.ljust(LONG_PATH, "1"))
    yield (
        "legacy, 6,000 characters of data, percent-encoded",
        get(path + "%41" * ((LONG_PATH - len(path)) // 3)),
    )
    yield (
        "legacy, 6,000 characters of MAC",
        get(path.replace(UNKNOWN, UNKNOWN.ljust(LONG_PATH, ":"))),
    )
    yield "form, GET", get(f"/update?api_key={KEY}&field1=21.5")
    yield (
        "form, GET, 6,000 characters",
        get(f"/update?api_key={KEY}&field1=".ljust(LONG_PATH, "1")),
    )
    yield "form, GET, 2,900 parameters", get(f"/update?api_key={KEY}{'&a' * 2900}")
    yield "form, POST", _post("/update", f"api_key={KEY}&field1=21.5")
    yield (
        "form, POST, 64 KiB",
        _post("/update", f"field1=21.5&api_key={KEY}".rjust(LONG_BODY, "&")),
    )
    yield (
        "form, POST, 64 KiB in chunks of a byte",
        _in_chunks("/update", f"field1=21.5&api_key={KEY}".rjust(LONG_BODY, "&")),
    )
    yield (
        "form, POST, 8 KiB in chunks of a byte",
        _in_chunks("/update", f"field1=21.5&api_key={KEY}".rjust(8192, "&")),
    )
    yield (
        "form, POST, 64 chunks of a byte",
        _in_chunks("/update", f"field1=21.5&api_key={KEY}".rjust(64, "&")),
    )
    updates = {"write_api_key": KEY, "updates": []}
    yield "bulk JSON", _post("/channels/1/bulk_update.json", json.dumps(updates))
    filled = {"updates": ["1" * (LONG_BODY - 100)], "write_api_key": KEY}
    yield (
        "bulk JSON, 64 KiB",
        _post("/channels/1/bulk_update.json", json.dumps(filled)),
    )
    rows = "0,21.5|" * (LONG_BODY // 7 - 20)
    yield (
        "bulk CSV, 64 KiB",
        _post(
            "/channels/1/bulk_update.csv",
            f"time_format=relative&updates={rows}&write_api_key={KEY}",
        ),
    )
    yield "signed, unknown MAC", _signed(unknown, "{}")
    yield "signed, wrong key", _signed(wrong, "{}")
    yield "signed, wrong key, 64 KiB", _signed(wrong, " " * LONG_BODY)
    yield "signed, 8 KiB in chunks of a byte", _in_chunks(SIGNED_PATH, " " * 8192)
    yield (
        "signed, 300 components",
        _signed(wrong, "{}").replace(
            b'"content-digest")', b'"content-digest"%b)' % (b' "@method";bs' * 297)
        ),
    )


def _post(path: str, body: str, *headers: str) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", body]).encode()


def _in_chunks(path: str, body: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked"
    chunks = "".join(f"1\r\n{byte}\r\n" for byte in body)
    return f"{head}\r\n\r\n{chunks}0\r\n\r\n".encode()


def _signed(station: Station, body: str) -> bytes:
    headers = Signer(station.mac, station.key).headers(body.encode(), "0" * 48)
    return _post(
        SIGNED_PATH, body, *(f"{name}: {value}" for name, value in headers.items())
    )


def _with(request: bytes, header: str) -> bytes:
    return request.replace(b"\r\n", f"\r\n{header}\r\n".encode(), 1)


def _to_empty_view(request: bytes) -> bytes:
    """Return the same request to the empty view, with an address of equal length."""
    method, _, rest = request.partition(b" /")
    return method + b" /bench/" + rest
