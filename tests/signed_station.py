"""A station that signs its reports, written without the library that checks them."""

from dataclasses import dataclass
from http import HTTPStatus
import json
from typing import Any

from aiohttp.test_utils import TestClient

from tools.signature import SIGNED_PATH, Signer, nonce_in

from . import helpers
from .helpers import KEY, Answer

OUTDOOR = Signer(helpers.OUTDOOR, KEY)
INDOOR = Signer(helpers.INDOOR, KEY)


def nonce_of(answer: Answer) -> str:
    """Return the nonce that an answer brings."""
    return nonce_in(answer.headers["Accept-Signature"])


def reading(value: float, age: float = 0, field: int = 1) -> dict[str, Any]:
    """Return a reading as a report holds it."""
    return {"field": field, "value": value, "age": age}


@dataclass
class SignedStation:
    """A station with the nonce that it was given last.

    `address` is its own if it is behind a reverse proxy.
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

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        """Send a body, signed unless headers are given, and take the new nonce."""
        if headers is None:
            headers = self.signer.headers(body, self.nonce)
        if self.address:
            headers["X-Forwarded-For"] = self.address
        response = await self.client.post(SIGNED_PATH, data=body, headers=headers)
        answer = Answer(response.status, await response.text(), response.headers)
        if "Accept-Signature" in answer.headers:
            self.nonce = nonce_of(answer)
        return answer

    async def report(self, *readings: dict[str, Any], **more: Any) -> Answer:
        """Report, once more with the nonce of the answer if the first was refused."""
        body = self.body(*readings, **more)
        answer = await self.post(body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer = await self.post(body)
        return answer
