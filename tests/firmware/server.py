"""A server that answers as a test wants, well or badly."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
import ssl

ANSWERS = {
    "garbage": b"SSH-2.0-OpenSSH_10.0\r\n",
    "not http": b"RTSP/1.0 200 OK\r\n\r\n",
    "no number": b"HTTP/1.1 yes\r\n\r\n",
    "half": b"HTTP/1.1 2",
    "nothing": b"",
}


class ReportServer:
    """Answers each request with the next of `answers`, the last one for ever.

    An answer is a status, a key of ANSWERS, "silent" (never answers) or "long".
    """

    def __init__(self) -> None:
        """Answer 200 to all."""
        self.port = 0
        self.requests: list[str] = []
        self.answers = ["200"]

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one connection."""
        try:
            line = (await reader.readline()).decode()
            if line.startswith("ANSWERS "):
                self.answers = json.loads(line.removeprefix("ANSWERS "))
                self.requests = []
                writer.write(b"true\n")
            elif line == "REQUESTS\n":
                writer.write(json.dumps(self.requests).encode() + b"\n")
                self.requests = []
            elif line:
                await self._answer(line, reader, writer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _answer(
        self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(line + head)
        answer = self.answers[0]
        if len(self.answers) > 1:
            del self.answers[0]
        if answer == "silent":
            await reader.read()  # until the station hangs up
        elif answer == "long":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_000))
        else:
            writer.write(
                ANSWERS.get(
                    answer,
                    f"HTTP/1.1 {answer} \r\nConnection: close\r\n\r\nOK".encode(),
                )
            )


@asynccontextmanager
async def report_server(
    context: ssl.SSLContext | None = None,
) -> AsyncGenerator[ReportServer]:
    """Run a server on a free port of 127.0.0.1."""
    report_server = ReportServer()
    server = await asyncio.start_server(
        report_server.serve, "127.0.0.1", 0, ssl=context
    )
    async with server:
        report_server.port = server.sockets[0].getsockname()[1]
        yield report_server
        server.close_clients()
