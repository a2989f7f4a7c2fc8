"""Signatures: the RFCs' vectors, an independent client, and arbitrary headers."""

from base64 import b64decode, b64encode
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from http_message_signatures import (
    ContentDigest,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    InvalidSignature,
    MappingKeyResolver,
)
from http_message_signatures.algorithms import HMAC_SHA256
import http_sf
from hypothesis import example, given, strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
import pytest

from custom_components.esp_weather.protocol.rfc9421 import (
    Signature,
    SignatureError,
    parse_signature,
    sign_answer,
)
from tests.signed_station import OUTDOOR
from tools.signature import SIGNED_PATH, Signer

KEY = OUTDOOR.key.encode()
BODY = b"{}"
COMPONENTS = ("@method", "@path", "content-digest")
HEADER = st.text() | st.text('sig="@methodpathcontent-digest()=:;, ')


class _Verifier(HTTPMessageVerifier):
    # The stations have no clock, and neither have the answers.
    require_created = False


def _verifier(keyid: str, key: bytes) -> HTTPMessageVerifier:
    keys = MappingKeyResolver(public_keys={keyid: key}, private_keys={})
    return _Verifier(signature_algorithm=HMAC_SHA256, key_resolver=keys)


def _parse(
    headers: dict[str, str] | list[tuple[str, str]],
    path: str = SIGNED_PATH,
    method: str = "POST",
) -> Signature:
    return parse_signature(method, path, CIMultiDictProxy(CIMultiDict(headers)))


def _with(**changes: str) -> dict[str, str]:
    """Return the headers of a report with one part of the signature's input changed."""
    headers = OUTDOOR.headers(BODY, "abc")
    ((old, new),) = changes.items()
    old = {"components": '"@method" "@path" "content-digest"', "end": '"abc"'}[old]
    value = headers["Signature-Input"]
    headers["Signature-Input"] = value.replace(old, new)
    assert headers["Signature-Input"] != value
    return headers


def _message(body: bytes = BODY, path: str = SIGNED_PATH) -> Any:
    return SimpleNamespace(
        method="POST",
        url=f"http://home.example{path}",
        headers={"Content-Digest": ContentDigest.create(body)},
    )


def _sign(message: Any, **kwargs: Any) -> dict[str, str]:
    """Return the headers of a message that the independent client has signed."""
    kwargs = {
        "key_id": OUTDOOR.mac,
        "nonce": "abc",
        "covered_component_ids": COMPONENTS,
    } | kwargs
    HTTPMessageSigner(
        signature_algorithm=HMAC_SHA256,
        key_resolver=MappingKeyResolver(
            private_keys={OUTDOOR.mac: KEY}, public_keys={}
        ),
    ).sign(message, use_existing_digest=True, **kwargs)
    headers: dict[str, str] = message.headers
    return headers


def test_rfc_9421_vector() -> None:
    """The example of RFC 9421, B.2.5, has the HMAC of its signature base."""
    key = b64decode(
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtb"
        "mHhIDi6pcl8jsasjlTMtDQ=="
    )
    base = (
        b'"date": Tue, 20 Apr 2021 02:07:55 GMT\n'
        b'"@authority": example.com\n'
        b'"content-type": application/json\n'
        b'"@signature-params": ("date" "@authority" "content-type")'
        b';created=1618884473;keyid="test-shared-secret"'
    )
    signature = Signature(
        "sig-b25",
        "test-shared-secret",
        "",
        b64decode("pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="),
        b"",
        base,
    )
    assert signature.matches(key)
    assert not signature.matches(key[:-1])
    assert not signature._replace(base=base[:-1]).matches(key)


def test_rfc_9421_vector_is_refused() -> None:
    """The example's own headers cover neither method nor body, and are refused."""
    with pytest.raises(SignatureError):
        _parse(
            {
                "Content-Digest": ContentDigest.create(BODY),
                "Signature-Input": (
                    'sig-b25=("date" "@authority" "content-type");created=1618884473'
                    ';keyid="test-shared-secret";nonce=""'
                ),
                "Signature": "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
            }
        )


def test_rfc_9530_vectors() -> None:
    """The digests of RFC 9530, B.1 and D, also beside one of another algorithm."""
    headers = OUTDOOR.headers(BODY, "abc")
    headers["Content-Digest"] = (
        "md5=:YWJj:, sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    )
    assert _parse(headers).covers(b'{"hello": "world"}\n')
    headers["Content-Digest"] = (
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:,"
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwE\nmTHWXvJwew==:"
    ).replace("\n", "")
    assert _parse(headers).covers(b'{"hello": "world"}')
    assert not _parse(headers).covers(b'{"hello": "world"} ')


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"label": "other-1"},
        {"include_alg": False},
        {"covered_component_ids": COMPONENTS[::-1]},
    ],
)
def test_independent_client(options: dict[str, Any]) -> None:
    """A signature of another implementation is valid, with this key only."""
    signature = _parse(_sign(_message(), **options))

    assert signature.label == options.get("label", "pyhms")
    assert (signature.keyid, signature.nonce) == (OUTDOOR.mac, "abc")
    assert signature.covers(BODY)
    assert not signature.covers(b"")
    assert signature.matches(KEY)
    assert not signature.matches(KEY[:-1])
    assert not signature.matches(b"")


def test_path() -> None:
    """The path is signed as it is sent, without its query."""
    signed = _sign(_message(path="/a%20b?c=d"))
    assert _parse(signed, "/a%20b").matches(KEY)
    assert not _parse(signed, "/a b").matches(KEY)
    assert not _parse(signed, "/a%20b", "PUT").matches(KEY)


@pytest.mark.parametrize(
    "components",
    [
        "",
        '"@method" "@path"',
        '"@method" "@path" "content-digest" "@query"',
        '"@method" "@path" "content-digest" "@path"',
        '"@method" "@path" "@path"',
        # The canonical form of RFC 9651 only
        '"@method"  "@path" "content-digest"',
        ' "@method" "@path" "content-digest"',
        '"@method" "@path" "content-digest" ',
        '"@method" "@path" content-digest',
        '"@method" "@path" "Content-Digest"',
        '"@method" "@path" "content-digest";bs',
        '"@method" "@path" "content-digest";sf',
        '"@method" "@path" "content-digest";key="sha-256"',
        '"@method" "@path" "content-digest";req',
        '"@method" "@path" :YWJj:',
        '"@method" "@target-uri" "content-digest"',
        '"@method" "@path" "content-digest"' + ' "content-type";bs' * 5,
    ],
)
def test_other_components(components: str) -> None:
    """Other components than the three are refused, however they are written."""
    with pytest.raises(SignatureError):
        _parse(_with(components=components))


@pytest.mark.parametrize(
    "end",
    [
        '"abc";nonce="def"',
        '"abc"; created=1',
        '"abc" ',
        '"abc";created="1"',
        '"abc";created=1.0',
        '"abc";created=01',
        '"abc";created',
        '"abc";expires=1',
        '"abc";tag="x"',
        '"abc";alg="hmac-sha512"',
        '"abc";alg=hmac-sha256',
        '"a\\"bc"',
        '"a\\\\bc"',
        "abc",
        "1",
        ":YWJj:",
        "?1",
        '"abc"x',
        '"abc',
        '"abc", sig2=()',
        '"abc", sig=()',
        f'"{"a" * 512}"',
    ],
)
def test_other_parameters(end: str) -> None:
    """Other parameters, and others of these names, are refused."""
    with pytest.raises(SignatureError):
        _parse(_with(end=end))


@pytest.mark.parametrize("missing", ["keyid", "nonce"])
def test_missing_parameter(missing: str) -> None:
    """`keyid` and `nonce` are required."""
    headers = OUTDOOR.headers(BODY, "abc")
    parts = headers["Signature-Input"].split(";")
    headers["Signature-Input"] = ";".join(
        part for part in parts if not part.startswith(missing)
    )
    with pytest.raises(SignatureError):
        _parse(headers)


@pytest.mark.parametrize("name", ["Content-Digest", "Signature-Input", "Signature"])
@pytest.mark.parametrize("lines", [0, 2])
def test_header_lines(name: str, lines: int) -> None:
    """A missing or repeated header is refused, whatever its content."""
    headers = OUTDOOR.headers(BODY, "abc")
    value = headers.pop(name)
    for other in (value, "", "x"):
        with pytest.raises(SignatureError):
            _parse([*headers.items(), *[(name, value), (name.upper(), other)][:lines]])


def test_length() -> None:
    """The three headers have at most 512 characters, so that matching them is quick."""
    length = sum(map(len, _with(end='""').values()))
    longest = "a" * (510 - length)
    assert _parse(_with(end=f'"{longest}"')).nonce == longest
    with pytest.raises(SignatureError):
        _parse(_with(end=f'"{longest}a"'))


HASH = f":{b64encode(bytes(32)).decode()}:"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Digest", "sha-256=:YWJj:"),
        ("Content-Digest", "sha-256"),
        ("Content-Digest", "sha-256=()"),
        ("Content-Digest", f"SHA-256={HASH}"),
        ("Content-Digest", f"sha-512={HASH}"),
        ("Content-Digest", f"sha-256={HASH},sha-256={HASH}"),
        ("Content-Digest", f"sha-256={HASH},"),
        ("Content-Digest", f"sha-256={HASH}" + ",a" * 128),
        ("Signature", f"sig=({HASH})"),
        ("Signature", "sig=:YWJj:"),
        ("Signature", "sig"),
        ("Signature", ""),
        ("Signature", f"other={HASH}"),
        ("Signature", f"sig={HASH},a"),
        ("Signature", f"sig={HASH}" + " " * 256),
        ("Signature", f"sig={HASH};a"),
        ("Signature", f"sig={HASH}\n"),
        ("Content-Digest", f"xsha-256={HASH}"),
        ("Content-Digest", f"sha-256={HASH} sha-512=::"),
    ],
)
def test_other_values(name: str, value: str) -> None:
    """Exactly one digest and one signature, of 32 bytes each, are accepted."""
    with pytest.raises(SignatureError):
        _parse(OUTDOOR.headers(BODY, "abc") | {name: value})


@given(digest=HEADER, parameters=HEADER, signature=HEADER)
@example(digest="", parameters="sig=()", signature="sig=::")
@example(digest="\ud800", parameters="\ud800", signature="\ud800")
@example(digest="", parameters='sig=();keyid="\ud800"', signature="sig=::")
def test_any_headers(digest: str, parameters: str, signature: str) -> None:
    """Arbitrary headers raise SignatureError and nothing else."""
    with pytest.raises(SignatureError):
        _parse(
            {
                "Content-Digest": digest,
                "Signature-Input": parameters,
                "Signature": signature,
            }
        )


def _by_the_library(headers: dict[str, str]) -> Signature:
    """Return the signature in headers as a parser of all of RFC 9651 reads them."""
    digests, inputs, signatures = (
        cast(
            "dict[str, Any]", http_sf.parse(headers[name].encode(), tltype="dictionary")
        )
        for name in ("Content-Digest", "Signature-Input", "Signature")
    )
    ((label, (components, parameters)),) = inputs.items()
    ((value, nothing),) = [signatures.pop(label)]
    assert not signatures
    assert not nothing
    lines = [
        f"{http_sf.ser(component)}: {content}"
        for component in components
        for content in [
            {
                "@method": "POST",
                "@path": SIGNED_PATH,
                "content-digest": headers["Content-Digest"],
            }[component[0]]
        ]
    ]
    lines.append(f'"@signature-params": {http_sf.ser([(components, parameters)])}')
    return Signature(
        label,
        parameters["keyid"],
        parameters["nonce"],
        value,
        digests["sha-256"][0],
        "\n".join(lines).encode(),
    )


STRINGS = st.text(st.characters(codec="ascii", categories=["L", "N", "Z"]), max_size=20)
LABELS = st.from_regex("[a-z*][a-z0-9_.*-]{0,5}", fullmatch=True)


@given(
    label=LABELS,
    components=st.permutations(COMPONENTS),
    needed=st.fixed_dictionaries({"keyid": STRINGS, "nonce": STRINGS}),
    more=st.fixed_dictionaries(
        {}, optional={"alg": st.just("hmac-sha256"), "created": st.integers(1, 10**14)}
    ),
    random=st.randoms(),
    value=st.binary(min_size=32, max_size=32),
    digests=st.dictionaries(LABELS, st.binary(max_size=24), max_size=2),
)
def test_all_canonical_forms(
    label: str,
    components: list[str],
    needed: dict[str, Any],
    more: dict[str, Any],
    random: Random,
    value: bytes,
    digests: dict[str, bytes],
) -> None:
    """All canonical forms of RFC 9651 that a signed report can have are understood."""
    parameters = [*needed.items(), *more.items()]
    random.shuffle(parameters)
    headers = {
        "Content-Digest": http_sf.ser({**digests, "sha-256": value[::-1]}),
        "Signature-Input": http_sf.ser(
            cast("Any", {label: (components, dict(parameters))})
        ),
        "Signature": http_sf.ser({label: value}),
    }
    assert _parse(headers) == _by_the_library(headers)


@given(
    name=st.sampled_from(["Content-Digest", "Signature-Input", "Signature"]),
    changes=st.lists(
        st.tuples(
            st.integers(0, 200),
            st.integers(0, 2),
            st.sampled_from(
                [*' \t,;=:?"()*@-.1a\\', ';a="b"', ";a", ", a=::", ";created=1", '"x"']
            ),
        ),
        max_size=4,
    ),
)
def test_never_more_than_the_library(
    name: str, changes: list[tuple[int, int, str]]
) -> None:
    """Headers are only accepted if a full parser of RFC 9651 accepts them, too."""
    headers = OUTDOOR.headers(BODY, "abc")
    value = headers[name]
    for position, length, new in changes:
        position %= len(value)
        value = value[:position] + new + value[position + length :]
    headers[name] = value
    try:
        signature = _parse(headers)
    except SignatureError:
        return
    assert signature == _by_the_library(headers)


@given(
    name=st.sampled_from(["Content-Digest", "Signature-Input", "Signature"]),
    position=st.integers(0, 200),
    new=st.characters(),
)
def test_any_change(name: str, position: int, new: str) -> None:
    """A signature with one character changed is refused or means the same."""
    headers = OUTDOOR.headers(BODY, "abc")
    value = headers[name]
    position %= len(value)
    headers[name] = value[:position] + new + value[position + 1 :]
    try:
        signature = _parse(headers)
    except SignatureError:
        return
    if signature.matches(KEY):
        assert (signature.keyid, signature.nonce) == (OUTDOOR.mac, "abc")
        assert signature.covers(BODY)


def _answer(
    body: bytes, status: int, headers: dict[str, str], request: dict[str, str]
) -> Any:
    asked = _message()
    asked.headers |= request
    return SimpleNamespace(status_code=status, headers=headers, request=asked)


@pytest.mark.parametrize("label", ["sig", "*other_1.2-3"])
@pytest.mark.parametrize("status", [200, 503])
def test_signed_answer(label: str, status: int) -> None:
    """Another implementation accepts the answer, and no modification of it."""
    body = b'{"taken": 12}'
    request = _sign(_message(), label=label)
    signature = _parse(request)
    headers = dict(sign_answer(signature, KEY, status, body))

    (result,) = _verifier(OUTDOOR.mac, KEY).verify(
        _answer(body, status, headers, request),
        max_age=None,
        expect_tag="esp-weather",
        require_components=(
            "@status",
            "content-digest",
            f'"signature";req;key="{label}"',
        ),
        body=body,
    )
    assert result.parameters == {"keyid": OUTDOOR.mac, "tag": "esp-weather"}

    other_request = _sign(_message(), label=label, nonce="def")
    for answer, key, other_body in (
        (_answer(body, status, headers, request), KEY[:-1], body),
        (_answer(body, status + 1, headers, request), KEY, body),
        (_answer(body, status, headers, request), KEY, body + b" "),
        (_answer(body, status, headers, other_request), KEY, body),
    ):
        with pytest.raises(InvalidSignature):
            _verifier(OUTDOOR.mac, key).verify(
                answer, max_age=None, expect_tag="esp-weather", body=other_body
            )


def test_station_believes_answer() -> None:
    """The answer has exactly the characters that a station compares it with."""
    request = OUTDOOR.headers(BODY, "abc")
    headers = dict(sign_answer(_parse(request), KEY, 200, b"{}"))

    assert headers["Signature-Input"] == (
        'sig=("@status" "content-digest" "signature";req;key="sig")'
        f';keyid="{OUTDOOR.mac}";tag="esp-weather"'
    )
    assert OUTDOOR.has_signed(200, b"{}", headers, request)
    assert not OUTDOOR.has_signed(401, b"{}", headers, request)
    assert not OUTDOOR.has_signed(200, b"", headers, request)
    assert not OUTDOOR.has_signed(200, b"{}", {}, request)
    other = Signer(OUTDOOR.mac, "other")
    assert not other.has_signed(200, b"{}", headers, request)
    assert not OUTDOOR.has_signed(200, b"{}", headers, OUTDOOR.headers(BODY, "abd"))
