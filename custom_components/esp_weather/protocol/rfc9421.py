"""Who has signed a request: RFC 9421 signatures with a key that both sides know.

Knows nothing of Home Assistant.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, override

from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
)
from http_message_signatures.algorithms import HMAC_SHA256

_COMPONENTS: Final = ("@method", "@path", "content-digest")


class SignatureError(Exception):
    """A request that is not signed, or not with this key."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What of a request the signature can cover. `url` is absolute."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    def signer(self, key_of: Callable[[str], str]) -> Signer:
        """Return who has signed method, path and body, at least.

        `key_of` returns the key of a signer by its keyid. Raises SignatureError.
        """
        try:
            (result,) = _Verifier(
                signature_algorithm=HMAC_SHA256, key_resolver=_KeyResolver(key_of)
            ).verify(self, max_age=None, require_components=_COMPONENTS, body=self.body)
        except HTTPMessageSignaturesException as err:
            raise SignatureError(str(err)) from err
        return Signer(str(result.parameters["keyid"]), result.nonce or "")

    def keyid_if(self, key: str) -> str | None:
        """Return who has signed, if it was with this key."""
        try:
            return self.signer(lambda _: key).keyid
        except SignatureError:
            return None


@dataclass(frozen=True, slots=True)
class Signer:
    """The keyid that a request was signed with, and the nonce, if there is one."""

    keyid: str
    nonce: str


class _Verifier(HTTPMessageVerifier):
    # The stations have no clock.
    require_created = False


class _KeyResolver(HTTPSignatureKeyResolver):
    def __init__(self, key_of: Callable[[str], str]) -> None:
        self._key_of = key_of

    @override
    def resolve_public_key(self, key_id: str) -> bytes:
        return self._key_of(key_id).encode()
