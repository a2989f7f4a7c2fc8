"""Strangers' requests to the address of the firmware."""

import asyncio
from collections import Counter
from functools import partial
import json
import secrets

from .cost import BASE, cost_of
from .result import require
from .target import VICTIM, Target
from .wire import connection, request

_FOLDER = "/api/esp_weather/firmware/"
_OUTSIDE = (
    *("../manifest.json", "..%2fmanifest.json", "%2e%2e/manifest.json"),
    *("%2e%2e%2fmanifest.json", "..%5cmanifest.json", "..\\manifest.json"),
    *("....//manifest.json", "..;/manifest.json", ".%00./manifest.json"),
    *("firmware.json/../../manifest.json", "firmware.json%00.mpy", "%252e%252e%252f"),
    *("/etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "//etc/passwd"),
    *("../../../configuration.yaml", "..%2f..%2f..%2f.storage%2fcore.config_entries"),
    *("", ".", "..", "~", "CON", "a" * 5000, "%F0%9F%98%80", "%ff", "*", "?", "#"),
    *(
        "../__init__.py",
        "..%2f__init__.py",
        "firmware.json.",
    ),
    *(
        "FIRMWARE.JSON",
        "firmware",
        "main.py",
        "config.json",
        ".git/config",
        "__pycache__",
    ),
)


async def outside_of_the_folder(target: Target) -> str:
    """A stranger gets the files of the firmware and no others."""
    got = {}
    for name in _OUTSIDE:
        for method in ("GET", "HEAD", "POST"):
            answer = await target.ask(request(method, _FOLDER + name), limit=2)
            if not (answer.status == 0 or 400 <= answer.status < 500):
                got[method, name] = answer.status, answer.body[:80]
    require(not got, f"answered otherwise: {got}")
    return f"{len(_OUTSIDE)} names, all refused"


async def odd_requests(target: Target) -> str:
    """Whatever is sent, HA answers with a refusal or the file: to the firmware's address."""
    statuses: Counter[int] = Counter()
    for headers in (
        {"Range": "bytes=0-0"},
        {"Range": "bytes=" + ",".join("0-" for _ in range(1000))},
        {"Range": "bytes=-99999999999999999999"},
        {"Range": "x"},
        {"If-None-Match": "*"},
        {"If-None-Match": '"' + "a" * 7000},
        {"If-Modified-Since": "Thu, 99 Foo 9999 99:99:99 GMT"},
        {"If-Range": "x"},
        {"Accept-Encoding": "gzip;q=x, br"},
        {"Content-Length": "5"},
    ):
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            answer = await target.ask(
                request(method, f"{_FOLDER}firmware.json", headers=headers), limit=1
            )
            statuses[answer.status] += 1
    require(max(statuses) < 500, f"{dict(statuses)}")
    return f"{dict(statuses)}"


async def what_a_fetch_costs(target: Target) -> str:
    """A stranger who keeps fetching the firmware stops no real report."""
    answer = await target.get(f"{_FOLDER}firmware.json")
    largest = max(json.loads(answer.body)["files"].items(), key=lambda each: each[1])[0]
    names = [largest, "firmware.json"]
    base = await cost_of(target, BASE, 200)
    ratios = {
        name: await cost_of(target, partial(request, "GET", _FOLDER + name), 200) / base
        for name in [*names, "nothing.mpy"]
    }

    async def fetch() -> None:
        async with connection(target.port) as opened:
            for _ in range(target.many(500)):
                await opened.ask(request("GET", _FOLDER + names[0]))

    fetching = [asyncio.create_task(fetch()) for _ in range(20)]
    slowest = max([await target.take(VICTIM) for _ in range(20)])
    await asyncio.gather(*fetching)
    figure = (
        f"cost in refused reports: { ({n: round(r, 1) for n, r in ratios.items()}) }; the"
        f" slowest real report beside 20 who fetch {slowest * 1000:.0f} ms"
    )
    require(slowest < 1, figure)
    return figure


async def without_a_signature(target: Target) -> str:
    """A stranger cannot make a station fetch firmware."""
    answer = await target.post(
        "/api/esp_weather/report",
        json.dumps(
            {
                "mac": "5c:cf:7f:a0:00:01",
                "readings": [],
                "status": {"firmware": "0.0.1"},
            }
        ).encode(),
        Content_Digest=secrets.token_hex(8),
    )
    require(answer.status == 401 and b"sha256" not in answer.body, f"{answer}")
    return "401"


ATTACKS = (outside_of_the_folder, odd_requests, what_a_fetch_costs, without_a_signature)
