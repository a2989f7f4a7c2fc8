"""HTTP message signatures (RFC 9421) with a shared key: of requests and of answers.

Only what the signed report needs: one signature of hmac-sha256 over exactly the
method, the path and the digest of the body (RFC 9530).
"""

from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from hmac import compare_digest, digest as hmac_digest
import re
from typing import Final, NamedTuple

from multidict import MultiMapping

# The headers are dictionaries of RFC 9651, of which these patterns take what a signed
# report can hold, with white space where it may stand. Matching costs the same for
# whatever is sent, and a fifth of a parser's time; the tests compare with a parser.
_KEY: Final = "[a-z*][a-z0-9_.*-]*"
_HASH: Final = "[A-Za-z0-9+/]{43}"  # 32 bytes; the = at the end may be missing
_STRING: Final = r'"[ !#-\[\]-~]*"'  # without an escaped character
_DIGEST: Final = f"({_KEY})=:([A-Za-z0-9+/=]*):"
_CONTENT_DIGEST: Final = re.compile(rf" *{_DIGEST}(?:[ \t]*,[ \t]*{_DIGEST})* *")
_DIGESTS: Final = re.compile(_DIGEST)
_INPUT: Final = re.compile(
    rf' *({_KEY})=\(([ "@a-z-]*)\)((?:; *{_KEY}=(?:{_STRING}|[1-9]\d{{0,14}}))*) *',
    re.ASCII,
)
_PARAMETERS: Final = re.compile(rf"; *({_KEY})=({_STRING}|\d+)", re.ASCII)
_SIGNATURE: Final = re.compile(f" *({_KEY})=:({_HASH})=?: *")
_SHA_256: Final = re.compile(f"({_HASH})=?")
# Twice the length of ours
_MAX_LENGTH: Final = 256

_COMPONENTS: Final = ['"@method"', '"@path"', '"content-digest"']
_ALLOWED: Final = {"keyid", "nonce", "alg", "created"}
_ALGORITHM: Final = '"hmac-sha256"'

# The components are those that RFC 9421, 2.4, names to bind an answer to its request.
_ANSWER_PARAMETERS: Final = (
    '("@status" "content-digest" "signature";req;key="{label}")'
    ';keyid="{keyid}";tag="esp-weather"'
)
_ANSWER_BASE: Final = (
    '"@status": {status}\n'
    '"content-digest": {digest}\n'
    '"signature";req;key="{label}": :{signature}:\n'
    '"@signature-params": {parameters}'
)


class SignatureError(Exception):
    """A request without a signature as the signed report needs it."""


class Signature(NamedTuple):
    """The signature of a request, of which nobody knows yet whether it is valid.

    `label` is its name in the headers, `keyid` says who claims to have signed.
    """

    label: str
    keyid: str
    nonce: str
    value: bytes
    body_digest: bytes
    base: bytes

    def covers(self, body: bytes) -> bool:
        """Return whether this is the body whose digest was signed."""
        return compare_digest(self.body_digest, sha256(body).digest())

    def matches(self, key: bytes) -> bool:
        """Return whether the request was signed with this key."""
        return compare_digest(self.value, hmac_digest(key, self.base, "sha256"))


def parse_signature(method: str, path: str, headers: MultiMapping[str]) -> Signature:
    """Return the signature of a request.

    `path` is normalized and without the query (RFC 9421, 2.2.6). Each of the headers
    has to be there once. The components may come in any order, and the parameters
    `alg` and `created` beside `keyid` and `nonce`. Raises SignatureError.
    """
    label, listed, signed_parameters = _match(_INPUT, headers, "Signature-Input")
    components = listed.split()
    if sorted(components) != _COMPONENTS:
        raise SignatureError("Other components than method, path and digest")
    pairs: list[tuple[str, str]] = _PARAMETERS.findall(signed_parameters)
    parameters = dict(pairs)
    keyid, nonce = parameters.get("keyid", ""), parameters.get("nonce", "")
    if (
        len(parameters) != len(pairs)
        or not parameters.keys() <= _ALLOWED
        or not keyid.startswith('"')
        or not nonce.startswith('"')
        or not parameters.get("created", "1").isdigit()
        or parameters.get("alg", _ALGORITHM) != _ALGORITHM
    ):
        raise SignatureError("Other parameters than keyid and nonce")
    signature_label, value = _match(_SIGNATURE, headers, "Signature")
    if signature_label != label:
        raise SignatureError("The signature has another label than its input")
    digest = _header(headers, "Content-Digest")
    if not _CONTENT_DIGEST.fullmatch(digest):
        raise SignatureError("Content-Digest does not hold digests only")
    sha_256 = [text for name, text in _DIGESTS.findall(digest) if name == "sha-256"]
    if len(sha_256) != 1 or not (body_digest := _SHA_256.fullmatch(sha_256[0])):
        raise SignatureError("Content-Digest does not hold one sha-256")
    lines = {
        '"@method"': method,
        '"@path"': path,
        '"content-digest"': digest,
    }
    # By RFC 9651, 4.1, whatever white space there was.
    base = [f"{name}: {lines[name]}" for name in components]
    listed = " ".join(components)
    signed_parameters = "".join([f";{name}={text}" for name, text in pairs])
    base.append(f'"@signature-params": ({listed}){signed_parameters}')
    return Signature(
        label,
        keyid[1:-1],
        nonce[1:-1],
        _bytes(value),
        _bytes(body_digest[1]),
        "\n".join(base).encode(),
    )


def sign_answer(
    signature: Signature, key: bytes, status: int, body: bytes
) -> dict[str, str]:
    """Return the headers that sign the answer to a request which `key` has signed.

    The answer covers the signature of the request and so its nonce: it is the
    answer to this request and to no other.
    """
    digest = f"sha-256=:{_base64(sha256(body).digest())}:"
    parameters = _ANSWER_PARAMETERS.format(label=signature.label, keyid=signature.keyid)
    base = _ANSWER_BASE.format(
        status=status,
        digest=digest,
        label=signature.label,
        signature=_base64(signature.value),
        parameters=parameters,
    )
    value = _base64(hmac_digest(key, base.encode(), "sha256"))
    return {
        "Content-Digest": digest,
        "Signature-Input": f"sig={parameters}",
        "Signature": f"sig=:{value}:",
    }


def _match(
    pattern: re.Pattern[str], headers: MultiMapping[str], name: str
) -> tuple[str, ...]:
    if not (match := pattern.fullmatch(_header(headers, name))):
        raise SignatureError(f"{name} is not what a signed report has there")
    return match.groups()


def _header(headers: MultiMapping[str], name: str) -> str:
    lines = headers.getall(name, ())
    if len(lines) != 1 or len(lines[0]) > _MAX_LENGTH:
        raise SignatureError(f"Not one {name} of at most {_MAX_LENGTH} characters")
    return lines[0]


def _bytes(unpadded: str) -> bytes:
    return a2b_base64(f"{unpadded}=")


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()
