"""A server with scripted answers, correct and hostile ones.

Its signed answers are written from docs/protocol.md, RFC 9421 and RFC 9530, without
anything of the integration.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
import hmac
from http import HTTPStatus
import json
import ssl
from typing import Any

from tools.signature import Signer, nonce_in
from tools.station import OUTDOOR

FILES = "/api/esp_weather/firmware/"

# What is sent as it stands
RAW = {
    "garbage": b"SSH-2.0-OpenSSH_10.0\r\n",
    "not http": b"RTSP/1.0 200 OK\r\n\r\n",
    "no number": b"HTTP/1.1 yes\r\n\r\n",
    "half": b"HTTP/1.1 2",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Len",
    "nothing": b"",
    "only line ends": b"\r\n\r\n\r\n",
    "zeros": bytes(100),
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\nSignature: sig=:A:\r\n\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
    b"Signature: sig=:A:\r\n\r\nxyz\r\n",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: https://example.org/\r\n\r\n",
    "portal": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    b"Set-Cookie: a=b\r\n\r\n<html>Welcome to our Wi-Fi</html>",
    "proxy 400": b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n"
    b"Content-Length: 3\r\n\r\nBad",
    "forged signature": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    b"Signature: sig=:AAAA:\r\n\r\n{}",
    "empty signature": b"HTTP/1.1 200 OK\r\nSignature:\r\nSignature: sig=\r\n\r\n",
    "endless continue": b"HTTP/1.1 100 Continue\r\n\r\n" * 200,
}
# Signed answers whose content has no sense
BODIES = {
    "not json": b"OK",
    "no object": b"[]",
    "null": b"null",
    "odd stored": b'{"taken": 1, "stored": "all", "refused": []}',
    "odd refused": b'{"taken": 1, "stored": null, "refused": [1]}',
    "odd settings": b'{"taken": 1, "stored": null, "refused": [], "settings": [1]}',
    "odd firmware": b'{"taken": 1, "stored": null, "refused": [], "firmware": 1}',
}
ODD_NONCES = {
    "no nonce": "",
    "long nonce": "a" * 500,
    "nonce with spaces": "a b",
    "nonce with controls": "a\x01\x7f",
    "foreign nonce": "äöü",
}


@dataclass(frozen=True)
class Answer:
    """What a request is answered with."""

    status: int
    body: bytes = b""
    nonce: str | None = None
    signed_as: int | None = None  # the status that is signed, if it is another one
    key: str = OUTDOOR.key


class ReportServer:
    """Answers each request with the next of `answers`, the last one for ever.

    An answer is a status, a key of the tables above, or one of the names in _answer().
    A signed report is answered so only if its signature is right and its nonce was
    given out here and not used yet; else with 401.

    What was taken with one report is on the disk when the next one comes.
    """

    def __init__(self) -> None:
        """Answer 200 to all."""
        self.port = 0
        self.requests: list[str] = []
        self.answers = ["200"]
        self.settings: dict[str, object] = {}
        self.firmware: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.disk: dict[tuple[str, int], float] = {}
        self.memory: dict[tuple[str, int], float] = {}
        self.received = 0  # bytes
        # Readings with the number of another one: they would be passed over
        self.mistaken: list[tuple[str, int, float]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self._issued = 0
        self._used = 0

    @property
    def stored(self) -> list[float]:
        """Return all values taken so far, in the order of their numbers."""
        return list((self.disk | self.memory).values())

    def crash(self) -> None:
        """Lose the readings that are only in memory, and all nonces."""
        self.memory = {}
        self._used = self._issued

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one connection."""
        if task := asyncio.current_task():
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        try:
            if self.answers[0] == "early":
                self._next()
                writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
                return
            if self.answers[0] == "reset at once":
                self._next()
                writer.transport.abort()
                return
            line = (await reader.readline()).decode()
            if line.startswith("ANSWERS "):
                self.answers = json.loads(line.removeprefix("ANSWERS "))
                self.requests = []
                writer.write(b"true\n")
            elif line.startswith("SETTINGS "):
                self.settings = json.loads(line.removeprefix("SETTINGS "))
                writer.write(b"true\n")
            elif line.startswith("FIRMWARE "):
                self.firmware = json.loads(line.removeprefix("FIRMWARE "))
                writer.write(b"true\n")
            elif line.startswith("FILES "):
                self.files = json.loads(line.removeprefix("FILES "))
                writer.write(b"true\n")
            elif line == "CRASH\n":
                self.crash()
                writer.write(b"true\n")
            elif line == "NAMES\n":
                writer.write(json.dumps([HOSTILE, GOOD]).encode() + b"\n")
            elif line == "REQUESTS\n":
                writer.write(json.dumps(self.requests).encode() + b"\n")
                self.requests = []
            elif line == "MISTAKEN\n":
                writer.write(json.dumps(self.mistaken).encode() + b"\n")
            elif line == "STORED\n":
                writer.write(json.dumps(self.stored).encode() + b"\n")
            elif line:
                await self._answer(line, reader, writer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _next(self) -> str:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def _answer(
        self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.answers[0] == "reset in the request":
            self._next()
            writer.transport.abort()
            return
        streams = reader, writer
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(each.split(": ", 1) for each in head.splitlines() if each)
        body = await reader.readexactly(int(headers.get("Content-Length", 0)))
        self.requests.append(line + head + body.decode())
        self.received += len(line) + len(head) + len(body)
        if line.startswith(f"GET {FILES}"):
            name = line.split()[1].removeprefix(FILES)
            content = self.files.get(name, "").encode()
            status = b"200 OK" if name in self.files else b"404 Not Found"
            writer.write(b"HTTP/1.1 %b\r\n" % status)
            writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
            return
        if not line.startswith("POST "):
            await self._send(self._next(), None, Answer(200), streams)
            return
        if not self._has_right_signature(headers, body):
            await self._send("unsigned 401", None, Answer(401), streams)
            return
        if not self._has_right_nonce(headers):
            error = b'{"error": "invalid_nonce", "message": "Sign again"}'
            await self._send("401", headers, Answer(401, error), streams)
            return
        name = self._next()
        if name == "200" or (name not in RAW and not name.isdigit()):
            answer = Answer(200, self._take(json.loads(body), name))
        else:
            answer = Answer(int(name) if name.isdigit() else 200, b'{"error": "x"}')
        await self._send(name, headers, answer, streams)

    def _has_right_signature(self, headers: dict[str, str], body: bytes) -> bool:
        nonce = nonce_in(headers["Signature-Input"])
        mac = json.loads(body)["mac"]
        expected = Signer(mac, OUTDOOR.key).headers(body, nonce)
        return not expected.items() - headers.items()

    def _has_right_nonce(self, headers: dict[str, str]) -> bool:
        nonce = nonce_in(headers["Signature-Input"])
        if not nonce.isdigit() or not self._used < int(nonce) <= self._issued:
            return False
        self._used = int(nonce)
        return True

    def _take(self, report: dict[str, Any], name: str) -> bytes:
        """Take the readings of a report, unless the answer is not a good one."""
        if name not in GOOD or "stream" not in report:
            return b'{"taken": 1, "stored": null, "refused": []}'
        stream = report["stream"]
        self.disk |= self.memory
        self.memory = {}
        refused = []
        for number, reading in enumerate(report["readings"], report["first"]):
            if name == "refuse all":
                refused.append({"number": number, "reason": "outside of its range"})
                self.disk[stream, number] = reading["value"]
            elif (stream, number) not in self.disk:
                self.memory[stream, number] = reading["value"]
            elif self.disk[stream, number] != reading["value"]:
                self.mistaken.append((stream, number, reading["value"]))
        numbers = [number for name, number in self.disk if name == stream]
        answer: dict[str, object] = {
            "taken": len(report["readings"]) - len(refused),
            "stored": max(numbers, default=None),
            "refused": refused,
        }
        if self.settings:
            answer["settings"] = self.settings
        if self.firmware:
            answer["firmware"] = self.firmware
        return json.dumps(answer).encode()

    async def _send(
        self,
        name: str,
        request: dict[str, str] | None,
        answer: Answer,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Send an answer, signed for its request if there is one."""
        reader, writer = streams
        self._issued += 1
        nonce = ODD_NONCES.get(name, f"{self._issued:048}")
        accept = f'Accept-Signature: sig=("@method");nonce="{nonce}"\r\n'
        body = BODIES.get(name, answer.body)
        status = answer.status
        if name.startswith("unsigned "):
            status, request = int(name.removeprefix("unsigned ")), None
        elif request is None and name.isdigit():
            status = int(name)
        key = "another" if name == "other key" else OUTDOOR.key
        signature = _signature(key, request, status, body) if request else ""
        if name == "other status":
            status = 400
        if name == "other body":
            body = body.replace(b"1", b"2")
        version = "1.0" if name == "http/1.0" else "1.1"
        reason = "" if name == "no reason" else " " + HTTPStatus(status).phrase
        # Like the headers that stand before it in HA's answers
        other = f"X-Other: {'x' * (self._issued * 29 % 400)}\r\n"
        if name == "many headers":
            other = "".join(f"X-Other-{each}: {'y' * 60}\r\n" for each in range(140))
        elif name == "long header":
            other = f"X-Other: {'z' * 10_000}\r\n"
        length = f"Content-Length: {len(body)}\r\n"
        if name == "chunked":
            length = "Transfer-Encoding: chunked\r\n"
            body = b"5;a=b\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (
                body[:5],
                len(body) - 5,
                body[5:],
            )
        elif name == "until the end":
            length = ""
        elif name == "long":
            length, body = "", bytes(100_000)
        elif name == "short body":
            body = body[:-3]
        head = f"HTTP/{version} {status}{reason}\r\n{length}{other}{signature}"
        if name == "nonce first":
            head = head.replace(other, accept + other)
            accept = ""
        data = f"{head}{accept}\r\n".encode() + body
        if name == "continue":
            data = b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + data
        data = RAW.get(name, data)
        if name == "silent":
            await reader.read()  # until the station hangs up
        elif name in (
            "reset before the answer",
            "reset in the head",
            "reset in the body",
        ):
            end = {"reset before the answer": 0, "reset in the head": 40}
            writer.write(data[: end.get(name, len(data) - 3)])
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.abort()
        elif name.startswith("drip"):
            for each in range(len(data)):
                writer.write(data[each : each + 1])
                await writer.drain()
                await asyncio.sleep(0.02)
        else:
            writer.write(data)


# Strange answers that are as good as 200
GOOD = (
    *("200", "no reason", "http/1.0", "many headers", "long header", "chunked"),
    *("until the end", "continue", "nonce first", "refuse all", *ODD_NONCES),
    "unsigned 401",  # It is sent again, and passed over then.
)
# Answers after which nothing counts as taken
BAD = (
    *RAW,
    *("unsigned 200", "unsigned 400", "unsigned 403", "unsigned 404", "unsigned 413"),
    *("unsigned 429", "unsigned 500", "unsigned 502", "unsigned 503", "unsigned 504"),
    *("other key", "other status", "other body", "short body", "long", "early"),
    *("reset at once", "reset in the request", "reset before the answer"),
    *("reset in the head", "reset in the body", "503", "500", "drip", "silent"),
    *BODIES,
)
HOSTILE = [name for name in GOOD + BAD if name != "refuse all"]


def _signature(key: str, request: dict[str, str], status: int, body: bytes) -> str:
    """Return the headers that sign an answer: its status, its body, and the request."""
    mac = json.loads(
        f'"{request["Signature-Input"].split(chr(34) + ";nonce")[0][-17:]}"'
    )
    digest = f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"
    parameters = (
        '("@status" "content-digest" "signature";req;key="sig")'
        f';keyid="{mac}";tag="esp-weather"'
    )
    asked = request["Signature"].removeprefix("sig=")
    base = (
        f'"@status": {status}\n"content-digest": {digest}\n'
        f'"signature";req;key="sig": {asked}\n"@signature-params": {parameters}'
    )
    signature = hmac.digest(key.encode(), base.encode(), "sha256")
    return (
        f"Content-Digest: {digest}\r\nSignature-Input: sig={parameters}\r\n"
        f"Signature: sig=:{b64encode(signature).decode()}:\r\n"
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
        for task in report_server.tasks:
            task.cancel()
        await asyncio.gather(*report_server.tasks, return_exceptions=True)
