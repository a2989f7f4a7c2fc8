"""The signatures of the signed report, independent of the integration's code."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
import hmac

SIGNED_PATH = "/api/esp_weather/report"


@dataclass(frozen=True)
class Signer:
    """A signer: a MAC and its key."""

    mac: str
    key: str

    def headers(
        self, body: bytes, nonce: str, path: str = SIGNED_PATH
    ) -> dict[str, str]:
        """Return the headers of a signed report, written from RFC 9421 and 9530."""
        digest = digest_of(body)
        parameters = (
            f'("@method" "@path" "content-digest");keyid="{self.mac}";nonce="{nonce}"'
        )
        signature = self._sign(
            f'"@method": POST\n"@path": {path}\n"content-digest": {digest}\n'
            f'"@signature-params": {parameters}'
        )
        return {
            "Content-Digest": digest,
            "Signature-Input": f"sig={parameters}",
            "Signature": f"sig=:{signature}:",
        }

    def has_signed(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str],
        request: Mapping[str, str],
    ) -> bool:
        """Return whether an answer is signed by Home Assistant for this very request.

        `headers` are those of the answer, `request` those that headers() returned.
        """
        digest = digest_of(body)
        parameters = (
            '("@status" "content-digest" "signature";req;key="sig")'
            f';keyid="{self.mac}";tag="esp-weather"'
        )
        asked = request["Signature"].removeprefix("sig=")
        signature = self._sign(
            f'"@status": {status}\n"content-digest": {digest}\n'
            f'"signature";req;key="sig": {asked}\n"@signature-params": {parameters}'
        )
        return hmac.compare_digest(
            headers.get("Signature", "").encode(), f"sig=:{signature}:".encode()
        )

    def _sign(self, base: str) -> str:
        signature = hmac.digest(self.key.encode(), base.encode(), "sha256")
        return b64encode(signature).decode()


def digest_of(body: bytes) -> str:
    """Return the Content-Digest of a body."""
    return f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"


def nonce_in(accept_signature: str) -> str:
    """Return the nonce in the header Accept-Signature."""
    return accept_signature.partition(';nonce="')[2].removesuffix('"')
