"""Signatures as in RFC 9421, with a key that both sides know."""

from binascii import b2a_base64
from hashlib import sha256

from micropython import const

_BLOCK = const(64)  # bytes, of SHA-256


def sign(key: bytes, lines: str, parameters: str) -> bytes:
    """Return the signature of components, a line for each (RFC 9421, section 2.5)."""
    return hmac_sha256(key, (lines + '"@signature-params": ' + parameters).encode())


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return the HMAC of RFC 2104 with SHA-256. The key has at most 64 bytes."""
    key += bytes(_BLOCK - len(key))
    inner = sha256(bytes(byte ^ 0x36 for byte in key))
    inner.update(message)
    outer = sha256(bytes(byte ^ 0x5C for byte in key))
    outer.update(inner.digest())
    digest: bytes = outer.digest()
    return digest


def base64(data: bytes) -> str:
    """Return bytes as a structured field has them, without its colons."""
    text: str = b2a_base64(data)[:-1].decode()
    return text
