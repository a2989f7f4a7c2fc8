"""Nonces: numbers that a station can sign one report with."""

from hmac import compare_digest, digest
from secrets import token_bytes
from time import monotonic_ns
from typing import Final

# Enough for a station that sleeps, and too short to hold a report back for long.
NONCE_LIFETIME: Final = 3600  # seconds

_COUNTER_BYTES: Final = 8
_PROOF_BYTES: Final = 16


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
