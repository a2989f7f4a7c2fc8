"""RFC 9421, RFC 9651 and RFC 9530 in forms that no honest station uses."""

from base64 import b64encode
from hashlib import sha256, sha512
import hmac
import json
import re
from typing import Any

from tools.signature import SIGNED_PATH, Signer, digest_of
from tools.station import Station

from .result import require
from .target import NEIGHBOUR, UNKNOWN_MAC, VICTIM, WRONG_KEY, Target
from .wire import Answer, request

_NONCE = re.compile(r'sig=\("@method" "@path" "content-digest"\);nonce="[\w-]+"')
_COVERED = '("@method" "@path" "content-digest")'


def _body(station: Station = VICTIM, **more: object) -> bytes:
    readings = [{"field": 1, "value": 66.6}]
    return json.dumps({"mac": station.mac, "readings": readings, **more}).encode()


async def _send(
    target: Target,
    *,
    body: bytes = _body(),
    key: str = VICTIM.key,
    digest: str | None = None,
    parameters: str = f'{_COVERED};keyid="{VICTIM.mac}";nonce="NONCE"',
    lines: str = '"@method": POST\n"@path": PATH\n"content-digest": DIGEST\n',
    label: str = "sig",
    inputs: str = "LABEL=PARAMETERS",
    signatures: str = "LABEL=SIGNATURE",
    sent: bytes | None = None,
    **headers: str,
) -> Answer:
    """Return the answer to a report that is signed as the arguments say.

    `parameters` is what is signed, `inputs` and `signatures` are what is sent; names
    in capitals are placeholders. `sent` is sent instead of the signed body.
    """
    digest = digest_of(body) if digest is None else digest
    parameters = parameters.replace("NONCE", await target.nonce())
    base = lines.replace("PATH", SIGNED_PATH).replace("DIGEST", digest)
    signature = hmac.digest(
        key.encode(), f'{base}"@signature-params": {parameters}'.encode(), "sha256"
    )
    values = {
        "LABEL": label,
        "PARAMETERS": parameters,
        "SIGNATURE": f":{b64encode(signature).decode()}:",
        "UNPADDED": f":{b64encode(signature).decode().rstrip('=')}:",
    }
    for name, value in values.items():
        inputs = inputs.replace(name, value)
        signatures = signatures.replace(name, value)
    made = {
        "Content-Digest": digest,
        "Signature-Input": inputs,
        "Signature": signatures,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return await target.ask(
        request("POST", SIGNED_PATH, body if sent is None else sent, made, close=True)
    )


async def written_otherwise(target: Target) -> str:
    """The signature is that of RFC 9421: its permitted forms are accepted."""
    two_digests = f"sha-512=:{b64encode(sha512(_body()).digest()).decode()}:, {digest_of(_body())}"
    wrong = {}
    cases: dict[str, dict[str, Any]] = {
        "another order": {
            "parameters": '("content-digest" "@path" "@method")'
            f';nonce="NONCE";keyid="{VICTIM.mac}"',
            "lines": '"content-digest": DIGEST\n"@path": PATH\n"@method": POST\n',
        },
        "another label": {"label": "*a-1_b.c*"},
        "created and alg": {
            "parameters": f'{_COVERED};created=1;keyid="{VICTIM.mac}"'
            ';alg="hmac-sha256";nonce="NONCE"'
        },
        "another digest beside it": {"digest": two_digests},
        "another digest, unknown and wrong": {
            "digest": f"x-y=:AAAA:, {digest_of(_body())}"
        },
        "no padding, which RFC 9651 asks not to refuse": {
            "signatures": "LABEL=UNPADDED"
        },
        "the MAC in capitals": {
            "parameters": f'{_COVERED};keyid="{VICTIM.mac.upper()}";nonce="NONCE"'
        },
    }
    for name, arguments in cases.items():
        answer = await _send(target, **arguments)
        if answer.status != 200:
            wrong[name] = answer.status, answer.text
    require(not wrong, f"not taken: {wrong}")
    return f"{len(cases)} spellings, all taken"


async def signed_otherwise(target: Target) -> str:
    """One signature over exactly three components; anything else is answered 401."""
    await target.take(VICTIM)
    keyid = f';keyid="{VICTIM.mac}"'
    nonce = ';nonce="NONCE"'
    three = '"@method": POST\n"@path": PATH\n"content-digest": DIGEST\n'
    cases: dict[str, dict[str, Any]] = {
        "nothing": {"parameters": f"(){keyid}{nonce}", "lines": ""},
        "no body": {
            "parameters": f'("@method" "@path"){keyid}{nonce}',
            "lines": '"@method": POST\n"@path": PATH\n',
            "sent": _body(x=1),
        },
        "no path": {
            "parameters": f'("@method" "content-digest"){keyid}{nonce}',
            "lines": '"@method": POST\n"content-digest": DIGEST\n',
        },
        "one twice": {
            "parameters": f'("@method" "@method" "@path" "content-digest"){keyid}{nonce}',
            "lines": '"@method": POST\n' + three,
        },
        "one more": {
            "parameters": f'("@method" "@path" "content-digest" "host"){keyid}{nonce}',
            "lines": three + '"host": 127.0.0.1\n',
        },
        "a parameter of a component": {
            "parameters": f'("@method" "@path" "content-digest";sf){keyid}{nonce}',
            "lines": three.replace('"content-digest":', '"content-digest";sf:'),
        },
        "of a request": {
            "parameters": f'("@method";req "@path" "content-digest"){keyid}{nonce}',
            "lines": three.replace('"@method":', '"@method";req:'),
        },
        "tokens": {
            "parameters": f"(@method @path content-digest){keyid}{nonce}",
        },
        "no nonce": {"parameters": f"{_COVERED}{keyid}"},
        "no keyid": {"parameters": f"{_COVERED}{nonce}"},
        "a nonce that is a token": {"parameters": f"{_COVERED}{keyid};nonce=NONCE"},
        "a nonce that is bytes": {"parameters": f"{_COVERED}{keyid};nonce=:NONCE:"},
        "two nonces": {"parameters": f'{_COVERED}{keyid};nonce="x"{nonce}'},
        "two keyids": {"parameters": f'{_COVERED};keyid="{UNKNOWN_MAC}"{keyid}{nonce}'},
        "another algorithm": {
            "parameters": f'{_COVERED}{keyid}{nonce};alg="hmac-sha512"'
        },
        "alg none": {"parameters": f'{_COVERED}{keyid}{nonce};alg="none"'},
        "expired": {"parameters": f"{_COVERED}{keyid}{nonce};expires=1"},
        "a tag": {"parameters": f'{_COVERED}{keyid}{nonce};tag="esp-weather"'},
        "a parameter nobody knows": {"parameters": f"{_COVERED}{keyid}{nonce};x"},
        "created is text": {"parameters": f'{_COVERED}{keyid}{nonce};created="1"'},
        "no list": {"inputs": 'LABEL="PARAMETERS"'},
        "two signatures": {
            "inputs": "LABEL=PARAMETERS, b=PARAMETERS",
            "signatures": "LABEL=SIGNATURE, b=SIGNATURE",
        },
        "one input more": {"inputs": "LABEL=PARAMETERS, b=PARAMETERS"},
        "one signature more": {"signatures": "LABEL=SIGNATURE, b=SIGNATURE"},
        "the same label twice": {"signatures": "LABEL=:AAAA:, LABEL=SIGNATURE"},
        "labels differ": {"signatures": "b=SIGNATURE"},
        "a signature with a parameter": {"signatures": "LABEL=SIGNATURE;x"},
        "a signature that is text": {"signatures": 'LABEL="SIGNATURE"'},
        "an empty signature": {"signatures": "LABEL=::"},
        "a true signature": {"signatures": "LABEL"},
        "a list": {"signatures": "LABEL=(SIGNATURE)"},
        "a label in capitals": {"label": "Sig"},
        "a comma at the end": {"signatures": "LABEL=SIGNATURE,"},
        "a tab": {"inputs": "LABEL=\tPARAMETERS"},
        "no digest": {"digest": "sha-512=:AAAA:"},
        "a digest in capitals": {"digest": digest_of(_body()).replace("sha", "SHA")},
        "a digest as text": {
            "digest": digest_of(_body()).replace("=:", '="', 1)[:-1] + '"'
        },
        "a digest in hexadecimal": {
            "digest": f"sha-256=:{b64encode(sha256(_body()).hexdigest().encode()).decode()}:"
        },
        "a digest of another body": {"sent": _body(x=2)},
        "two digests, the first right": {
            "digest": f"{digest_of(_body())}, {digest_of(b'x')}"
        },
        "a body that is longer": {"sent": _body() + b" "},
        "the key of a neighbour": {"key": NEIGHBOUR.key},
        "a wrong key": {"key": WRONG_KEY},
        "no key": {"key": ""},
    }
    wrong = {}
    for name, arguments in cases.items():
        answer = await _send(target, **arguments)
        if answer.status != 401 or "signature" in answer.headers:
            wrong[name] = answer.status, answer.text
    # Blanks at the end, also beyond the length that is looked at (512 characters)
    for length in (1, 512, 8000):
        padded = f'{_COVERED};keyid="{VICTIM.mac}";created={"1" * 15};nonce="NONCE"'
        answer = await _send(target, parameters=padded + " " * length)
        if answer.status != 401:
            wrong[f"{length} blanks"] = answer.status, answer.text
    require(not wrong, f"not 401, or signed: {wrong}")
    require(await target.state(VICTIM) != "66.6", "taken")
    return f"{len(cases) + 3} ways, all 401 and not signed"


async def somebody_else(target: Target) -> str:
    """Without the right MAC address and key nothing is stored: one station for another."""
    body = _body(NEIGHBOUR)
    wrong = {}
    cases: dict[str, dict[str, Any]] = {
        "the body names another": {"body": body},
        "the body names both, the other last": {
            "body": body[:1] + f'"mac": "{VICTIM.mac}", '.encode() + body[1:]
        },
        "the body names both, the other first": {
            "body": body[:-1] + f', "mac": "{VICTIM.mac}"}}'.encode()
        },
        "the keyid names another": {
            "parameters": f'{_COVERED};keyid="{NEIGHBOUR.mac}";nonce="NONCE"',
            "body": body,
        },
        "no MAC": {"body": b'{"readings": []}'},
        "a list of MACs": {
            "body": json.dumps({"mac": [VICTIM.mac], "readings": []}).encode()
        },
    }
    for name, arguments in cases.items():
        answer = await _send(target, **arguments)
        # Of a name that is there twice, JSON's readers take the last.
        if answer.status not in {400, 401} and "the other first" not in name:
            wrong[name] = answer.status, answer.text
    state = await target.state(NEIGHBOUR)
    require(state != "66.6", f"the neighbour's state is {state}; {wrong}")
    require(not wrong, f"{wrong}")
    return f"{len(cases)} ways, nothing stored for the neighbour"


async def encoded(target: Target) -> str:
    """Encoded bodies are refused with a reason (415), whatever the digest is over."""
    wrong = {}
    for encoding in ("gzip", "deflate", "br", "zstd", "identity, gzip", "x", "GZIP"):
        answer = await _send(target, Content_Encoding=encoding)
        if answer.status not in {400, 415}:
            wrong[encoding] = answer.status, answer.text[:100]
    require(not wrong, f"{wrong}")
    return "7 encodings"


async def malformed_reports(target: Target) -> str:
    """Malformed reports are refused whole, with 400."""
    reading = {"field": 1, "value": 66.5}
    stream = {"stream": "0123abcd", "first": 0}
    no_numbers: list[object] = ["21", None, True, [1], {}]
    cases: dict[str, object] = {
        "a list": [],
        "a text": "x",
        "no readings": {"mac": VICTIM.mac},
        "readings no list": {"readings": {}},
        "501 readings": {"readings": [reading] * 501},
        "a reading no object": {"readings": [1]},
        **{
            f"field {field!r}": {"readings": [reading, {**reading, "field": field}]}
            for field in (0, 10, -1, 1.5, True, "1", None, 1e99, [1])
        },
        **{
            f"value {value!r}": {"readings": [reading, {**reading, "value": value}]}
            for value in no_numbers
        },
        **{
            f"age {age!r}": {"readings": [reading, {**reading, "age": age}]}
            for age in (-1, 604801, "1", None, True, 1e99, -1e-9)
        },
        **{
            f"first {first!r}": {"readings": [reading], **stream, "first": first}
            for first in (-1, 1.5, "1", None, True, 2**53 + 1, 1e99)
        },
        **{
            f"stream {name!r}": {"readings": [reading], **stream, "stream": name}
            for name in (
                "",
                "0123ABCD",
                "0123abc",
                "0123abcde",
                1,
                None,
                "０１２３abcd",
                "0123abcd\n",
            )
        },
        "no first": {"readings": [reading], "stream": "0123abcd"},
        "no stream": {"readings": [reading], "first": 0},
        "fields a list": {"readings": [reading], "fields": []},
        "status a list": {"readings": [reading], "status": []},
    }
    wrong = {}
    for name, content in cases.items():
        whole = {"mac": VICTIM.mac, **content} if isinstance(content, dict) else content
        answer = await _send(target, body=json.dumps(whole).encode())
        if answer.status != 400:
            wrong[name] = answer.status, answer.text[:120]
    for text in (
        f'{{"mac":"{VICTIM.mac}","readings":[{{"field":1,"value":NaN}}]}}',
        f'{{"mac":"{VICTIM.mac}","readings":[{{"field":1,"value":1e999}}]}}',
        f'{{"mac":"{VICTIM.mac}","readings":[{{"field":1,"value":{"9" * 5000}}}]}}',
        f'{{"mac":"{VICTIM.mac}","readings":[{{"field":1,"value":1,}}]}}',
        f'{{"mac":"{VICTIM.mac}","readings":[]}} x',
        "[" * 30000,
        '{"a":' * 10000,
        "\ufeff{}",
        "",
    ):
        answer = await _send(target, body=text.encode())
        if answer.status != 400:
            wrong[text[:80]] = answer.status, answer.text[:120]
    state = await target.state(VICTIM)
    require(not wrong and state != "66.5", f"not 400: {wrong}; state {state}")
    return f"{len(cases) + 9} reports, all 400"


def _whole(
    nonce: str, body: bytes = _body(), **more: str
) -> tuple[bytes, dict[str, str]]:
    """Return a right report and its three headers, which may be replaced."""
    headers = Signer(VICTIM.mac, VICTIM.key).headers(body, nonce) | {
        name.replace("_", "-"): value for name, value in more.items()
    }
    return request("POST", SIGNED_PATH, body, headers, close=True), headers


async def lines_twice(target: Target) -> str:
    """The three headers come once each: a second line, even an empty one, is answered 401."""
    wrong = {}
    for name in ("Content-Digest", "Signature-Input", "Signature"):
        for number in range(6):
            whole, headers = _whole(await target.nonce())
            value = headers[name]
            half = len(value) // 2
            first = f"{name}: {value}\r\n"
            lines = (
                first + first,
                f"{name}: \r\n" + first,
                first + f"{name}:\r\n",
                f"{name}: {value[:half]}\r\n{name}: {value[half:]}\r\n",
                first + f"{name.lower()}: x=:AAAA:\r\n",
                f"X-{name}: {value}\r\n",
            )[number]
            answer = await target.ask(whole.replace(first.encode(), lines.encode()))
            if answer.status != 401:
                wrong[name, number] = answer.status
    require(not wrong and await target.state(VICTIM) != "66.6", f"{wrong}")
    return "18 ways, all 401"


async def digest_elsewhere(target: Target) -> str:
    """The digest is in the header Content-Digest: older names and trailers are not read."""
    wrong = {}
    for name in ("Digest", "Repr-Digest", "Want-Content-Digest", "Content-MD5"):
        whole, _ = _whole(await target.nonce())
        answer = await target.ask(
            whole.replace(b"Content-Digest: ", f"{name}: ".encode())
        )
        wrong[name] = answer.status
    body = _body()
    whole, headers = _whole(await target.nonce())
    digest = headers["Content-Digest"]
    head = (
        whole.removesuffix(body)
        .replace(f"Content-Digest: {digest}\r\n".encode(), b"")
        .replace(f"Content-Length: {len(body)}".encode(), b"Transfer-Encoding: chunked")
    )
    chunked = b"%x\r\n%b\r\n0\r\nContent-Digest: %b\r\n\r\n"
    sent = head + chunked % (len(body), body, digest.encode())
    wrong["trailer"] = (await target.ask(sent, limit=2)).status
    wrong = {name: status for name, status in wrong.items() if status != 401}
    require(not wrong and await target.state(VICTIM) != "66.6", f"{wrong}")
    return "5 places, all 401"


async def at_another_address(target: Target) -> str:
    """A recorded report is worth nothing at another address."""
    wrong = {}
    for path in (
        *("/update", "/update.json", "/channels/1/bulk_update.json", "/update?x"),
        *(f"{SIGNED_PATH}/", f"/{SIGNED_PATH}", f"{SIGNED_PATH}.json", "/api/"),
    ):
        whole, _ = _whole(await target.nonce())
        answer = await target.ask(
            whole.replace(SIGNED_PATH.encode(), path.encode(), 1), limit=2
        )
        if answer.status in {200, 202} or answer.status >= 500:
            wrong[path] = answer.status
    require(not wrong and await target.state(VICTIM) != "66.6", f"{wrong}")
    return "8 addresses, nothing taken"


async def answers_of_others(target: Target) -> str:
    """An answer is valid for its own report only, and none is signed without the key."""
    signer = Signer(VICTIM.mac, VICTIM.key)
    got = []
    for body in (_body(), _body(), b"{", b"[]"):
        whole, headers = _whole(await target.nonce(), body)
        got.append((await target.ask(whole), headers))
    used, headers = _whole("0")
    got.append((await target.ask(used), headers))
    wrong = []
    for number, (answer, _) in enumerate(got):
        for other, (_, asked) in enumerate(got):
            named = {
                "Signature": answer.headers.get("signature", ""),
                "Signature-Input": answer.headers.get("signature-input", ""),
                "Content-Digest": answer.headers.get("content-digest", ""),
            }
            if signer.has_signed(answer.status, answer.body, named, asked) != (
                number == other
            ):
                wrong.append((number, other, answer.status))
    statuses = [answer.status for answer, _ in got]
    require(statuses == [200, 200, 400, 400, 401], f"{statuses}")
    require(not wrong, f"answer and report: {wrong}")
    return f"{statuses}, each signed for its own report of 5"


_NONCES = (
    'a\\"b',
    "a\\\\",
    "x; y=z",
    "x, sig2=()",
    "%0d%0aX: y",
    " " * 50,
    "~" * 90,
    "\\\\" * 40,
)


async def echoes(target: Target) -> str:
    """Each answer brings a nonce, whatever the report had in its place; no header more."""
    wrong = {}
    for nonce in _NONCES:
        for key in (VICTIM.key, WRONG_KEY):
            body = _body()
            headers = Signer(VICTIM.mac, key).headers(body, nonce)
            answer = await target.ask(request("POST", SIGNED_PATH, body, headers))
            brought = answer.headers.get("accept-signature", "")
            if answer.status != 401 or not _NONCE.fullmatch(brought):
                wrong[nonce, key == WRONG_KEY] = answer.status, brought
    require(not wrong, f"{wrong}")
    return f"{2 * len(_NONCES)} answers with a nonce of Home Assistant's own"


async def mac_spelt_otherwise(target: Target) -> str:
    """The MAC address of the report is that of the signature, however both are spelt."""
    digits = VICTIM.mac.replace(":", "")
    statuses: dict[str, int] = {}
    for spelt in (
        VICTIM.mac.upper(),
        VICTIM.mac.replace(":", "-"),
        VICTIM.mac.replace(":", "."),
        digits,
        digits.upper(),
        VICTIM.mac.replace(":", " "),
        f" {VICTIM.mac}",
        f"{VICTIM.mac}\n",
        VICTIM.mac + ":00",
        VICTIM.mac.replace("5", "\uff15"),
        VICTIM.mac.replace("a0:00", "a0:0"),
        "",
        "0" * 12,
        "f" * 12,
        ":" * 5,
        VICTIM.mac * 100,
    ):
        body = json.dumps({"mac": spelt, "readings": []}).encode()
        whole, _ = _whole(await target.nonce(), body)
        statuses[f"body {spelt[:30]!r}"] = (await target.ask(whole)).status
        if spelt.isascii() and "\n" not in spelt:
            headers = Signer(spelt, VICTIM.key).headers(_body(), await target.nonce())
            answer = await target.ask(request("POST", SIGNED_PATH, _body(), headers))
            statuses[f"keyid {spelt[:30]!r}"] = answer.status
    wrong = {each: got for each, got in statuses.items() if got not in {200, 400, 401}}
    require(not wrong, f"{wrong}")
    return f"{len(statuses)} spellings, {list(statuses.values()).count(200)} of them the MAC"


ATTACKS = (
    written_otherwise,
    signed_otherwise,
    somebody_else,
    encoded,
    malformed_reports,
    lines_twice,
    digest_elsewhere,
    at_another_address,
    answers_of_others,
    echoes,
    mac_spelt_otherwise,
)
