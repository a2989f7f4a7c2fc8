"""Signatures on their own: the RFC's vector, the nonces, and any headers."""

from base64 import b64decode
from types import SimpleNamespace

from http_message_signatures import MappingKeyResolver
from http_message_signatures.algorithms import HMAC_SHA256
from hypothesis import example, given, strategies as st
import pytest

from custom_components.esp_weather.protocol.nonces import Nonces
from custom_components.esp_weather.protocol.rfc9421 import (
    SignatureError,
    SignedRequest,
    _Verifier,
)
from tests.signed_station import OUTDOOR
from tools.signature import SIGNED_PATH

# RFC 9421, B.1.5 and B.2.5
RFC_KEY = b64decode(
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
)
RFC_HEADERS = {
    "Host": "example.com",
    "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "Content-Type": "application/json",
    "Signature-Input": (
        'sig-b25=("date" "@authority" "content-type");created=1618884473'
        ';keyid="test-shared-secret"'
    ),
    "Signature": "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
}
BODY = b"{}"
HEADER = st.text() | st.text('sig="@methodpathcontent-digest()=:;, ')


def _key_of(keyid: str) -> str:
    assert isinstance(keyid, str)
    return OUTDOOR.key


def _signed(headers: dict[str, str], body: bytes = BODY) -> SignedRequest:
    return SignedRequest("POST", f"http://home.example{SIGNED_PATH}", headers, body)


@pytest.mark.parametrize("changed", [False, True])
def test_rfc_vector(changed: bool) -> None:
    """The verifier accepts the example of RFC 9421 and no change of it."""
    message = SimpleNamespace(
        method="POST",
        url="https://example.com/foo?param=Value&Pet=dog",
        headers=RFC_HEADERS | ({"Date": "Wed"} if changed else {}),
    )
    verifier = _Verifier(
        signature_algorithm=HMAC_SHA256,
        key_resolver=MappingKeyResolver(
            public_keys={"test-shared-secret": RFC_KEY}, private_keys={}
        ),
    )
    if changed:
        with pytest.raises(Exception, match="Signature did not match"):
            verifier.verify(message, max_age=None)
    else:
        (result,) = verifier.verify(message, max_age=None)
        assert result.parameters["keyid"] == "test-shared-secret"


def test_signer() -> None:
    """Who has signed, and with which nonce."""
    signer = _signed(OUTDOOR.headers(BODY, "abc")).signer(_key_of)
    assert (signer.keyid, signer.nonce) == (OUTDOOR.mac, "abc")


@given(digest=HEADER, parameters=HEADER, signature=HEADER, body=st.binary())
@example(digest="", parameters="sig=()", signature="sig=::", body=b"")
@example(digest="\ud800", parameters="\ud800", signature="\ud800", body=b"")
@example(digest="", parameters='sig=();keyid="\ud800"', signature="sig=::", body=b"")
@example(digest="", parameters="sig=();keyid=1", signature="sig=::", body=b"")
def test_any_headers(digest: str, parameters: str, signature: str, body: bytes) -> None:
    """Any headers are a SignatureError and nothing else."""
    headers = {
        "Content-Digest": digest,
        "Signature-Input": parameters,
        "Signature": signature,
    }
    with pytest.raises(SignatureError):
        _signed(headers, body).signer(_key_of)


@given(
    name=st.sampled_from(["Content-Digest", "Signature-Input", "Signature"]),
    position=st.integers(0, 200),
    new=st.characters(),
)
def test_any_change(name: str, position: int, new: str) -> None:
    """A signature with one character changed is refused, or says the same."""
    headers = OUTDOOR.headers(BODY, "abc")
    value = headers[name]
    position %= len(value)
    headers[name] = value[:position] + new + value[position + 1 :]
    try:
        signer = _signed(headers).signer(_key_of)
    except SignatureError:
        return
    assert (signer.keyid, signer.nonce) == (OUTDOOR.mac, "abc")


def test_wrong_url() -> None:
    """An address that is none is a SignatureError, too."""
    headers = OUTDOOR.headers(BODY, "abc")
    with pytest.raises(SignatureError):
        SignedRequest("POST", "http://[/", headers, BODY).signer(_key_of)


def test_nonces_in_bounded_memory() -> None:
    """However many nonces are handed out and used, a station takes one number."""
    nonces = Nonces()
    for _ in range(1000):
        nonces.issue()
        assert nonces.use("a", nonces.issue())
        assert not nonces.use("b", "")
    assert nonces._used.keys() == {"a"}


def test_nonces_do_not_survive() -> None:
    """Nonces of another run are worth nothing."""
    assert not Nonces().use("a", Nonces().issue())


def test_any_nonce_once() -> None:
    """Each station can use a nonce once, and an older one not after it."""
    nonces = Nonces()
    first, second, third = (nonces.issue() for _ in range(3))
    assert nonces.use("a", second)
    assert not nonces.use("a", second)
    assert not nonces.use("a", second.upper())
    assert not nonces.use("a", first)
    assert nonces.use("b", first)
    assert nonces.use("a", third)


@given(text=st.text() | st.text("0123456789abcdef", min_size=48, max_size=48))
def test_any_text_is_no_nonce(text: str) -> None:
    """What was not handed out is refused."""
    assert not Nonces().use("a", text)
