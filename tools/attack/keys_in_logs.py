"""Ways to get a key into a log, or shown to somebody who does not have it."""

import json

from tools.home_assistant import HomeAssistantError
from tools.signature import SIGNED_PATH
from tools.station import ENTRIES

from .pairing import pairing
from .result import require
from .target import UNKNOWN_MAC, VICTIM, WRONG_KEY, Target, legacy
from .wire import request

_HOST = b"Host: 127.0.0.1\r\n"


def _spellings(key: str) -> list[str]:
    """Return ways to write a key in an address."""
    every = "".join(f"%{ord(letter):02x}" for letter in key)
    return [
        key,
        f"%{ord(key[0]):02X}{key[1:]}",
        f"{key[:9]}%{ord(key[9]):02x}{key[10:]}",
        every,
        every.upper().replace("%", "%25"),
        every.replace("%", "%25"),
        f"%20{key}",
        f"{key}%00",
    ]


def _lines(key: str) -> list[bytes]:
    """Return first lines that aiohttp refuses, or HA's own filter, with a key."""
    return [
        f"GET {path.format(spelt)} HTTP/1.1\r\n".encode() + _HOST + b"\r\n"
        for spelt in _spellings(key)
        for path in (
            "/update/API_key={}/mac=x/field=1/data= 21.50",
            "/update/api-key={}/mac=x/field=1/data= 21.50",
            "/update/%41PI_key={}/mac=x/field=1/data= 21.50",
            "/update/API%5Fkey%3D{}/mac=x/field=1/data= 21.50",
            "/update/API_key= {}/mac=x/field=1/data=21.50",
            "/update/API_key\t={}/mac=x",
            "/update?api_key={}&field1= 21.50",
            "/update?field1= 21.50&key={}",
            "/update?{}= 21.50",
            "/update?api_key={}&x=../../../../etc/passwd",
            "/update?api_key={}&x=<script>alert(1)</script>",
            "/update/API_key={}/mac=x/field=1/data=<script>",
            "/update/API_key={}/../../../../etc/passwd",
            "/update?api_key={}&x=union all select(",
            "/update?api_key={}&x=%3Cscript%3E%20union%20select(%20concat(",
            "/channels/1/bulk_update.csv?write_api_key={}&x= y",
            "http://127.0.0.1:99999/update?api_key={}",
            "/{}",
            "/x y{}",
        )
    ]


def _headers(key: str) -> list[bytes]:
    """Return requests with a key in a header, most of them malformed."""
    spelt = key.encode()
    first = b"POST /update HTTP/1.1\r\n" + _HOST
    body = b"Content-Length: 9\r\n\r\nfield1=1 "
    return [
        first + line + body
        for name in (b"THINGSPEAKAPIKEY", b"X-THINGSPEAKAPIKEY", b"x-thingspeakapikey")
        for line in (
            name + b": " + spelt + b"\r\n",
            name + b" : " + spelt + b"\r\n",
            name + b" " + spelt + b"\r\n",
            name + b": " + spelt + b"\0\r\n",
            name + b": a\r\n " + spelt + b"\r\n",
            name + b": " + spelt + b"\n\n",
            name + b": " + spelt + b"\r\n" + b"Content-Length: x\r\n",
            name + b": " + spelt * 600 + b"\r\n",
            spelt + b" " + name + b"\r\n",
            spelt + b"\xff: x\r\n",
            b"Content-Length: " + spelt + b"\r\n",
            b"Transfer-Encoding: " + spelt + b"\r\n",
            b"Referer: http://127.0.0.1/update/API_key=" + spelt + b"/mac=x\r\n",
            b"Referer: http://127.0.0.1/update/%41PI_key=" + spelt + b"/mac=x\r\n",
            b"User-Agent: " + spelt + b"\r\n",
            b"Host: " + spelt + b" x\r\n",
            b"X-Forwarded-For: " + spelt + b"\r\n",
            b"Authorization: Bearer " + spelt + b"\r\n",
            b"Content-Type: " + spelt + b"\0\r\n",
            b"Content-Encoding: " + spelt + b"\r\n",
            b"Expect: " + spelt + b"\r\n",
            b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
            + spelt
            + b"\r\nSec-WebSocket-Version: 13\r\n",
            b"Cookie: " + spelt + b"\0=;\r\n",
        )
    ]


def _bodies(key: str) -> list[bytes]:
    """Return requests with a key in a body that cannot be read."""
    texts = [
        f"api_key={key}&field1=x y&mac={UNKNOWN_MAC}",
        f'{{"api_key": "{key}", "field1": ',
        f'{{"api_key": "{key}\\ud800", "field1": 1}}',
        f'{{"api_key": ["{key}"], "field1": 1}}',
        f'{{"{key}": 1}}',
        f"write_api_key={key}&time_format=relative&updates=60,{key}|x",
        f"write_api_key={key}&time_format={key}&updates=60,1",
        f"api_key={key}&field1={key}&created_at={key}&timezone={key}&mac={key}",
        f'{{"write_api_key": "{key}", "updates": [{{"delta_t": "{key}", "field1": 1}}]}}',
    ]
    paths = (
        *("/update", "/update.json", "/channels/1/bulk_update.json"),
        *("/channels/1/bulk_update.csv", SIGNED_PATH),
    )
    sent = []
    for text in texts:
        for path in paths:
            whole = request("POST", path, text.encode())
            sent += [
                whole,
                # The body cut off, in chunks of a wrong length, and without a head
                whole[:-10],
                whole.replace(
                    f"Content-Length: {len(text)}\r\n\r\n".encode(),
                    b"Transfer-Encoding: chunked\r\n\r\n",
                ),
                whole.replace(
                    f"Content-Length: {len(text)}".encode(), b"Content-Length: 3"
                ),
                text.encode() + b"\r\n\r\n",
            ]
    return sent


async def _show(target: Target, sent: list[bytes], key: str) -> str:
    """Send requests at HA's default log level and at debug; look for a key."""
    target.secrets.append(key)
    await target.pass_the_log()
    lines = 0
    for level in ("warning", "debug"):
        await target.log_at(level)
        for each in sent:
            await target.ask(each, limit=0.05 if target.short else 0.3)
        log = target.new_log()
        lines += log.count("\n")
        if found := target.key_in(log):
            await target.log_at("warning")
            records = [each for each in log.splitlines() if target.key_in(each)]
            require(
                False,
                f"at {level}, {len(records)} lines of the log hold {found!r}, such as"
                f" {records[0][:400]!r} and {records[-1][:400]!r}",
            )
    await target.log_at("warning")
    return f"{len(sent)} requests at 2 levels, 0 of {lines} lines with a key"


async def malformed_lines(target: Target) -> str:
    """No key in a log at any level: request lines that are no valid HTTP, or filtered."""
    return await _show(target, _lines(VICTIM.key), VICTIM.key)


async def key_in_headers(target: Target) -> str:
    """No key in a log at any level: headers, malformed ones too."""
    return await _show(target, _headers(VICTIM.key), VICTIM.key)


async def key_in_bodies(target: Target) -> str:
    """No key in a log at any level: bodies that cannot be read."""
    sent = _bodies(VICTIM.key)
    return await _show(target, sent[:: 4 if target.short else 1], VICTIM.key)


async def mistyped_key(target: Target) -> str:
    """No key in a log at any level: a wrong key is still most of a right one."""
    key = VICTIM.key[:-2] + "xx"
    sent = [*_lines(key)[:17], *_headers(key)[:20]]
    for level in ("warning", "debug"):
        await target.log_at(level)
        for _ in range(4):
            await target.get(legacy(VICTIM, key=key))
            await target.get(f"/update?api_key={key}&mac={VICTIM.mac}&field1=1")
        for each in sent:
            await target.ask(each, limit=0.2)
    await target.log_at("warning")
    log = target.new_log()
    found = [line for line in log.splitlines() if key in line]
    require(not found, f"{len(found)} lines, such as {found[:1]} and {found[-1:]}")
    return f"{len(sent)} requests at 2 levels, 0 lines with the key that was sent"


async def split_lines(target: Target) -> str:
    """No key in a log at any level: a malformed line in two TCP segments, split anywhere."""
    key = VICTIM.key
    await target.pass_the_log()
    count = 0
    for level in ("warning", "debug"):
        await target.log_at(level)
        for line in (
            f"GET /update/API_key={key}/mac=x/data= 21.50 HTTP/1.1\r\n",
            f"GET /update?api_key={key}&field1= 21.50 HTTP/1.1\r\n",
            f"GET /update HTTP/1.1\r\nX-THINGSPEAKAPIKEY : {key}\r\n",
        ):
            whole = line.encode() + _HOST + b"\r\n"
            begin = whole.index(b"/update") + 3
            for at in range(begin, len(line), 12 if target.short else 1):
                await target.ask(whole[:at], whole[at:], limit=0.1)
                count += 1
            await target.ask(
                *(whole[i : i + 7] for i in range(0, len(whole), 7)), limit=0.2
            )
    await target.log_at("warning")
    return f"{count} splits"  # The log is checked after each attack.


async def key_of_a_pairing(target: Target) -> str:
    """No key in a log at any level: the key of a station that is being paired."""
    async with pairing(target) as (_, key):
        return await _show(
            target, [*_lines(key)[::4], *_headers(key)[::4], *_bodies(key)[::10]], key
        )


async def pages_with_a_key(target: Target) -> str:
    """No key in diagnostics, repair issues, notifications and pages."""
    entry = (await target.entry(VICTIM))["entry_id"]
    for data in ("x", "1e999", "99"):
        await target.get(legacy(VICTIM, data=data))
        await target.get(legacy(VICTIM).replace("field=1", f"field={data}"))
        await target.get(legacy(VICTIM, key=WRONG_KEY))
    pages = {
        path: await target.home_assistant.rest("GET", path)
        for path in (f"/api/diagnostics/config_entry/{entry}", "/api/states", ENTRIES)
    }
    for command in (
        *("repairs/list_issues", "persistent_notification/get", "system_log/list"),
        *(
            "config_entries/get",
            "config_entries/flow/progress",
            "config/device_registry/list",
        ),
    ):
        try:
            pages[command] = await target.home_assistant.websocket(command)
        except HomeAssistantError as err:
            pages[command] = str(err)
    for path in (
        legacy(VICTIM),
        legacy(VICTIM, data="x"),
        legacy(VICTIM) + "%3Cscript%3E",
        f"/update?api_key={VICTIM.key}&field1=x",
        f"/update.json?api_key={VICTIM.key}&field1=1",
    ):
        for accept in ("text/html", "*/*"):
            answer = await target.get(path, Accept=accept)
            pages[f"{path} {accept}"] = f"{answer.headers} {answer.text}"
    shown = {
        name: text[max(0, text.find(part) - 300) : text.find(part) + 100]
        for name, text in ((name, json.dumps(page)) for name, page in pages.items())
        if (part := target.key_in(text))
    }
    require(not shown, f"a key stands in {shown}")
    return f"{len(pages)} pages, none with a key"


ATTACKS = (
    malformed_lines,
    key_in_headers,
    key_in_bodies,
    mistyped_key,
    split_lines,
    key_of_a_pairing,
    pages_with_a_key,
)
