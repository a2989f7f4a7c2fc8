"""Malformed and unusual HTTP."""

from tools.signature import SIGNED_PATH

from .result import require
from .target import NEIGHBOUR, UNKNOWN_MAC, VICTIM, WRONG_KEY, Target, legacy
from .wire import Answer, connection, request

_PATH = f"/update/API_key={WRONG_KEY}/mac={UNKNOWN_MAC}/field=1/data=21.5".encode()
_FORM = f"api_key={WRONG_KEY}&field1=21.5".encode()
_HOST = b"Host: 127.0.0.1\r\n"
_MALFORMED = (
    b"\r\n\r\n",
    b"\0" * 64 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\xff" * 200,  # TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET " + _PATH + b"\r\n\r\n",
    b"GET " + _PATH + b" HTTP/0.9\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.0\r\n\r\n",
    b"GET " + _PATH + b" HTTP/9.9\r\n" + _HOST + b"\r\n",
    b"GET " + _PATH + b" HTTP/1.1 \r\n" + _HOST + b"\r\n",
    b"GET  " + _PATH + b"  HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET\t" + _PATH + b"\tHTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET " + _PATH + b" HTTP/1.1\n" + _HOST.replace(b"\r", b"") + b"\n",
    b"GET " + _PATH + b" HTTP/1.1\r" + _HOST + b"\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n: empty\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + _HOST + b"\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\nHost: [::1\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\nHost: a:b:c\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"X: a\r\n folded\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"X: a\0b\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"X\xe9: a\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"X: " + b"a" * 70000 + b"\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"X: 1\r\n" * 3000 + b"\r\n",
    b"GET " + _PATH + b"%" + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET " + _PATH + b"%zz%0" + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET " + _PATH + b"%00" + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET " + _PATH + b"%ff%fe" + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET " + _PATH + b"\xff\xfe" + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET " + _PATH + b"%ed%a0%80" + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET " + _PATH + b"a" * 9000 + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET /update" + b"/" * 8000 + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET /update/" + b"../" * 2000 + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET //" + _PATH + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET http://[" + _PATH + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET http://u:p@h:99999" + _PATH + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET http://example.com" + _PATH + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET ?" + _PATH + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET * HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"CONNECT 127.0.0.1:22 HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"Upgrade: h2c\r\n"
    b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"Range: bytes=0-,0-,0-\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"Expect: 100-continue\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"Expect: the-worst\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"Authorization: Bearer x.y.z\r\n\r\n",
    b"GET "
    + _PATH
    + b" HTTP/1.1\r\n"
    + _HOST
    + b"Cookie: "
    + b"a=b;" * 1000
    + b"\r\n\r\n",
    b"GET "
    + _PATH
    + b" HTTP/1.1\r\n"
    + _HOST
    + b"Accept: "
    + b"*/*;q=x," * 900
    + b"\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"X-Forwarded-For: 1.2.3.4\r\n\r\n",
    b"GET " + _PATH + b" HTTP/1.1\r\n" + _HOST + b"Content-Length: -1\r\n\r\n",
    b"GET "
    + _PATH
    + b" HTTP/1.1\r\n"
    + _HOST
    + b"Content-Length: 1_0\r\n\r\n0123456789",
)
_BODIES = (  # the rest of a POST after its first line and host
    b"Content-Length: -1\r\n\r\n" + _FORM,
    b"Content-Length: +5\r\n\r\n" + _FORM,
    b"Content-Length: 0x10\r\n\r\n" + _FORM,
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + _FORM,
    b"Content-Length: 99999999999999999999999999\r\n\r\n" + _FORM,
    b"Content-Length: 18446744073709551617\r\n\r\n" + _FORM,
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + _FORM,
    b"Transfer-Encoding: gzip\r\n\r\n" + _FORM,
    b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + _FORM,
    b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + _FORM,
    b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 70000 + b"\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5;" + b"x" * 9000 + b"\r\nfield\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nfield\r\n0\r\nX: y\r\nY: z\r\n\r\n",
    b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nfield",
    b"Content-Encoding: br, gzip\r\nContent-Length: 5\r\n\r\nfield",
    b"Content-Encoding: " + b"gzip," * 900 + b"gzip\r\nContent-Length: 5\r\n\r\nfield",
    b"Content-Type: \xff\r\nContent-Length: 5\r\n\r\nfield",
    b"Content-Type: a;charset=rot13\r\nContent-Length: 5\r\n\r\nfield",
    b"Content-Type: a;charset=\0\r\nContent-Length: 5\r\n\r\nfield",
    b"Content-Type: multipart/form-data\r\nContent-Length: 5\r\n\r\nfield",
    b"Content-Type: multipart/form-data; boundary="
    + b"b" * 7000
    + b"\r\nContent-Length: 5\r\n\r\nfield",
    b"Content-Length: 2\r\n\r\n\xff\xfe",
    b'Content-Length: 5\r\n\r\n{"a":',
    b"Content-Length: 60000\r\n\r\n" + b"[" * 60000,
    b"Content-Length: 60000\r\n\r\n" + b'{"a":' * 12000,
    b"Content-Length: 60000\r\n\r\n" + b"&" * 60000,
    b"Content-Length: 60000\r\n\r\n" + b"%" * 60000,
    b"Content-Length: 30\r\n\r\n" + b'{"api_key":' + b"9" * 18 + b"}",
)
_POSTED = (
    b"/update",
    b"/update.json",
    b"/channels/1/bulk_update.json",
    b"/channels/1/bulk_update.csv",
    b"/channels//bulk_update.csv",
    SIGNED_PATH.encode(),
)
_NO_NUMBERS = (
    *("", "nan", "inf", "-Infinity", "1e400", "0x1F", "1_0", "--1", "1,5"),
    *("%D9%A1", "%EF%BC%91", "%E2%88%921", "1%00", "%001", "1%0A2", "1e", "e1", "."),
    *("1" * 33, "1.5.5", "1%C2%A05", "true", "null", "1e1e1", "1%2B1", "1j"),
)
_METHODS = (
    *("HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "BREW"),
    *("get", "GeT", "QUERY", "MKCOL"),
)
_PREFETCHES = (
    "Sec-Purpose: prefetch",
    "Sec-Purpose: prefetch;prerender",
    "sec-purpose:   PREFETCH  ",
    'Sec-Purpose: prefetch;anonymous-client-ip="x"',
    "Sec-Purpose: other, prefetch",
    "Purpose: prefetch",
    "Purpose: Preview",
    "X-Purpose: preview",
    "X-Moz: prefetch",
    "X-moz: Prefetch",
    "Purpose: x\r\nPurpose: prefetch",
    "Sec-Purpose:\r\nSec-Purpose: prefetch",
)


def _refused(answer: Answer) -> bool:
    return answer.status == 0 or 400 <= answer.status < 500


async def malformed_requests(target: Target) -> str:
    """Whatever is sent, HA answers with a refusal or closes the connection, and goes on."""
    answers = {sent: await target.ask(sent, limit=1) for sent in _MALFORMED}
    wrong = {
        sent[:80]: got.status for sent, got in answers.items() if not _refused(got)
    }
    require(not wrong, f"answered otherwise: {wrong}")
    return f"{len(answers)} requests, all refused"


async def malformed_bodies(target: Target) -> str:
    """Whatever is sent as a body, HA answers with a refusal or closes the connection."""
    wrong = {}
    for path in _POSTED:
        for rest in _BODIES:
            head = b"POST " + path + b" HTTP/1.1\r\n" + _HOST
            answer = await target.ask(head + rest, limit=0.5)
            if not _refused(answer):
                wrong[path, rest[:80]] = answer.status, answer.body[:80]
    require(not wrong, f"answered otherwise: {wrong}")
    return f"{len(_POSTED) * len(_BODIES)} bodies, all refused"


async def smuggled_requests(target: Target) -> str:
    """A report inside the body of another request stores nothing."""
    hidden = request("GET", legacy(VICTIM, data="66.6"))
    length = f"Content-Length: {len(hidden)}\r\n".encode()
    wrong = []
    for rest in (
        length + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        length + b"Transfer-Encoding: identity\r\n\r\n" + hidden,
        length + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + hidden,
        length + b"X: y\n\nContent-Length: 0\r\n\r\n" + hidden,
        length + length + b"\r\n" + hidden,
        length + b"\r\n" + hidden,
    ):
        for path in (b"/update", SIGNED_PATH.encode(), b"/manifest.json"):
            async with connection(target.port) as opened:
                await opened.send(b"POST " + path + b" HTTP/1.1\r\n" + _HOST + rest)
                first = await opened.answer(1)
                if first.status == 0:
                    continue
                try:
                    second = await opened.answer(0.2)
                except TimeoutError:
                    continue
                if second.status == 200:
                    wrong.append((path, rest[:80]))
    state = await target.state(VICTIM)
    require(not wrong and state != "66.6", f"{wrong}, state {state}")
    return "18 requests, none of the hidden ones answered"


async def other_methods(target: Target) -> str:
    """Requests with other methods than GET store nothing, even with the right key."""
    wrong = {}
    form = f"/update?api_key={VICTIM.key}&field1=66.6"
    for method in _METHODS:
        for path in (legacy(VICTIM, data="66.6"), form):
            for more in ({}, {"X-HTTP-Method-Override": "GET", "X-Method": "GET"}):
                answer = await target.ask(request(method, path, headers=more), limit=1)
                if not _refused(answer):
                    wrong[method, path[:9]] = answer.status
    answer = await target.post(legacy(VICTIM, data="66.6"), b"a=b")
    if answer.status != 405:
        wrong["POST", "/update/"] = answer.status
    state = await target.state(VICTIM)
    require(not wrong and state != "66.6", f"answered {wrong}, state {state}")
    return f"{len(_METHODS)} methods, nothing taken"


async def pages_in_advance(target: Target) -> str:
    """A page that a browser prefetches stores nothing, even with the right key."""
    wrong = {}
    for header in _PREFETCHES:
        for path in (
            legacy(VICTIM, data="66.6"),
            f"/update?api_key={VICTIM.key}&field1=66.6",
        ):
            answer = await target.ask(
                f"GET {path} HTTP/1.1\r\nHost: h\r\n{header}\r\n\r\n".encode()
            )
            if answer.status != 503:
                wrong[header, path[:9]] = answer.status
    state = await target.state(VICTIM)
    require(not wrong and state != "66.6", f"answered {wrong}, state {state}")
    return f"{len(_PREFETCHES)} headers, nothing taken"


async def no_numbers(target: Target) -> str:
    """Data that is no finite decimal number of at most 32 characters is answered 400."""
    wrong = {}
    for text in _NO_NUMBERS:
        paths = [legacy(VICTIM, data=text)]
        if text:  # A form may have an empty field.
            paths.append(f"/update?api_key={VICTIM.key}&field1={text}")
        for path in paths:
            answer = await target.get(path)
            if answer.status not in {400, 404}:
                wrong[text, path[:9]] = answer.status, answer.text[:80]
    require(not wrong, f"answered otherwise: {wrong}")
    return f"{len(_NO_NUMBERS)} texts, all refused"


async def half_closed(target: Target) -> str:
    """A sender that closes its side right after the request is answered, as it should be."""
    answers = {}
    form = f"api_key={VICTIM.key}&field1=21.5".encode()
    for name, sent in {
        "legacy": request("GET", legacy(VICTIM)),
        "HTTP/1.0": f"GET {legacy(VICTIM)} HTTP/1.0\r\n\r\n".encode(),
        "form": request("POST", "/update", form),
        "wrong key": request("GET", legacy(VICTIM, key=WRONG_KEY)),
        "incomplete": request("POST", "/update", form)[:-1],
    }.items():
        async with connection(target.port) as opened:
            await opened.send(sent)
            opened.end()
            answers[name] = (await opened.answer(3)).status
    expected = {"legacy": 200, "HTTP/1.0": 200, "form": 200, "wrong key": 403}
    incomplete = answers.pop("incomplete")
    require(answers == expected and incomplete != 200, f"{answers}, {incomplete}")
    return f"{answers}; an incomplete one {incomplete or 'closed'}"


async def beside_nonsense(target: Target) -> str:
    """Whatever is sent, HA goes on: a right report between refused and malformed ones."""
    async with connection(target.port) as opened:
        await opened.send(
            request("GET", legacy(VICTIM, key=WRONG_KEY))
            + request("POST", "/update", _FORM)
            + request("GET", legacy(VICTIM, data="23.45")),
            b"\0\0 / \xff HTTP/7\r\n\r\n" + request("GET", legacy(VICTIM, data="66.6")),
            pause=0.5,
        )
        statuses = [(await opened.answer(3)).status for _ in range(5)]
    state = await target.state(VICTIM)
    # Nothing after what is no HTTP can be a request.
    require(
        statuses[:3] == [403, 401, 200] and set(statuses[3:]) <= {0, 400},
        f"{statuses}",
    )
    require(state == "23.45", f"state {state}")
    return f"{statuses}"


_PLACES = (
    "//update{}",
    "/update/{}",
    "/UPDATE{}",
    "/./update{}",
    "/x/../update{}",
    "/x/%2e%2e/update{}",
    "/update;x=y{}",
    "/upd%61te{}",
    "/%2Fupdate{}",
    "/update%2f{}",
    "/update%3F{}",
    "/update.json/{}",
    "/update.JSON{}",
    "/update.xml{}",
    "/update#{}",
    "http://elsewhere.example/update{}",
    "/channels/../update{}",
    "/channels/1/bulk_update.json{}",
    "/channels/1/2/bulk_update.csv{}",
    "/channels/%2e%2e/bulk_update.csv{}",
)


async def other_places(target: Target) -> str:
    """A report to an address that is spelt differently is either taken or refused."""
    wrong = {}
    taken = []
    for place in _PLACES:
        for rest in (
            f"?api_key={VICTIM.key}&field1=66.6",
            f"/API_key={VICTIM.key}/mac={VICTIM.mac}/field=1/data=66.6",
        ):
            await target.take(VICTIM)
            answer = await target.get(place.format(rest))
            is_state = await target.state(VICTIM) == "66.6"
            if is_state != (answer.status == 200) or answer.status >= 500:
                wrong[place, rest[:4]] = answer.status, is_state
            if is_state:
                taken.append(place)
    require(not wrong, f"{wrong}")
    return f"{2 * len(_PLACES)} addresses, {len(taken)} of them the right one: {taken}"


async def two_senders(target: Target) -> str:
    """Without the right MAC address and key nothing is stored: one key, another's MAC."""
    key, ours, theirs = VICTIM.key, VICTIM.mac, NEIGHBOUR.mac
    wrong = {}
    bodies = {
        "mac twice": f"api_key={key}&mac={ours}&mac={theirs}&field1=66.6",
        "mac twice, ours last": f"api_key={key}&mac={theirs}&mac={ours}&field1=66.6",
        "JSON, mac twice": f'{{"api_key":"{key}","mac":"{ours}","mac":"{theirs}",'
        '"field1":66.6}',
        "JSON, mac escaped": f'{{"api_key":"{key}","mac":"{ours}","m\\u0061c":"{theirs}",'
        '"field1":66.6}',
        "JSON, mac within": f'{{"x":{{"mac":"{ours}","api_key":"{key}"}},"mac":"{theirs}",'
        '"field1":66.6}',
        "JSON, a text with a MAC": f'{{"x":"\\"mac\\":\\"{ours}\\"","mac":"{theirs}",'
        f'"api_key":"{key}","field1":66.6}}',
        "a key of both": f"api_key={key}&key={NEIGHBOUR.key[:-1]}&mac={theirs}&field1=66.6",
        "mac encoded": f"api_key={key}&mac={ours}&m%61c={theirs}&field1=66.6",
        "mac in capitals": f"api_key={key}&mac={ours}&MAC={theirs}&field1=66.6",
    }
    sent = 0
    for name, body in bodies.items():
        for path in ("/update", "/update.json", f"/update?mac={theirs}"):
            for headers in ({}, {"X-THINGSPEAKAPIKEY": key}):
                sent += 1
                answer = await target.ask(
                    request("POST", path, body.encode(), headers, close=True)
                )
                if answer.status >= 500:
                    wrong[name, path] = answer.status
    state = await target.state(NEIGHBOUR)
    require(not wrong and state != "66.6", f"{wrong}, the neighbour has {state}")
    return f"{sent} reports, none of them the neighbour's"


async def trailers(target: Target) -> str:
    """What follows a body is no part of the request: no key, and no digest."""
    body = b"field1=66.6"
    wrong = {}
    for trailer in (
        f"X-THINGSPEAKAPIKEY: {VICTIM.key}",
        f"THINGSPEAKAPIKEY: {VICTIM.key}",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        f"Host: x\r\nX: {'y' * 9000}",
        "no header",
        ": x",
        "\0",
    ):
        for path in ("/update", "/update.json", SIGNED_PATH):
            sent = (
                f"POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                f"Trailer: X-THINGSPEAKAPIKEY\r\n\r\n{len(body):x}\r\n{body.decode()}"
                f"\r\n0\r\n{trailer}\r\n\r\n"
            ).encode()
            answer = await target.ask(sent, limit=1)
            if not _refused(answer):
                wrong[trailer[:30], path] = answer.status
    state = await target.state(VICTIM)
    require(not wrong and state != "66.6", f"{wrong}, state {state}")
    return "8 trailers to 3 addresses, nothing taken"


ATTACKS = (
    malformed_requests,
    malformed_bodies,
    smuggled_requests,
    other_methods,
    pages_in_advance,
    no_numbers,
    half_closed,
    beside_nonsense,
    other_places,
    two_senders,
    trailers,
)
