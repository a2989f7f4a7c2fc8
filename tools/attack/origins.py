"""Requests that a page of another origin can make the user's browser send."""

import json

from tools.signature import SIGNED_PATH

from .result import require
from .target import VICTIM, Target, legacy
from .wire import request

_EVIL = "http://evil.example"
_CROSS = {
    "Origin": _EVIL,
    "Referer": f"{_EVIL}/",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Dest": "empty",
}
_PATHS = (
    "/update",
    "/update.json",
    "/channels/1/bulk_update.json",
    "/channels/1/bulk_update.csv",
)


def _bodies(value: str) -> dict[str, tuple[str, bytes]]:
    """Return what a page may send without asking: three content types, any path."""
    form = f"api_key={VICTIM.key}&field1={value}"
    bulk = f"write_api_key={VICTIM.key}&time_format=relative&updates=0,{value}"
    one = json.dumps({"api_key": VICTIM.key, "field1": value})
    many = json.dumps(
        {"write_api_key": VICTIM.key, "updates": [{"delta_t": 0, "field1": value}]}
    )
    return {
        f"{kind} {number}": (kind, body.encode())
        for kind in ("text/plain", "application/x-www-form-urlencoded")
        for number, body in enumerate((form, bulk, one, many))
    }


async def posts(target: Target) -> str:
    """A page in the user's browser can send a GET with a key it knows, and nothing else."""
    taken = []
    sent = 0
    for site in (
        _CROSS,
        {name: value for name, value in _CROSS.items() if name == "Origin"},
        {name: value for name, value in _CROSS.items() if name.startswith("Sec")},
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "same-site"},
        {"Origin": f"http://127.0.0.1:{target.port + 1}"},
        {"Origin": "http://127.0.0.1.evil.example"},
    ):
        for path in _PATHS:
            for name, (kind, body) in _bodies("66.6").items():
                sent += 1
                answer = await target.ask(
                    request("POST", path, body, {"Content-Type": kind, **site})
                )
                if answer.status in {200, 202}:
                    taken.append((path, name, tuple(site)))
    state = await target.state(VICTIM)
    figure = f"{len(taken)} of {sent} taken, state {state}"
    require(not taken and state != "66.6", f"{figure}: {taken[:3]}")
    return figure


async def preflights(target: Target) -> str:
    """A page of another origin may not read an answer, nor send headers of its own."""
    wrong = []
    paths = (
        *_PATHS,
        SIGNED_PATH,
        legacy(VICTIM),
        "/api/esp_weather/firmware/firmware.json",
    )
    for path in paths:
        for method in ("OPTIONS", "GET", "POST"):
            answer = await target.ask(
                request(
                    method,
                    path,
                    headers={
                        **_CROSS,
                        "Access-Control-Request-Method": "POST",
                        "Access-Control-Request-Headers": "x-thingspeakapikey",
                        "Access-Control-Request-Private-Network": "true",
                    },
                )
            )
            if any(name.startswith("access-control-allow") for name in answer.headers):
                wrong.append((method, path, answer.headers))
    require(not wrong, f"allowed: {wrong}")
    return f"{len(paths) * 3} requests, none allowed"


async def framed(target: Target) -> str:
    """Pages may load, run, send and embed nothing, and are not cached."""
    wrong = {}
    for path in (
        legacy(VICTIM),
        legacy(VICTIM, data="x"),
        legacy(VICTIM, key="x"),
        *_PATHS,
    ):
        answer = await target.get(path, Accept="text/html")
        policy = answer.headers.get("content-security-policy", "")
        html = "html" in answer.headers.get("content-type", "")
        missing = [
            directive
            for directive in (
                "default-src",
                "base-uri",
                "form-action",
                "frame-ancestors",
            )
            if html and f"{directive} 'none'" not in policy
        ]
        if missing or "no-store" not in answer.headers.get("cache-control", ""):
            wrong[path] = answer.status, missing, answer.headers.get("cache-control")
        if "nosniff" not in answer.headers.get("x-content-type-options", ""):
            wrong[f"{path} sniffed"] = answer.status, [], None
        if html and "no-referrer" not in answer.headers.get("referrer-policy", ""):
            wrong[f"{path} referred"] = answer.status, [], None
    require(not wrong, f"{wrong}")
    return "7 pages"


async def same_refusals(target: Target) -> str:
    """The answer does not say which of MAC address and key is wrong."""
    wrong = {}
    for name, answers in {
        "legacy": [
            await target.get(legacy(VICTIM, key="x" * 20), Accept=accept)
            for accept in ("*/*",)
        ]
        + [
            await target.get(legacy(VICTIM, mac="66:66:66:66:66:66")),
            await target.get(legacy(VICTIM, mac="66:66:66:66:66:66", key="x" * 20)),
            await target.get(legacy(VICTIM, key=VICTIM.key[:-1] + "x")),
            await target.get(legacy(VICTIM, key=VICTIM.key[:-1])),
            await target.get(legacy(VICTIM, key=VICTIM.key.swapcase())),
        ],
        "form": [
            await target.get(f"/update?api_key={key}&mac={mac}&field1={value}")
            for key in ("x" * 20, VICTIM.key[:-1], VICTIM.key.swapcase())
            for mac in (VICTIM.mac, "66:66:66:66:66:66", "")
            for value in ("21.5",)
        ]
        + [
            await target.get(
                f"/update?api_key={VICTIM.key}&mac=66:66:66:66:66:66&field1=1"
            )
        ],
    }.items():
        shown = {
            (
                each.status,
                each.body,
                tuple(sorted((n, v) for n, v in each.headers.items() if n != "date")),
            )
            for each in answers
        }
        if len(shown) > 1:
            wrong[name] = shown
    require(not wrong, f"{wrong}")
    return "16 refusals of 2 forms, no different byte"


ATTACKS = (posts, preflights, framed, same_refusals)
