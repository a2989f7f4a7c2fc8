"""The signature of a station's report, written without the library that checks it."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
import hmac

SIGNED_PATH = "/api/esp_weather/report"


@dataclass(frozen=True)
class Signer:
    """Who signs: a MAC and its key."""

    mac: str
    key: str

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


def nonce_in(accept_signature: str) -> str:
    """Return the nonce in the header Accept-Signature."""
    return accept_signature.partition(';nonce="')[2].removesuffix('"')
