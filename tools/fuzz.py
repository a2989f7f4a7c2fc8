"""Fuzzes a real Home Assistant (HA) over raw sockets.

No input may be taken, break HA or be answered with a server error. An input that
is, or does, is shortened and printed. Run scripts/fuzz for a long session.
"""

import argparse
import asyncio
from base64 import b64encode
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
import json
from pathlib import Path
import re
import socket
import sqlite3
import tempfile
import time
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, given, seed, settings, strategies as st

from homeassistant.const import __version__

from .home_assistant import HomeAssistant, free_port
from .process import memory, open_files
from .station import OUTDOOR, add_station

SIGNED_PATH = b"/api/esp_weather/report"
BATCH = 10  # inputs that hypothesis draws at a time
ANSWER_LIMIT = 5  # seconds
STATUS = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d) ")  # not 100 Continue
# How aiohttp logs a malformed request, and a client that has hung up meanwhile
AIOHTTP = re.compile(
    r"^aiohttp\.(http_exceptions\.|client_exceptions\.ClientConnectionResetError)",
    re.MULTILINE,
)
# A line of a traceback in our code; inputs can contain the name of our folder, too.
OURS = re.compile(r'^  File ".*/custom_components/esp_weather/', re.MULTILINE)
# The start of a record in HA's log
RECORD = re.compile(r"^\d{4}-\d\d-\d\d ", re.MULTILINE)


@dataclass
class Fuzzing:
    """The result of a session."""

    inputs: int = 0
    answers: Counter[int] = field(default_factory=Counter)  # 0: none
    seconds: float = 0.0
    tracebacks: list[str] = field(default_factory=list)
    refusals_of_aiohttp: int = 0  # each of which it logs with a traceback
    with_key: list[str] = field(default_factory=list)  # log records that show the key
    new_entities: int = 0
    new_rows: int = 0
    grown_by: int = 0  # bytes of memory
    new_files: int = 0  # open files and sockets


@dataclass(frozen=True)
class Input:
    """Bytes for one connection; `answers` are the requests that are complete."""

    data: bytes
    answers: int


# What parts of addresses are made of: text, any bytes, percent-encodings, attacks
_SPECIAL = st.sampled_from(
    [
        *("", "/", "//", "..", "../", ".", "%", "%%", "%00", "%ff", "%2f", "%2e%2e%2f"),
        *("%ED%A0%80", "%C0%AF", "%u0031", "%0d%0a", "\0", "?", "#", "&", ";", "\\"),
        *(
            "<script>alert(1)</script>",
            "' OR 1=1 --",
            "{0}",
            "%s%n",
            "${jndi:ldap://x}",
        ),
        *("nan", "inf", "-inf", "1e999", "1_0", "0x1", "٣", "𝟛", "1,5", "+", "-", "."),
    ]
)
_PART = (
    _SPECIAL
    | st.text(max_size=40)
    | st.text(max_size=40).map(quote)
    | st.text("0123456789+-.eE_%", max_size=40)
    | st.builds(lambda text, times: text * times, _SPECIAL, st.integers(1, 3000))
)
_KEY = st.sampled_from([OUTDOOR.key, OUTDOOR.key.lower(), f"{OUTDOOR.key}x"]) | _PART
_MAC = st.sampled_from([OUTDOOR.mac, OUTDOOR.mac.upper(), "02:00:00:00:00:01"]) | _PART
# Right keys only occur with wrong data: nothing of this may be taken.
_DATA = _PART.map(lambda part: f"x{part}")
_FIELD = st.integers(-1, 11).map(str) | _PART


@st.composite
def _report_path(draw: st.DrawFn) -> bytes:
    parts = [draw(part) for part in (_KEY, _MAC, _FIELD, _DATA)]
    # Percent-encoded, most pass aiohttp and HA and reach the integration.
    if draw(st.integers(0, 3)):
        parts = [quote(part, safe=":") for part in parts]
    path = "/update/API_key={}/mac={}/field={}/data={}".format(*parts)
    return path.encode(errors="replace")


_PREFIX = st.sampled_from(
    [
        *(b"", b"/update/", b"/update.json/", b"/channels/"),
        b"/channels/1/bulk_update.json/",
        b"/api/esp_weather/firmware/",
    ]
)
_WILD_PATH = st.builds(bytes.__add__, _PREFIX, st.binary(max_size=200))
# Nothing beside the firmware's own files may be read.
_FIRMWARE_PATH = st.builds(
    lambda parts, name: f"/api/esp_weather/firmware/{'/'.join(parts)}/{name}".encode(
        errors="replace"
    ),
    st.lists(
        st.sampled_from(["..", "%2e%2e", "..%2f..", "%2f", "."]) | _PART, max_size=4
    ),
    st.sampled_from(["manifest.json", "ota.py", ".storage/auth", "x"]),
)
_METHOD = st.sampled_from([b"GET"] * 8 + [b"HEAD", b"POST", b"OPTIONS"])
_VERSION = st.sampled_from([b"HTTP/1.1"] * 4 + [b"HTTP/1.0", b"HTTP/9", b""])
_HEADER = st.sampled_from(
    [
        b"Accept: text/html",
        b"Purpose: prefetch",
        b"X-Forwarded-For: 203.0.113.7",
        b"X-Forwarded-Proto: gopher",
        b"Content-Length: 5",
        b"Content-Length: -1",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Host: other",
        b"Range: bytes=0-",
        b"Accept-Encoding: gzip, br, deflate, zstd",
        b"Authorization: Bearer x",
        b"Origin: http://other",
        b"Content-Encoding: gzip",
        b"Cookie: a=" + b"b" * 4000,
        b"X-Long: " + b"x" * 9000,
    ]
)


# Signed reports, none of which has the right signature
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda part: (
        st.lists(part, max_size=5)
        | st.dictionaries(
            st.sampled_from(["mac", "readings", "field", "value", "age", "status"])
            | st.text(max_size=10),
            part,
            max_size=5,
        )
    ),
    max_leaves=15,
).map(lambda data: json.dumps(data).encode())
_LABELS = st.sampled_from(["sig", "sig1", "", "*", "a=b", '"', "(", ";;"])


@st.composite
def _signed(draw: st.DrawFn) -> tuple[list[bytes], bytes]:
    """Return the headers and the body of a report that is signed with a wrong key."""
    body = draw(_JSON | st.binary(max_size=100))
    label, mac = draw(_LABELS), draw(st.just(OUTDOOR.mac) | _LABELS)
    components = draw(
        st.sampled_from(
            ['"@method" "@path" "content-digest"', '"@method"', '"@query";req', "(", ""]
        )
    )
    digest = b64encode(sha256(body + draw(st.just(b"") | st.just(b"x"))).digest())
    signature = b64encode(draw(st.binary(min_size=32, max_size=32))).decode()
    return [
        b"Content-Digest: sha-256=:" + digest + b":",
        f'Signature-Input: {label}=({components});keyid="{mac}";nonce="x"'.encode(),
        f"Signature: {draw(st.just(label) | _LABELS)}=:{signature}:".encode(),
        f"Content-Length: {len(body)}".encode(),
    ], body


# Form reports, none of which holds a number where a value should be
_FORM_PATH = st.sampled_from(
    [
        *("/update", "/update.json"),
        *("/channels/1/bulk_update.json", "/channels/1/bulk_update.csv"),
    ]
) | _PART.map(lambda part: f"/channels/{quote(part)}/bulk_update.json")
_PARAMETER = st.sampled_from(
    [
        *("created_at", "timezone", "time_format", "delta_t", "status", "headers"),
        *("field9", "field10", "updates", "write_api_key", "key", "mac", "x"),
    ]
)
# Numbers in these would be taken.
_VALUES = {"field9", "field10", "updates"}
_KEY_HEADER = st.sampled_from([b"THINGSPEAKAPIKEY: ", b"X-THINGSPEAKAPIKEY: "])


@st.composite
def _form(draw: st.DrawFn) -> tuple[list[bytes], bytes, bytes, bytes]:
    """Return headers, method, path and body of a form report."""
    more = draw(st.dictionaries(_PARAMETER, _PART, max_size=3))
    # The value comes first: no part may cut it off and leave the key.
    content = {
        "field1": draw(_DATA),
        **{name: f"x{part}" for name, part in more.items() if name in _VALUES},
        "api_key": draw(_KEY),
        **{name: part for name, part in more.items() if name not in _VALUES},
    }
    path, headers, body = draw(_FORM_PATH), [], ""
    match draw(st.integers(0, 4)):
        case 0:
            path += f"?{urlencode(content, errors='replace')}"
        case 1:
            body = "&".join(f"{name}={part}" for name, part in content.items())
        case 2:
            updates = draw(st.lists(_JSON.map(json.loads), max_size=3))
            body = json.dumps(content | {"updates": [{"field1": "x"}, *updates]})
        case 3:
            body = json.dumps(content)[: draw(st.integers(-3, -1))]
        case _:
            rows = "|".join(["0,x"] * draw(st.integers(1, 2000)))
            body = f"field1=x&time_format=relative&updates={rows}&"
            body += f"api_key={content['api_key']}"
    if draw(st.integers(0, 3)) == 0:
        # Not what would end the line
        key = quote(draw(_KEY), safe=" ").encode()
        headers.append(draw(_KEY_HEADER) + key)
    sent = body.encode(errors="replace")
    headers.append(b"Content-Length: %d" % len(sent))
    return headers, draw(st.just(b"POST") | _METHOD), path.encode(), sent


@st.composite
def _request(draw: st.DrawFn, last: bool) -> bytes:
    headers = [b"Host: hass", *draw(st.lists(_HEADER, max_size=2))]
    method, path, version, body = draw(_METHOD), draw(_report_path()), b"HTTP/1.1", b""
    match draw(st.integers(0, 15)):
        case 0 | 1 | 2 | 3:
            method, path = draw(st.just(b"POST") | _METHOD), SIGNED_PATH
            signed, body = draw(_signed())
            headers += signed
        case 4 | 5 | 6 | 7:
            form, method, path, body = draw(_form())
            headers += form
        case 8:
            path = draw(_FIRMWARE_PATH)
    # Each part is wild in one of eight cases, so that later parts are reached, too.
    match draw(st.integers(0, 31)):
        case 0:
            headers.append(draw(st.binary(max_size=60)))
        case 1:
            method = draw(st.binary(max_size=8))
        case 2:
            path = draw(_WILD_PATH)
        case 3:
            version, body = draw(_VERSION), body + draw(st.binary(max_size=50))
    if last:
        headers.append(b"Connection: close")
    return b"\r\n".join((b" ".join((method, path, version)), *headers, b"", body))


@st.composite
def _input(draw: st.DrawFn) -> Input:
    requests = [draw(_request(last=False)) for _ in range(draw(st.integers(0, 2)))]
    data = b"".join([*requests, draw(_request(last=True))])
    if draw(st.integers(0, 9)) == 0:
        return Input(data[: draw(st.integers(0, len(data)))], answers=0)
    return Input(data, answers=len(requests) + 1)


def _send(port: int, sent: Input) -> list[int]:
    """Send an input on a connection of its own; return the statuses of the answers."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_LIMIT) as server:
        try:
            server.sendall(sent.data)
            # Bytes that follow a request are the start of another, never complete.
            server.settimeout(ANSWER_LIMIT if sent.answers == 1 else 0.2)
            while sent.answers and len(STATUS.findall(answer)) < sent.answers:
                received = server.recv(65536)
                if not received:
                    break
                answer += received
        except TimeoutError, ConnectionError:
            pass
    return [int(status) for status in STATUS.findall(answer)]


def _session(port: int, inputs: int, number: int, result: Fuzzing) -> None:
    """Send `inputs` inputs. Raises AssertionError with the shortest failing one."""

    @seed(number)
    @settings(
        max_examples=max(1, inputs // BATCH),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(_input(), min_size=BATCH, max_size=BATCH))
    def run(batch: list[Input]) -> None:
        for sent in batch:
            statuses = _send(port, sent)
            result.inputs += 1
            result.answers.update(statuses or [0])
            for status in statuses:
                assert status >= 400, f"{status} for {sent.data!r}"
                assert status < 500 or status == 503, f"{status} for {sent.data!r}"

    run()


async def fuzz(home_assistant: HomeAssistant, inputs: int, number: int) -> Fuzzing:
    """Send about `inputs` inputs to a running HA; `number` is the seed.

    Raises AssertionError if one gets a forbidden answer.
    """
    result = Fuzzing()
    await add_station(home_assistant, OUTDOOR)
    process = home_assistant.process.pid
    # Memory that the first requests allocate does not count as growth.
    await asyncio.to_thread(
        _session, home_assistant.port, inputs // 10, number + 1, result
    )
    entities = await _entities(home_assistant)
    before = memory(process), open_files(process)
    start = time.monotonic()
    await asyncio.to_thread(_session, home_assistant.port, inputs, number, result)
    result.seconds = time.monotonic() - start
    result.new_entities = len(await _entities(home_assistant) - entities)
    result.grown_by = memory(process) - before[0]
    result.new_files = open_files(process) - before[1]
    await home_assistant.stop()
    with closing(sqlite3.connect(home_assistant.database)) as connection:
        (result.new_rows,) = connection.execute(
            "SELECT count(*) FROM states JOIN states_meta USING (metadata_id)"
            " WHERE states_meta.entity_id LIKE 'sensor.outdoor_temperature%'"
        ).fetchone()
    log = home_assistant.log.read_text(errors="replace")
    for record in RECORD.split(log):
        if OUTDOOR.key in record:
            result.with_key.append(record)
        if "Traceback (most recent call last)" in record:
            if AIOHTTP.search(record) and not OURS.search(record):
                result.refusals_of_aiohttp += 1
            else:
                result.tracebacks.append(record)
    return result


async def _entities(home_assistant: HomeAssistant) -> set[str]:
    entities = await home_assistant.websocket("config/entity_registry/list")
    return {entity["entity_id"] for entity in entities}


async def _main(inputs: int, number: int) -> None:
    with tempfile.TemporaryDirectory(prefix="esp_weather-") as folder:
        async with HomeAssistant(Path(folder), free_port()) as home_assistant:
            result = await fuzz(home_assistant, inputs, number)
    rate = result.inputs / result.seconds
    print(f"Home Assistant {__version__}, seed {number}")
    print(f"{result.inputs} inputs, {rate:.0f} a second")
    print(f"answers: {dict(sorted(result.answers.items()))} (0: none)")
    print(
        f"malformed, or hung up while aiohttp read them: {result.refusals_of_aiohttp}"
    )
    print(f"other tracebacks in the log: {len(result.tracebacks)}")
    print(f"records in the log with the key: {len(result.with_key)}")
    print(f"new entities: {result.new_entities}, new rows: {result.new_rows}")
    print(f"memory grew by {result.grown_by / 1e6:.1f} MB")
    print(f"open files grew by {result.new_files}")
    for record in [*result.tracebacks[:3], *result.with_key[:3]]:
        print(record)


def main() -> None:
    """Run a session."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="how many")
    parser.add_argument("--seed", type=int, default=5, help="another gives others")
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.inputs, arguments.seed))


if __name__ == "__main__":
    main()
