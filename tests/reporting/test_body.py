"""Bodies that never end: bounded in time and number, whoever sends them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
import gzip
from typing import Any

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.esp_weather.data import DATA
from custom_components.esp_weather.reporting import body
from homeassistant.core import HomeAssistant
from tests.signed_station import OUTDOOR, SignedStation, reading
from tools.signature import SIGNED_PATH

type Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
type Connect = Callable[[], Awaitable[Connection]]


@pytest.fixture
async def begin(client: TestClient[Any, Any]) -> AsyncGenerator[Connect]:
    """Return a function that sends the head of a request and returns the connection."""
    async with AsyncExitStack() as stack:

        async def _begin() -> Connection:
            reader, writer = await asyncio.open_connection(
                client.server.host, client.server.port
            )
            stack.callback(writer.close)
            writer.write(
                f"POST {SIGNED_PATH} HTTP/1.1\r\nHost: x\r\n"
                "Content-Length: 100\r\n\r\n".encode()
            )
            return reader, writer

        yield _begin


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    """Return all that arrives before the connection ends or is reset."""
    content = b""
    with suppress(ConnectionResetError):
        while part := await reader.read(4096):
            content += part
    return content


async def test_drip(
    hass: HomeAssistant,
    begin: Connect,
    station: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time limit is for the whole body, however often a part of it arrives."""
    assert body._TIME_LIMIT == 10
    monkeypatch.setattr(body, "_TIME_LIMIT", 0.3)
    reader, writer = await begin()
    answering = asyncio.create_task(_all_of(reader))
    start = asyncio.get_running_loop().time()
    while not answering.done():
        writer.write(b" ")
        await asyncio.sleep(0.05)
    assert asyncio.get_running_loop().time() - start < 5
    answer = await answering
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"The body took longer than 10 seconds." in answer
    assert b"Accept-Signature: " in answer
    assert not hass.data[DATA].incomplete_bodies


async def test_many(
    hass: HomeAssistant,
    begin: Connect,
    station: MockConfigEntry,
    signed: SignedStation,
) -> None:
    """The number of incomplete bodies of one sender is limited."""
    incomplete = hass.data[DATA].incomplete_bodies
    waiting = [await begin() for _ in range(16)]
    await _until(lambda: incomplete.total() == 16)

    reader, _ = await begin()
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 10" in answer
    # Complete requests are answered, even from the same address.
    assert (await signed.report(reading(20))).status == 200

    for _, writer in waiting:
        writer.close()
    await _until(lambda: not incomplete)
    reader, writer = await begin()
    writer.write(b" " * 100)
    assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")


async def _right_report(signed: SignedStation) -> tuple[str, bytes]:
    """Return the signature's headers of a report that is to be taken, and its body."""
    await signed.post(b"")
    content = signed.body(reading(20))
    headers = OUTDOOR.headers(content, signed.nonce)
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()), content


async def test_in_pieces(
    station: MockConfigEntry, client: TestClient[Any, Any], signed: SignedStation
) -> None:
    """Head and body may arrive in separate pieces, and so may the body."""
    head, content = await _right_report(signed)
    reader, writer = await asyncio.open_connection(
        client.server.host, client.server.port
    )
    for piece in (
        f"POST {SIGNED_PATH} HTTP/1.1\r\nHost: x\r\n{head}"
        f"Content-Length: {len(content)}\r\n\r\n".encode(),
        content[:10],
        content[10:],
    ):
        writer.write(piece)
        await asyncio.sleep(0.05)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()


@pytest.mark.parametrize("in_pieces", [False, True])
async def test_too_large_chunks(
    station: MockConfigEntry, client: TestClient[Any, Any], in_pieces: bool
) -> None:
    """A body without a length is read up to the limit."""

    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(70):
            yield b" " * 1024
            await asyncio.sleep(0.001 if in_pieces else 0)

    async with client.post(SIGNED_PATH, data=chunks()) as answer:
        assert answer.status == 413


@pytest.mark.parametrize("path", [SIGNED_PATH, "/update"])
@pytest.mark.parametrize("is_whole", [True, False])
async def test_too_many_chunks(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: TestClient[Any, Any],
    path: str,
    is_whole: bool,
) -> None:
    """A body in tiny chunks is not read to its end, which would cost more than its bytes."""
    reader, writer = await asyncio.open_connection(
        client.server.host, client.server.port
    )
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        + b"1\r\na\r\n" * 65
        + b"0\r\n\r\n" * is_whole
    )
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert b"The body has more than 64 chunks. Send it with a Content-Length." in answer
    assert not hass.data[DATA].incomplete_bodies
    writer.close()


@pytest.mark.parametrize("is_whole", [True, False])
async def test_chunks(
    station: MockConfigEntry,
    client: TestClient[Any, Any],
    signed: SignedStation,
    is_whole: bool,
) -> None:
    """A body in some chunks is taken, whether it is there at once or not."""
    head, content = await _right_report(signed)
    reader, writer = await asyncio.open_connection(
        client.server.host, client.server.port
    )
    writer.write(
        f"POST {SIGNED_PATH} HTTP/1.1\r\nHost: x\r\n{head}"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
    )
    for start in range(0, len(content), 4):
        part = content[start : start + 4]
        writer.write(b"%x\r\n%s" % (len(part), part))
        if not is_whole:
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"\r\n")
    writer.write(b"0\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()


@pytest.mark.parametrize("encoding", ["gzip", "identity\r\nContent-Encoding: gzip"])
async def test_encoded(
    station: MockConfigEntry, client: TestClient[Any, Any], encoding: str
) -> None:
    """An encoded body is not decoded to its end, which may be far."""
    reader, writer = await asyncio.open_connection(
        client.server.host, client.server.port
    )
    content = gzip.compress(bytes(16 * 1024 * 1024))
    writer.write(
        f"POST {SIGNED_PATH} HTTP/1.1\r\nHost: x\r\nContent-Encoding: {encoding}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n".encode()
        + content
    )
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert b"Send it as it is, without Content-Encoding." in answer
    assert b"\r\nConnection: close\r\n" in answer
    writer.close()


@pytest.mark.parametrize("rest", [b"zz\r\n", b"2\r\nabc", b"-1\r\n\r\n"])
async def test_malformed_chunks(
    hass: HomeAssistant,
    station: MockConfigEntry,
    client: TestClient[Any, Any],
    rest: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A malformed body is not waited for any longer than others."""
    monkeypatch.setattr(body, "_TIME_LIMIT", 0.3)
    reader, writer = await asyncio.open_connection(
        client.server.host, client.server.port
    )
    writer.write(
        f"POST {SIGNED_PATH} HTTP/1.1\r\nHost: x\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
    )
    await asyncio.sleep(0.05)
    writer.write(rest)
    status = (await reader.readline()).split()[1]
    assert status in {b"400", b"408"}
    writer.close()
    await _until(lambda: not hass.data[DATA].incomplete_bodies)
