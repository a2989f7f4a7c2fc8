"""A station that signs its reports, independent of the code that checks them."""

from dataclasses import dataclass
from http import HTTPStatus
import json
from typing import Any, NamedTuple

from aiohttp.test_utils import TestClient
from multidict import CIMultiDictProxy

from tools.signature import SIGNED_PATH, Signer, nonce_in

from . import helpers
from .helpers import KEY

OUTDOOR = Signer(helpers.OUTDOOR, KEY)
INDOOR = Signer(helpers.INDOOR, KEY)


class SignedAnswer(NamedTuple):
    """The answer to a signed report, and whether a station believes it."""

    status: int
    content: dict[str, Any]
    headers: CIMultiDictProxy[str]
    is_believed: bool

    @property
    def text(self) -> str:
        """Return the text for people, if the report is refused."""
        return str(self.content.get("message", ""))


def taken(
    readings: int, *refused: dict[str, Any], stored: int | None = None
) -> dict[str, Any]:
    """Return the content of the answer to a report that is taken."""
    return {"taken": readings, "stored": stored, "refused": list(refused)}


def nonce_of(answer: SignedAnswer) -> str:
    """Return the nonce that an answer brings."""
    return nonce_in(answer.headers["Accept-Signature"])


def reading(value: float, age: float = 0, field: int = 1) -> dict[str, Any]:
    """Return a reading in the format of the report."""
    return {"field": field, "value": value, "age": age}


@dataclass
class SignedStation:
    """A station with its latest nonce.

    `address` is the station's behind a reverse proxy.
    """

    client: TestClient[Any, Any]
    signer: Signer = OUTDOOR
    nonce: str = ""
    address: str | None = None

    def body(self, *readings: dict[str, Any], **more: Any) -> bytes:
        """Return the body of a report."""
        return json.dumps(
            {"mac": self.signer.mac, "readings": readings, **more}
        ).encode()

    async def post(
        self, body: bytes, headers: dict[str, str] | None = None
    ) -> SignedAnswer:
        """Send a body, signed unless headers are given, and take the new nonce."""
        if headers is None:
            headers = self.signer.headers(body, self.nonce)
        if self.address:
            headers["X-Forwarded-For"] = self.address
        response = await self.client.post(SIGNED_PATH, data=body, headers=headers)
        content = await response.read()
        answer = SignedAnswer(
            response.status,
            # A banned sender gets a page.
            json.loads(content) if response.content_type == "application/json" else {},
            response.headers,
            "Signature" in headers
            and self.signer.has_signed(
                response.status, content, response.headers, headers
            ),
        )
        if answer.content:
            self.nonce = nonce_of(answer)
        return answer

    async def report(self, *readings: dict[str, Any], **more: Any) -> SignedAnswer:
        """Report; if the nonce is refused, repeat with the one of the answer."""
        body = self.body(*readings, **more)
        answer = await self.post(body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer = await self.post(body)
        return answer
