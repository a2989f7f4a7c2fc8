"""A station that signs its reports, written without the library that checks them."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
import hmac
from http import HTTPStatus
import json
from typing import Any

from aiohttp.test_utils import TestClient

from . import conftest
from .conftest import Answer

SIGNED_PATH = "/api/esp_weather/report"


@dataclass(frozen=True)
class Signer:
    """Who signs: a MAC and its key."""

    mac: str
    key: str = conftest.KEY

    def headers(
        self, body: bytes, nonce: str, path: str = SIGNED_PATH
    ) -> dict[str, str]:
        """Return the headers of a signed report, written from RFC 9421 and 9530."""
        digest = f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"
        parameters = (
            f'("@method" "@path" "content-digest");keyid="{self.mac}";nonce="{nonce}"'
        )
        base = (
            f'"@method": POST\n"@path": {path}\n"content-digest": {digest}\n'
            f'"@signature-params": {parameters}'
        )
        signature = hmac.digest(self.key.encode(), base.encode(), "sha256")
        return {
            "Content-Digest": digest,
            "Signature-Input": f"sig={parameters}",
            "Signature": f"sig=:{b64encode(signature).decode()}:",
        }


OUTDOOR = Signer(conftest.OUTDOOR)
INDOOR = Signer(conftest.INDOOR)


def nonce_of(answer: Answer) -> str:
    """Return the nonce that an answer brings."""
    return nonce_in(answer.headers["Accept-Signature"])


def nonce_in(accept_signature: str) -> str:
    """Return the nonce in the header Accept-Signature."""
    return accept_signature.partition(';nonce="')[2].removesuffix('"')


def reading(value: float, age: float = 0, field: int = 1) -> dict[str, Any]:
    """Return a reading as a report holds it."""
    return {"field": field, "value": value, "age": age}


@dataclass
class SignedStation:
    """A station with the nonce that it was given last."""

    client: TestClient[Any, Any]
    signer: Signer = OUTDOOR
    nonce: str = ""

    def body(self, *readings: dict[str, Any], **more: Any) -> bytes:
        """Return the body of a report."""
        return json.dumps(
            {"mac": self.signer.mac, "readings": readings, **more}
        ).encode()

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        """Send a body, signed unless headers are given, and take the new nonce."""
        if headers is None:
            headers = self.signer.headers(body, self.nonce)
        response = await self.client.post(SIGNED_PATH, data=body, headers=headers)
        answer = Answer(response.status, await response.text(), response.headers)
        self.nonce = nonce_of(answer)
        return answer

    async def report(self, *readings: dict[str, Any], **more: Any) -> Answer:
        """Report, once more with the nonce of the answer if the first was refused."""
        body = self.body(*readings, **more)
        answer = await self.post(body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer = await self.post(body)
        return answer
