"""Files that are given to the import, and requests that give it other files."""

import asyncio
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
import sqlite3
import tempfile
import time
from typing import Any
import zlib

import aiohttp

from tools.home_assistant import HomeAssistantError

from .result import require
from .target import VICTIM, Target
from .wire import request

_IMPORT = "/api/services/esp_weather/import_history?return_response"
_EXPORT = "/api/services/esp_weather/export_history?return_response"
_UPLOAD = "/api/file_upload"
_SECONDS = 30  # in which a file is refused or read
_GROWTH = 80e6  # bytes of memory; HA itself holds a part of an upload
_PATHS = (
    *("/etc/passwd", "/proc/self/environ", "/dev/zero", "/dev/stdin", "/", "", "."),
    *(".storage/auth", "secrets.yaml", "configuration.yaml", "\0", "media/../secrets"),
    *("../../../../etc/passwd", "/media/../etc/passwd", "file:///etc/passwd", "~"),
    *("home-assistant_v2.db", "a" * 5000, "//etc/passwd", "esp_weather/data.db"),
)

type Make = Callable[[Path], None]


def _text(content: bytes) -> Make:
    def make(path: Path) -> None:
        path.write_bytes(content)

    return make


def _database(*statements: str) -> Make:
    def make(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return make


def _broken(*statements: str, at: int, content: bytes) -> Make:
    def make(path: Path) -> None:
        _database(*statements)(path)
        with path.open("r+b") as opened:
            opened.seek(at)
            opened.write(content)

    return make


_COLUMNS = "date_time, mac, field, data"
_TABLE = f"CREATE TABLE data ({_COLUMNS})"
_ROW = "INSERT INTO data VALUES ('2024-01-01 00:00:00', '5c:cf:7f:a0:00:01', 1, 21.5)"
_HEAD = b"date_time,mac,field,data\n"
_LINE = f"2024-01-01T00:00:00+00:00,{VICTIM.mac},1,21.5\n".encode()
_FILES: dict[str, Make] = {
    "nothing": _text(b""),
    "one NUL": _text(b"\0"),
    "NULs": _text(bytes(20_000_000)),
    "one line of 20 MB": _text(b"a" * 20_000_000),
    "a head of 20 MB": _text(b"a," * 10_000_000 + b"\n" + _LINE),
    "one quote that never ends": _text(_HEAD + b'"' + b"x" * 20_000_000),
    "quotes": _text(_HEAD + b'"' * 5_000_000),
    "line ends": _text(_HEAD + b"\n" * 10_000_000),
    "only carriage returns": _text(_HEAD.replace(b"\n", b"\r") * 200_000),
    "UTF-16 without an end": _text(
        b"\xff\xfe" + _HEAD.decode().encode("utf-16-le")[:-1]
    ),
    "gzip": _text(zlib.compress(bytes(50_000_000))),
    "a page": _text(b"<html><body>Log in</body></html>"),
    "digits": _text(_HEAD + _LINE.replace(b"21.5", b"9" * 1_000_000)),
    "a far year": _text(_HEAD + _LINE.replace(b"2024", b"9999")),
    "year 0": _text(_HEAD + _LINE.replace(b"2024", b"0000")),
    "seconds": _text(_HEAD + _LINE.replace(b"2024-01-01T00:00:00+00:00", b"9" * 300)),
    "a formula": _text(_HEAD + _LINE.replace(b"21.5", b"=cmd|' /C calc'!A0")),
    "the head of a database": _text(b"SQLite format 3\0"),
    "the head of a database, and noise": _text(
        b"SQLite format 3\0" + b"\xa5" * 100_000
    ),
    "no table": _database("CREATE TABLE x (y)"),
    "an endless view": _database(
        "CREATE VIEW data AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
        " FROM n) SELECT i AS date_time, i AS mac, 1 AS field, i AS data FROM n"
    ),
    "a computed column": _database(
        "CREATE TABLE data (date_time, mac, field, data AS (hex(zeroblob(90000000))))"
    ),
    "a text of 90 MB": _database(
        _TABLE, _ROW, "UPDATE data SET mac = printf('%.*c', 90000000, 'x')"
    ),
    "rows 0 and -1": _database(
        _TABLE,
        *[_ROW] * 4,
        "UPDATE data SET rowid = 0 WHERE rowid = 1",
        "UPDATE data SET rowid = -1 WHERE rowid = 2",
        "UPDATE data SET rowid = 9223372036854775807 WHERE rowid = 3",
        "UPDATE data SET rowid = -9223372036854775808 WHERE rowid = 4",
    ),
    "a trigger": _database(
        _TABLE,
        _ROW,
        "CREATE TRIGGER t AFTER INSERT ON data BEGIN DELETE FROM data; END",
    ),
    "a collation": _database(
        "CREATE TABLE data (date_time, mac COLLATE RTRIM, field, data CHECK (0))"
    ),
    "a name in quotes": _database(f'CREATE TABLE "DATA" ({_COLUMNS})', _ROW),
    "blobs": _database(
        _TABLE,
        "INSERT INTO data VALUES (x'ff', x'00', x'31', x'32'), (NULL, NULL, NULL, NULL),"
        " (1e999, 1e999, 1e999, 1e999), (-9223372036854775808, 1, 1, 1)",
    ),
    "a broken page": _broken(
        _TABLE, *([_ROW] * 2000), at=8192, content=b"\xff" * 20_000
    ),
    "a wrong page size": _broken(_TABLE, _ROW, at=16, content=b"\0\3"),
    "a log of its own": _broken(_TABLE, _ROW, at=18, content=b"\2\2"),
    "a schema that is a program": _broken(
        "CREATE TABLE data (date_time, mac, field, data)",
        at=100,
        content=b"\x0d\0\0\0\xff\xff",
    ),
}


async def _upload(target: Target, path: Path, token: str | None) -> tuple[int, str]:
    """Upload a file; return the status of the answer and the ID of the file."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with path.open("rb") as opened:
        form = aiohttp.FormData()
        form.add_field("file", opened, filename=path.name)
        async with aiohttp.request(
            "POST", target.home_assistant.url + _UPLOAD, data=form, headers=headers
        ) as answer:
            if answer.status != 200:
                return answer.status, ""
            return 200, (await answer.json())["file_id"]


async def _import(target: Target, **data: Any) -> str:
    """Import a file; return the answer, or how it was refused."""
    try:
        return str(await target.home_assistant.rest("POST", _IMPORT, data))
    except HomeAssistantError as err:
        return f"refused {err}"


async def odd_files(target: Target) -> str:
    """A file that is not trusted is refused or read within seconds, and stops nothing."""
    before = target.memory()
    slowest, longest = 0.0, 0.0
    wrong: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        for file, make in _FILES.items():
            path = Path(name) / "data.db"
            path.unlink(missing_ok=True)
            make(path)
            status, uploaded = await _upload(target, path, target.home_assistant.token)
            require(status == 200, f"{file} was not uploaded: {status}")
            began = time.monotonic()
            importing = asyncio.create_task(_import(target, file=uploaded))
            while not importing.done():
                slowest = max(slowest, await target.take(VICTIM))
                await asyncio.wait([importing], timeout=0.1)
            took = time.monotonic() - began
            longest = max(longest, took)
            answer = await importing
            if took > _SECONDS or ("refused" in answer and ": 500 Inter" in answer):
                wrong[file] = f"{answer[:200]} after {took:.0f} s"
    grown = target.memory() - before
    figure = (
        f"{len(_FILES)} files, the longest took {longest:.1f} s, the slowest real report"
        f" {slowest * 1000:.0f} ms, {grown / 1e6:.0f} MB"
    )
    require(not wrong and slowest < 1 and grown < _GROWTH, f"{figure}; {wrong}")
    return figure


async def paths(target: Target) -> str:
    """The import reads files of the media folder, and no others."""
    taken = {}
    for path in _PATHS:
        async with asyncio.timeout(_SECONDS):
            answer = await _import(target, path=path)
        if not answer.startswith("refused") or "root:" in answer:
            taken[path[:40]] = answer[:200]
    for file in ("", "x", "../x", "0" * 26, "/etc"):
        answer = await _import(target, file=file)
        if not answer.startswith("refused"):
            taken[f"upload {file}"] = answer[:200]
    require(not taken, f"{taken}")
    return f"{len(_PATHS)} paths and 5 uploads, all refused"


async def strangers(target: Target) -> str:
    """Without a login, nobody uploads, imports, exports or gets an exported file."""
    statuses = {}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "data.csv"
        path.write_bytes(_HEAD + _LINE)
        statuses["upload"] = (await _upload(target, path, None))[0]
    for method, address in (
        ("POST", _IMPORT),
        ("POST", _EXPORT),
        ("GET", "/media/local/esp_weather/"),
        ("GET", "/local/esp_weather/data.db"),
        ("GET", "/api/esp_weather/"),
        ("GET", "/api/diagnostics/config_entry/x"),
    ):
        answer = await target.ask(request(method, address, close=True))
        statuses[address] = answer.status
    with suppress(HomeAssistantError):
        await target.home_assistant.rest("POST", _EXPORT, {"format": "csv"})
    folder = target.home_assistant.config / "media" / "esp_weather"
    for exported in folder.glob("*"):
        for place in ("/media/local/esp_weather/", "/local/", "/media/"):
            answer = await target.get(f"{place}{exported.name}")
            statuses[f"{place} of an export"] = answer.status
    open_to_all = {each: got for each, got in statuses.items() if got not in {401, 404}}
    require(not open_to_all, f"{open_to_all}")
    return f"{statuses}"


ATTACKS = (odd_files, paths, strangers)
