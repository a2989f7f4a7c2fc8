"""A server that answers as a test wants, well or badly."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
import json
import ssl

from tools.signature import Signer, nonce_in
from tools.station import OUTDOOR

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
    A signed report is answered so only if its signature is right and its nonce was
    given out here and not used yet; else with 401.
    """

    def __init__(self) -> None:
        """Answer 200 to all."""
        self.port = 0
        self.requests: list[str] = []
        self.answers = ["200"]
        self._issued = 0
        self._used = 0

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
        headers = dict(each.split(": ", 1) for each in head.splitlines() if each)
        body = await reader.readexactly(int(headers.get("Content-Length", 0)))
        self.requests.append(line + head + body.decode())
        answer = self.answers[0]
        if line.startswith("POST ") and not self._is_signed(headers, body):
            answer = str(int(HTTPStatus.UNAUTHORIZED))
        elif len(self.answers) > 1:
            del self.answers[0]
        if answer == "silent":
            await reader.read()  # until the station hangs up
        elif answer == "long":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_000))
        else:
            self._issued += 1
            nonce = f'sig=("@method");nonce="{self._issued:048}"'
            writer.write(
                ANSWERS.get(
                    answer,
                    f"HTTP/1.1 {answer} \r\nConnection: close\r\n"
                    # Like the headers that stand before it in HA's answers
                    f"X-Other: {'x' * (self._issued * 29 % 400)}\r\n"
                    f"Accept-Signature: {nonce}\r\n\r\nOK".encode(),
                )
            )

    def _is_signed(self, headers: dict[str, str], body: bytes) -> bool:
        mac = json.loads(body)["mac"]
        nonce = nonce_in(headers["Signature-Input"])
        expected = Signer(mac, OUTDOOR.key).headers(body, nonce)
        if expected.items() - headers.items() or not nonce.isdigit():
            return False
        if not self._used < int(nonce) <= self._issued:
            return False
        self._used = int(nonce)
        return True


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
