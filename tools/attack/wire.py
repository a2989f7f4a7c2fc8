"""Requests as bytes, sent unchanged, and their answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

ANSWER_LIMIT = 15  # seconds; longer than what the documentation gives a body
SPLIT = 0.05  # seconds between two TCP segments
_REQUEST_LIMIT = 1 << 20  # bytes of the head of an answer


@dataclass(frozen=True)
class Answer:
    """An answer of Home Assistant; status 0 is a connection closed without one."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode(errors="replace")


CLOSED = Answer()


class Connection:
    """A connection to Home Assistant that sends bytes as they are."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Initialize with the streams of an open connection."""
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int, source: str = "127.0.0.1") -> Self:
        """Connect to a port of this machine, from an address of this machine."""
        return cls(
            *await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(source, 0), limit=_REQUEST_LIMIT
            )
        )

    async def send(self, *segments: bytes, pause: float = SPLIT) -> None:
        """Send each segment in a TCP segment of its own."""
        for number, segment in enumerate(segments):
            if number:
                await asyncio.sleep(pause)
            self._writer.write(segment)
            await self._writer.drain()

    async def answer(
        self, limit: float = ANSWER_LIMIT, *, head: bool = False
    ) -> Answer:
        """Return the next answer; CLOSED if there is none. Raises TimeoutError.

        The answer to a HEAD only has a head.
        """
        try:
            async with asyncio.timeout(limit):
                answer = await self._answer(head=head)
                while answer.status // 100 == 1:
                    answer = await self._answer(head=head)
                return answer
        except asyncio.IncompleteReadError, ConnectionError:
            return CLOSED

    async def ask(self, request: bytes) -> Answer:
        """Send a request and return its answer."""
        self._writer.write(request)
        return await self.answer()

    def close(self) -> None:
        """Close the connection without waiting for the other side."""
        self._writer.close()

    def end(self) -> None:
        """Close our side only: nothing more is sent."""
        self._writer.write_eof()

    def reset(self) -> None:
        """Drop the connection as a station does whose power is cut."""
        self._writer.transport.abort()

    async def _answer(self, *, head: bool) -> Answer:
        lines_of_head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = lines_of_head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        status = int(first.split(" ")[1])
        if head or status == 304:
            body = b""
        elif "chunked" in headers.get("transfer-encoding", ""):
            body = b""
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                body += (await self._reader.readexactly(size + 2))[:-2]
            await self._reader.readuntil(b"\r\n")
        else:
            body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(status, headers, body)


@asynccontextmanager
async def connection(
    port: int, source: str = "127.0.0.1"
) -> AsyncGenerator[Connection]:
    """Return a connection that is closed at the end."""
    opened = await Connection.open(port, source)
    try:
        yield opened
    finally:
        opened.close()


async def ask(
    port: int,
    *segments: bytes,
    source: str = "127.0.0.1",
    limit: float = ANSWER_LIMIT,
) -> Answer:
    """Return the answer to a request on a connection of its own.

    Segments are sent as TCP segments of their own. No answer in time counts as CLOSED, too:
    HA waits for the rest of a request that it cannot know to be complete.
    """
    async with connection(port, source) as opened:
        with suppress(ConnectionError):
            await opened.send(*segments)
        with suppress(TimeoutError):
            return await opened.answer(limit, head=segments[0].startswith(b"HEAD "))
    return CLOSED


def request(
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    close: bool = False,
) -> bytes:
    """Return a well-formed request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
