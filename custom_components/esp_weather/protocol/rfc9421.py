"""HTTP message signatures (RFC 9421) of requests and answers, with a shared key.

Only what the signed report needs: one signature of hmac-sha256 over exactly the
method, the path and the digest of the body (RFC 9530).
"""

from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from hashlib import sha256
from hmac import HMAC, compare_digest
import re
from typing import Final, NamedTuple

from multidict import MultiMapping, istr

# The three headers are dictionaries of RFC 9651. The pattern takes those that a signed
# report can hold, in the form of its section 4.1, each on a line. Matching costs the
# same whatever is sent, and a fifth of a parser's time; the tests compare the two.
_KEY: Final = "[a-z*][a-z0-9_.*-]*"
_HASH: Final = "[A-Za-z0-9+/]{43}"  # 32 bytes; the = at the end may be missing
_STRING: Final = r'"([ !#-\[\]-~]*)"'  # without an escaped character
_COMPONENT: Final = '"(@method|@path|content-digest)"'
_OTHER_DIGEST: Final = f"(?!sha-256=){_KEY}=:[A-Za-z0-9+/=]*:"
_HEADERS: Final = re.compile(
    # Each component once, and each parameter at most once, in any order: (?!"\3")
    # fails where group 3 is repeated, (?(6)(?!)…) where group 6 is set.
    rf'({_KEY})=(\({_COMPONENT} (?!"\3"){_COMPONENT} (?!"\3"|"\4"){_COMPONENT}\)'
    rf"(?:;(?(6)(?!)|keyid={_STRING})|;(?(7)(?!)|nonce={_STRING})"
    r'|;(?(8)(?!)|(alg)="hmac-sha256")|;(?(9)(?!)|(created)=[1-9]\d{0,14}))+)'
    rf"\n(?:{_OTHER_DIGEST}[ \t]*,[ \t]*)*sha-256=:({_HASH})=?:"
    rf"(?:[ \t]*,[ \t]*{_OTHER_DIGEST})*"
    # The signature has the label of its input.
    rf"\n\1=:({_HASH})=?:",
    re.ASCII,
)
# Of the three together; twice the length of ours
_MAX_LENGTH: Final = 512

CONTENT_DIGEST: Final = istr("Content-Digest")
SIGNATURE_INPUT: Final = istr("Signature-Input")
SIGNATURE: Final = istr("Signature")


class SignatureError(Exception):
    """A request without a signature as the signed report needs it."""


class Signature(NamedTuple):
    """The signature of a request, not verified yet.

    `label` is its name in the headers, `keyid` names the claimed signer.
    """

    label: str
    keyid: str
    nonce: str
    value: bytes
    body_digest: bytes
    base: bytes

    def covers(self, body: bytes) -> bool:
        """Return whether the signed digest is that of this body."""
        return compare_digest(self.body_digest, sha256(body).digest())

    def matches(self, key: bytes) -> bool:
        """Return whether the request was signed with this key."""
        return compare_digest(self.value, _hmac(key, self.base))


def parse_signature(method: str, path: str, headers: MultiMapping[str]) -> Signature:
    """Return the signature of a request.

    `path` is normalized and without the query (RFC 9421, 2.2.6). Each of the headers
    has to be there once, and together they may have 512 characters. The components may
    come in any order, and the parameters `alg` and `created` beside `keyid` and `nonce`.
    Raises SignatureError.
    """
    digests = headers.getall(CONTENT_DIGEST, ())
    inputs = headers.getall(SIGNATURE_INPUT, ())
    signatures = headers.getall(SIGNATURE, ())
    if not len(digests) == len(inputs) == len(signatures) == 1:
        raise SignatureError("Not one of each header")
    digest = digests[0]
    text = f"{inputs[0]}\n{digest}\n{signatures[0]}"
    if len(text) > _MAX_LENGTH or not (match := _HEADERS.fullmatch(text)):
        raise SignatureError("The headers are not those of a signed report")
    label, signed, first, second, third, keyid, nonce, _, _, body_digest, value = (
        match.groups()
    )
    if keyid is None or nonce is None:
        raise SignatureError("No keyid or no nonce")
    lines = {"@method": method, "@path": path, "content-digest": digest}
    base = (
        f'"{first}": {lines[first]}\n"{second}": {lines[second]}\n'
        f'"{third}": {lines[third]}\n"@signature-params": {signed}'
    )
    return Signature(
        label,
        keyid,
        nonce,
        a2b_base64(f"{value}="),
        a2b_base64(f"{body_digest}="),
        base.encode(),
    )


def sign_answer(
    signature: Signature, key: bytes, status: int, body: bytes
) -> list[tuple[str, str]]:
    """Return the headers that sign the answer to a request signed with `key`.

    The signature covers that of the request and so its nonce (RFC 9421, 2.4): it
    is valid for the answer to this request only.
    """
    digest = f"sha-256=:{_base64(sha256(body).digest())}:"
    of_request = f'"signature";req;key="{signature.label}"'
    signed = (
        f'("@status" "content-digest" {of_request})'
        f';keyid="{signature.keyid}";tag="esp-weather"'
    )
    base = (
        f'"@status": {status:d}\n"content-digest": {digest}\n'
        f"{of_request}: :{_base64(signature.value)}:\n"
        f'"@signature-params": {signed}'
    )
    value = _base64(_hmac(key, base.encode()))
    return [
        (CONTENT_DIGEST, digest),
        (SIGNATURE_INPUT, f"sig={signed}"),
        (SIGNATURE, f"sig=:{value}:"),
    ]


def _hmac(key: bytes, data: bytes) -> bytes:
    mac = _keyed(key).copy()
    mac.update(data)
    return mac.digest()


# Hashing the key takes longer than the data, so it is done once.
@lru_cache(maxsize=256)
def _keyed(key: bytes) -> HMAC:
    return HMAC(key, digestmod="sha256")


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()
