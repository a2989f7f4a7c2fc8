"""Signatures of RFC 9421 with a shared key."""

from binascii import b2a_base64
from hashlib import sha256

from micropython import const

_BLOCK = const(64)  # bytes, of SHA-256


def is_signed(
    key: bytes, mac: str, status: int, body: bytes, asked: str, signature: bytes
) -> bool:
    """Return whether the server signed an answer, together with the request's signature.

    `asked` is the signature of the request. Both come without colons.
    """
    right = base64(
        hmac_sha256(
            key,
            '"@status": %d\n"content-digest": sha-256=:' % status,
            base64(sha256(body).digest()),
            ':\n"signature";req;key="sig": :',
            asked,
            ':\n"@signature-params": ',
            '("@status" "content-digest" "signature";req;key="sig");keyid="',
            mac,
            '";tag="esp-weather"',
        )
    )
    # Compare all of it, so that the time does not reveal how much was right.
    different = len(right) ^ len(signature)
    for one, other in zip(right.encode(), signature):
        different |= one ^ other
    return not different


def hmac_sha256(key: bytes, *message: str | bytes) -> bytes:
    """Return the HMAC of RFC 2104 with SHA-256. The key has at most 64 bytes.

    The message comes in pieces: a small heap may not have a large block.
    """
    key += bytes(_BLOCK - len(key))
    inner = sha256(bytes(byte ^ 0x36 for byte in key))
    for piece in message:
        inner.update(piece)
    outer = sha256(bytes(byte ^ 0x5C for byte in key))
    outer.update(inner.digest())
    digest: bytes = outer.digest()
    return digest


def base64(data: bytes) -> str:
    """Encode bytes for a structured field, without the colons."""
    text: str = b2a_base64(data)[:-1].decode()
    return text
