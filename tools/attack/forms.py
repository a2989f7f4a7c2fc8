"""Form reports in ways that no library for ThingSpeak writes, with the right key."""

import json
from typing import Any
from urllib.parse import quote

from .result import require
from .target import VICTIM, Target
from .wire import Answer

_VALUE = 66.7
_BULK = "/channels/1/bulk_update"
_TIMES: tuple[Any, ...] = (
    *("x", "0000-00-00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30"),
    *(
        "2026-13-01",
        "2026-01-01T25:00",
        "2026-01-01T00:00:60Z",
        "1e308",
        "-1e308",
        "nan",
    ),
    *("inf", "-1", "0", "9" * 400, "2026-01-01T00:00:00+99:99", "now", "12:00", "\0"),
    *("2026-01-01T00:00:00" + "0" * 5000, "٢٠٢٦-٠١-٠١", "2026-W01", "2026-001", "-inf"),
)
_ZONES = (
    *("x", "../../../../etc/passwd", "/etc/passwd", "Europe/../../../etc/passwd", "\0"),
    *(
        "Europe/London\0",
        "a" * 5000,
        ".",
        "..",
        "Europe",
        "",
        "UTC/",
        "posixrules",
        "\ud800",
    ),
    *("C:\\x", "Europe\\London", "localtime", "tzdata.zi", "zone.tab", "__init__.py"),
)
_THINGS: tuple[Any, ...] = (
    None,
    True,
    [],
    {},
    [1],
    {"a": 1},
    "x",
    "",
    1e999,
    -1,
    "nan",
)


async def _none_taken(target: Target, answers: dict[str, Answer]) -> str:
    """Check that nothing was taken, and that Home Assistant had no error."""
    wrong = {
        name.replace(VICTIM.key, "KEY")[:90]: (answer.status, answer.text[:50])
        for name, answer in answers.items()
        if not 400 <= answer.status < 500
    }
    state = await target.state(VICTIM)
    require(not wrong and state != str(_VALUE), f"otherwise: {wrong}; state {state}")
    return f"{len(answers)} reports, all refused"


async def times(target: Target) -> str:
    """Bad times are refused: nothing is stored with a wrong time."""
    answers = {}
    for time in _TIMES:
        form = f"api_key={VICTIM.key}&field1={_VALUE}&created_at="
        text = quote(time, errors="surrogatepass")
        answers[f"form {time}"] = await target.get(f"/update?{form}{text}")
        for sent in (time, [time], {"a": time}):
            update = {"created_at": sent, "field1": _VALUE}
            answers[f"json {sent}"] = await target.post(
                "/update.json", json.dumps({"api_key": VICTIM.key, **update}).encode()
            )
            answers[f"bulk {sent}"] = await target.post(
                f"{_BULK}.json",
                json.dumps({"write_api_key": VICTIM.key, "updates": [update]}).encode(),
            )
        answers[f"csv {time}"] = await target.post(
            f"{_BULK}.csv",
            f"write_api_key={VICTIM.key}&time_format=absolute"
            f"&updates={text},{_VALUE}".encode(),
        )
    return await _none_taken(target, answers)


async def time_zones(target: Target) -> str:
    """A time zone is a name: no other file is opened."""
    answers = {}
    for zone in _ZONES:
        text = quote(zone, errors="surrogatepass")
        answers[zone] = await target.get(
            f"/update?api_key={VICTIM.key}&field1={_VALUE}"
            f"&created_at=2026-01-01T00:00:00&timezone={text}"
        )
    log = target.new_log()
    require("blocking call" not in log, f"a blocking call: {log[-800:]}")
    return await _none_taken(target, answers)


# Reports that hold nothing, which is not wrong
_NOTHING: tuple[list[object], ...] = ([], [{}], [{"a": 1}])
_RIGHT = (
    *({"write_api_key": VICTIM.key, "updates": updates} for updates in _NOTHING),
    # Without a time the last update is of now, and only that one is taken.
    *(
        {
            "write_api_key": VICTIM.key,
            "updates": [{"delta_t": no_time, "field1": _VALUE}] * 2,
        }
        for no_time in (None, "")
    ),
)


async def things(target: Target) -> str:
    """A report that is not as ThingSpeak defines it is refused with 400 or 401."""
    whole = {"api_key": VICTIM.key, "field1": _VALUE}
    answers = {}
    for thing in _THINGS:
        for path, content in {
            "/update": {**whole, "api_key": thing},
            "/update.json": {**whole, "mac": thing} if thing else thing,
            f"{_BULK}.json": {"write_api_key": VICTIM.key, "updates": thing},
            f"{_BULK}.json?1": {"write_api_key": VICTIM.key, "updates": [thing]},
            f"{_BULK}.json?2": {
                "write_api_key": VICTIM.key,
                "updates": [{"delta_t": thing, "field1": _VALUE}] * 2,
            },
            f"{_BULK}.json?3": {
                "write_api_key": thing,
                "updates": [{"delta_t": 1, "field1": _VALUE}],
            },
        }.items():
            if content in _RIGHT:
                continue
            answers[f"{path} {content}"] = await target.post(
                path, json.dumps(content).encode()
            )
    for number, updates in enumerate(
        (
            "",
            "|",
            ",",
            "x,1",
            "1",
            "-1,66.7",
            "nan,66.7",
            "1,x|2,y",
            "1,66.7|" * 961,
        )
    ):
        answers[f"csv {number} {updates[:9]}"] = await target.post(
            f"{_BULK}.csv",
            f"write_api_key={VICTIM.key}&time_format=relative&updates={updates}".encode(),
        )
    return await _none_taken(target, answers)


ATTACKS = (times, time_zones, things)
