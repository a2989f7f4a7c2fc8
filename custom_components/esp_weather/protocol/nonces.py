"""Nonces, each of which is good for one signed report."""

from hashlib import sha256
from hmac import compare_digest
from secrets import token_bytes
from time import monotonic_ns
from typing import Final

# Long enough for a sleeping station, too short to withhold a report for long
NONCE_LIFETIME: Final = 2 * 3600  # seconds

_COUNTER_DIGITS: Final = 16
_PROOF_DIGITS: Final = 32


class Nonces:
    """Issues nonces, each of which a station can use once.

    A nonce is a counter and the proof that it was issued here, in lower-case hex.
    It is valid for a station that has not used it or a later one yet, so that one
    number per station is all there is to remember. The proofs become invalid
    with a restart, and so does every earlier nonce.
    """

    def __init__(self) -> None:
        """Create a secret for the proofs."""
        self._secret = token_bytes()
        self._newest = 0
        self._used: dict[str, int] = {}

    def issue(self) -> str:
        """Return a new nonce."""
        self._newest = max(self._newest + 1, monotonic_ns())
        counter = self._newest.to_bytes(_COUNTER_DIGITS // 2).hex()
        return counter + self._proof(counter)

    def use(self, station: str, nonce: str) -> bool:
        """Return whether the station may use the nonce, and mark it as used.

        `station` must be authenticated, since each one takes memory.
        """
        counter, proof = nonce[:_COUNTER_DIGITS], nonce[_COUNTER_DIGITS:]
        # The proof covers these very digits, so that no other spelling is valid.
        if not nonce.isascii() or not compare_digest(proof, self._proof(counter)):
            return False
        issued = int(counter, 16)
        if issued <= self._used.get(station, 0) or (
            monotonic_ns() - issued > NONCE_LIFETIME * 1_000_000_000
        ):
            return False
        self._used[station] = issued
        return True

    def _proof(self, counter: str) -> str:
        # As safe as an HMAC, which takes longer: all counters have one length, and half
        # of the hash is kept, so that nobody can extend one.
        return sha256(self._secret + counter.encode()).hexdigest()[:_PROOF_DIGITS]
