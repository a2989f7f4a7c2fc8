"""Who has signed a request: RFC 9421 signatures with a key that both sides know.

Knows nothing of Home Assistant.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest, digest
from secrets import token_bytes
from time import monotonic_ns
from typing import Final, override

from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
)
from http_message_signatures.algorithms import HMAC_SHA256

# Enough for a station that sleeps, and too short to hold a report back for long.
NONCE_LIFETIME: Final = 3600  # seconds

_COMPONENTS: Final = ("@method", "@path", "content-digest")
_COUNTER_BYTES: Final = 8
_PROOF_BYTES: Final = 16


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


class Nonces:
    """Hands out nonces, each of which a station can use once.

    A nonce is a counter and the proof that it was handed out here. It is good for
    a station that has not used it or a later one yet, so that all that has to be
    remembered is one number for each station. The proof is worth nothing after
    a restart, and with it every nonce from before.
    """

    def __init__(self) -> None:
        """Begin with a secret of its own."""
        self._secret = token_bytes()
        self._newest = 0
        self._used: dict[str, int] = {}

    def issue(self) -> str:
        """Return a new nonce."""
        self._newest = max(self._newest + 1, monotonic_ns())
        counter = self._newest.to_bytes(_COUNTER_BYTES)
        return (counter + self._proof(counter)).hex()

    def use(self, station: str, nonce: str) -> bool:
        """Return whether the station may use the nonce, which it then has."""
        try:
            content = bytes.fromhex(nonce)
        except ValueError:
            return False
        counter, proof = content[:_COUNTER_BYTES], content[_COUNTER_BYTES:]
        if not compare_digest(proof, self._proof(counter)):
            return False
        issued = int.from_bytes(counter)
        if issued <= self._used.get(station, 0) or (
            monotonic_ns() - issued > NONCE_LIFETIME * 1_000_000_000
        ):
            return False
        self._used[station] = issued
        return True

    def _proof(self, counter: bytes) -> bytes:
        return digest(self._secret, counter, "sha256")[:_PROOF_BYTES]
