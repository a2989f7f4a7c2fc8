"""The cost of a refused request for Home Assistant."""

import asyncio
from collections.abc import Callable, Sequence
import gzip
import json
import secrets
from statistics import median
import time
from urllib.parse import urlencode

from tools.signature import SIGNED_PATH, Signer
from tools.station import Station, add_station

from .result import require
from .target import VICTIM, Target, any_key, any_mac, legacy
from .wire import CLOSED, connection, request

STATIONS = 20  # as in the figure of the documentation
# What may be added to the cost of the same bytes at an address of nobody, in refused
# legacy reports
LIMIT = 3.0
BODY = 65_536  # bytes, the maximum of a body
LINE = 6_000  # letters of a long address; HA takes lines of up to 8,190 bytes
_BOMB = gzip.compress(b"a=1&" * (1 << 22))[:BODY]
_ROUNDS = 5
_LATER = 1.3  # seconds until the consequences of a refusal are done

type Make = Callable[[], bytes]


def _stranger() -> Signer:
    return Signer(any_mac(), any_key())


def _signed(signer: Signer, body: bytes = b"{}", **headers: str) -> bytes:
    made = signer.headers(body, secrets.token_urlsafe(12))
    return request(
        "POST",
        SIGNED_PATH,
        body,
        made | {name.replace("_", "-"): value for name, value in headers.items()},
    )


def _components(count: int, name: str = '"@method";bs') -> bytes:
    signer = _stranger()
    listed = " ".join([name] * count)
    return _signed(
        signer,
        Signature_Input=f'sig=({listed});keyid="{signer.mac}";nonce="{any_key()}"',
    )


def _form(**more: str) -> str:
    return urlencode({"api_key": any_key(), "field1": "21.5", **more})


def _filled(begin: str, unit: str, end: str = "") -> bytes:
    room = BODY - len(begin) - len(end)
    return (begin + unit * (room // len(unit)) + end).encode()


def _bulk_json(**one: object) -> bytes:
    updates = [{"delta_t": 1, "field1": 21.5, **one}] * 960
    text = json.dumps(
        {"write_api_key": any_key(), "updates": updates}, separators=(",", ":")
    )
    return text.encode()[:BODY]


def _bulk_csv(one: str) -> bytes:
    begin = f"write_api_key={any_key()}&time_format=relative&updates="
    return (begin + "|".join([one] * 960)).encode()[:BODY]


def _post(path: str, body: bytes, **headers: str) -> bytes:
    return request(
        "POST",
        path,
        body,
        {name.replace("_", "-"): value for name, value in headers.items()},
    )


def _chunked(path: str, body: bytes, size: int) -> bytes:
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(chunk), chunk)
        for chunk in (body[i : i + size] for i in range(0, len(body), size))
    )
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + chunks + b"0\r\n\r\n"


BASE: Make = lambda: request("GET", legacy(VICTIM, key=any_key()))  # noqa: E731
_JSON = "/update.json"
_BULK_JSON = "/channels/1/bulk_update.json"
_BULK_CSV = "/channels/1/bulk_update.csv"
KINDS: dict[str, dict[str, Make]] = {
    "legacy": {
        "unknown MAC": lambda: request(
            "GET", legacy(VICTIM, mac=any_mac(), key=any_key())
        ),
        "data of 6,000 letters": lambda: request(
            "GET", legacy(VICTIM, data="1" * LINE)
        ),
        "wrong key, data of 6,000 digits": lambda: request(
            "GET", legacy(VICTIM, key=any_key(), data="1" * LINE)
        ),
        "key of 6,000 letters": lambda: request("GET", legacy(VICTIM, key="k" * LINE)),
        "MAC of 6,000 letters": lambda: request(
            "GET", legacy(VICTIM, mac="a:" * (LINE // 2))
        ),
        "percent-encoded": lambda: request(
            "GET", legacy(VICTIM, key=any_key(), data="%31" * (LINE // 3))
        ),
        "query of 6,000 letters": lambda: request(
            "GET", legacy(VICTIM, key=any_key()) + "?" + "a&" * (LINE // 2)
        ),
    },
    "signed": {
        "unknown MAC": lambda: _signed(_stranger()),
        "wrong key": lambda: _signed(Signer(VICTIM.mac, any_key())),
        "110 components with ;bs": lambda: _components(110),
        "300 components": lambda: _components(300, '"@path"'),
        "300 signatures": lambda: _signed(
            _stranger(),
            Signature_Input=",".join(f's{i}=("@path");keyid="a"' for i in range(300)),
            Signature=",".join(f"s{i}=:AAAA:" for i in range(300)),
        ),
        "300 digests": lambda: _signed(
            _stranger(), Content_Digest=",".join(f"d{i}=:AAAA:" for i in range(300))
        ),
        "300 parameters": lambda: _signed(
            _stranger(),
            Signature_Input='sig=("@path")' + "".join(f';p{i}="x"' for i in range(300)),
        ),
        "parameters of 250 letters": lambda: _signed(
            _stranger(), Signature_Input="sig=(" + ";a" * 120 + ")"
        ),
        "wrong key, body of 64 KiB": lambda: _signed(
            Signer(VICTIM.mac, any_key()), b" " * BODY
        ),
        "unknown MAC, body of 64 KiB of JSON": lambda: _signed(
            _stranger(), _filled('{"readings":[', '{"field":1,"value":1},', "0]}")
        ),
        "no signature, body of 64 KiB": lambda: _post(SIGNED_PATH, b" " * BODY),
    },
    "form": {
        "GET": lambda: request("GET", f"/update?{_form()}"),
        "GET with mac": lambda: request("GET", f"/update?{_form(mac=any_mac())}"),
        "GET with a station's mac": lambda: request(
            "GET", f"/update?{_form(mac=VICTIM.mac)}"
        ),
        "GET .json": lambda: request("GET", f"{_JSON}?{_form()}"),
        "GET without key": lambda: request("GET", "/update?field1=1"),
        "GET, 3,000 parameters": lambda: request(
            "GET", f"/update?{_form()}" + "&a" * (LINE // 2)
        ),
        "GET, all fields and a time": lambda: request(
            "GET",
            "/update?"
            + _form(
                created_at="2026-01-31 23:59:59",
                timezone="Europe/London",
                **{f"field{i}": "21.5" for i in range(2, 10)},
            ),
        ),
        "GET, key in a header": lambda: request(
            "GET", "/update?field1=1", headers={"X-THINGSPEAKAPIKEY": any_key()}
        ),
        "POST": lambda: _post("/update", _form().encode()),
        "POST of JSON": lambda: _post(
            _JSON, json.dumps({"api_key": any_key(), "field1": 21.5}).encode()
        ),
        "bulk JSON, 1": lambda: _post(
            _BULK_JSON,
            json.dumps(
                {"write_api_key": any_key(), "updates": [{"delta_t": 1, "field1": 1}]}
            ).encode(),
        ),
        "bulk CSV, 1": lambda: _post(_BULK_CSV, _bulk_csv("1,21.5")[:80]),
    },
    "form, 64 KiB": {
        "spaces": lambda: _post("/update", b" " * BODY),
        "one long value": lambda: _post("/update", _filled(_form() + "&x=", "x")),
        "parameters": lambda: _post("/update", _filled(_form(), "&a")),
        "parameters with values": lambda: _post("/update", _filled(_form(), "&a=1")),
        "field1 again and again": lambda: _post(
            "/update", _filled(_form(), "&field1=1")
        ),
        "ampersands": lambda: _post("/update", _filled(_form(), "&")),
        "percent-encoded": lambda: _post("/update", _filled(_form() + "&x=", "%41")),
        "percent-encoded, no UTF-8": lambda: _post(
            "/update", _filled(_form() + "&x=", "%ff")
        ),
        "plus signs": lambda: _post("/update", _filled(_form() + "&x=", "+")),
        "JSON nested": lambda: _post(_JSON, _filled("", "[")),
        "JSON of parameters": lambda: _post(
            _JSON, _filled(f'{{"api_key":"{any_key()}",', '"a":1,', '"b":1}')
        ),
        "JSON list": lambda: _post(
            _JSON, _filled(f'{{"api_key":"{any_key()}","b":[', "1,", "1]}")
        ),
        "JSON digits": lambda: _post(
            _JSON, _filled(f'{{"api_key":"{any_key()}","field1":', "9", "}")
        ),
        "JSON escapes": lambda: _post(
            _JSON, _filled(f'{{"api_key":"{any_key()}","x":"', "\\u0041", '"}')
        ),
        "bulk JSON": lambda: _post(_BULK_JSON, _bulk_json()),
        "bulk JSON with times": lambda: _post(
            _BULK_JSON,
            _filled(
                f'{{"write_api_key":"{any_key()}","updates":[',
                '{"created_at":"2026-01-31 23:59:59","field1":1},',
                "{}]}",
            ),
        ),
        "bulk JSON of empty updates": lambda: _post(
            _BULK_JSON,
            _filled(f'{{"write_api_key":"{any_key()}","updates":[', "{},", "{}]}"),
        ),
        "bulk CSV": lambda: _post(_BULK_CSV, _bulk_csv("1,21.5,48.2")),
        "bulk CSV of bars": lambda: _post(_BULK_CSV, _filled("updates=1", "|")),
        "bulk CSV of commas": lambda: _post(
            _BULK_CSV, _filled(f"write_api_key={any_key()}&updates=1", ",")
        ),
        "too long": lambda: _post("/update", b" " * (BODY + 1)),
        "charset punycode": lambda: _post(
            "/update",
            _filled(_form() + "&x=", "a"),
            Content_Type="application/x-www-form-urlencoded; charset=punycode",
        ),
        "charset utf-7": lambda: _post(
            "/update",
            _filled(_form() + "&x=", "+AEE-"),
            Content_Type="application/x-www-form-urlencoded; charset=utf-7",
        ),
        "multipart": lambda: _post(
            "/update",
            _filled("", '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'),
            Content_Type="multipart/form-data; boundary=b",
        ),
    },
    "encoded": {
        "gzip of 16 MiB, form": lambda: _post(
            "/update", _BOMB, Content_Encoding="gzip"
        ),
        "deflate of 16 MiB, form": lambda: _post(
            "/update", _BOMB, Content_Encoding="deflate"
        ),
        "gzip of 16 MiB, signed": lambda: _signed(
            Signer(VICTIM.mac, any_key()), _BOMB, Content_Encoding="gzip"
        ),
        "chunks of 1 byte, 8 KiB, form": lambda: _chunked("/update", b"a" * 8192, 1),
        "chunks of 1 byte, 8 KiB, signed": lambda: _chunked(
            SIGNED_PATH, b"a" * 8192, 1
        ),
        "64 chunks of 1 byte, form": lambda: _chunked("/update", b"a" * 64, 1),
        "64 chunks, 64 KiB, signed": lambda: _chunked(
            SIGNED_PATH, b"a" * BODY, BODY // 64
        ),
    },
}


async def cost_of(target: Target, make: Make, count: int) -> float:
    """Return the processor time of one request in seconds, measured over `count`."""
    sent = [make() for _ in range(count)]
    async with connection(target.port) as opened:
        began = target.cpu()
        for each in sent:
            if await opened.ask(each) == CLOSED:
                break
        else:
            return (target.cpu() - began) / count
    # HA closes the connection after each.
    return await _cost_of_connections(target, sent)


async def _cost_of_connections(target: Target, sent: Sequence[bytes]) -> float:
    """Return the processor time of one request on a connection of its own."""
    began = target.cpu()
    for each in sent:
        await target.ask(each)
    return (target.cpu() - began) / len(sent)


async def _add_stations(target: Target) -> None:
    if target.crowded:
        return
    target.crowded = True
    for number in range(2, STATIONS):
        mac = f"5c:cf:7f:a0:00:{number + 1:02x}"
        await add_station(
            target.home_assistant, Station(f"Other {number}", mac, key=f"{number:020}")
        )


async def _ratios(target: Target, kinds: dict[str, Make]) -> dict[str, float]:
    """Return the cost of each kind of request, relative to a refused legacy report."""
    await _add_stations(target)
    await cost_of(target, BASE, 200)
    costs: dict[str, list[float]] = {kind: [] for kind in kinds}
    count = target.many(100)
    for _ in range(2 if target.short else _ROUNDS):
        for kind, make in kinds.items():
            base = await cost_of(target, BASE, 100)
            costs[kind].append(await cost_of(target, make, count) / base)
    return {kind: median(each) for kind, each in costs.items()}


async def _refusals(target: Target, theme: str) -> str:
    """Compare with a refused legacy report, and expensive requests with HA's own share.

    HA's share is the cost of the same bytes sent to an unknown address.
    """
    ratios = await _ratios(target, KINDS[theme])
    figures = []
    dear = []
    for kind, ratio in ratios.items():
        figure = f"{kind} {ratio:.1f}"
        if ratio > LIMIT:
            own, beyond = await _beyond(target, KINDS[theme][kind])
            figure += f" (to nobody's address {own:.1f}, beyond that {beyond:.1f})"
            if beyond > LIMIT:
                dear.append(figure)
        figures.append(figure)
    require(not dear, f"too much: {', '.join(dear)}; all: {', '.join(figures)}")
    return ", ".join(figures)


async def _beyond(target: Target, make: Make) -> tuple[float, float]:
    """Return the cost of the same bytes to an unknown address, and ours beyond that.

    Measured in turns, since whatever else the machine does changes both, and each on
    a connection of its own, since ESP Weather closes that of some requests.
    """
    own, beyond = [], []
    count = target.many(100)
    for _ in range(_ROUNDS):
        base = await cost_of(target, BASE, 100)
        to_nobody = [_to_nobody(make)() for _ in range(count)]
        theirs = await _cost_of_connections(target, to_nobody)
        ours = await _cost_of_connections(target, [make() for _ in range(count)])
        own.append(theirs / base)
        beyond.append((ours - theirs) / base)
    return median(own), median(beyond)


def _to_nobody(make: Make) -> Make:
    def made() -> bytes:
        method, path, rest = make().split(b" ", 2)
        return b" ".join((method, b"/nobody" + path[7:], rest))

    return made


async def legacy_reports(target: Target) -> str:
    """A request without a key costs little, whatever it holds: unsigned reports."""
    return await _refusals(target, "legacy")


async def signed_reports(target: Target) -> str:
    """A request without a key costs little, whatever it holds: signed reports."""
    return await _refusals(target, "signed")


async def form_reports(target: Target) -> str:
    """A request without a key costs little, whatever it holds: form reports."""
    return await _refusals(target, "form")


async def long_form_reports(target: Target) -> str:
    """A request without a key costs little, whatever it holds: form reports of 64 KiB."""
    return await _refusals(target, "form, 64 KiB")


async def encoded_bodies(target: Target) -> str:
    """A request without a key costs little, whatever it holds: bodies that are encoded."""
    return await _refusals(target, "encoded")


async def what_follows(target: Target) -> str:
    """A request without a key costs little, including the work a second later."""
    count = target.many(500)
    later = {}
    for kind, make in (
        ("nothing", None),
        ("legacy, wrong key", BASE),
        ("legacy, unknown MAC", KINDS["legacy"]["unknown MAC"]),
        ("signed, unknown MAC", KINDS["signed"]["unknown MAC"]),
        ("form, unknown key", KINDS["form"]["GET"]),
        ("form, unknown key and MAC", KINDS["form"]["GET with mac"]),
    ):
        if make:
            await cost_of(target, make, count)
        began = target.cpu()
        await asyncio.sleep(_LATER)
        later[kind] = (target.cpu() - began) * 1000
    figure = ", ".join(f"{kind} {cost:.0f} ms" for kind, cost in later.items())
    figure = f"in {_LATER} s after {count}: {figure}"
    require(max(later.values()) < later["nothing"] + 100, figure)
    return figure


async def event_loop(target: Target) -> str:
    """Home Assistant stays usable under the most expensive requests at full speed."""
    slowest = 0.0
    makes = [make for kinds in KINDS.values() for make in kinds.values()]
    end = time.monotonic() + target.many(20)

    async def attack(number: int) -> None:
        while time.monotonic() < end:
            await target.ask(
                makes[secrets.randbelow(len(makes))](), source=f"127.0.0.{number}"
            )

    attackers = [asyncio.create_task(attack(number + 2)) for number in range(8)]
    while time.monotonic() < end:
        slowest = max(slowest, await target.take(VICTIM))
        await asyncio.sleep(0.05)
    await asyncio.gather(*attackers)
    require(slowest < 1, f"a real report took {slowest:.2f} s")
    return f"the slowest real report took {slowest * 1000:.0f} ms"


ATTACKS = (
    legacy_reports,
    signed_reports,
    form_reports,
    long_form_reports,
    encoded_bodies,
    what_follows,
    event_loop,
)
