"""Very many MAC addresses, keys, fields and stations that wait to be paired."""

import asyncio
from collections import Counter
import json
import time

from .pairing import pairing
from .result import require
from .target import NEIGHBOUR, UNKNOWN_MAC, VICTIM, Target, any_key, any_mac, legacy
from .wire import connection, request

OFFERS = 5  # discoveries of unknown stations
FIELDS = 9


async def _send(target: Target, paths: list[str]) -> Counter[int]:
    async with connection(target.port) as opened:
        return Counter(
            [(await opened.ask(request("GET", path))).status for path in paths]
        )


async def _issues(target: Target) -> int:
    issues = await target.home_assistant.websocket("repairs/list_issues")
    return len(issues["issues"])


async def strangers_with_a_key(target: Target) -> str:
    """The number of discovered stations is bounded."""
    before = target.memory(), await _issues(target)
    count = target.many(10_000)
    answers = await _send(
        target, [legacy(VICTIM, mac=any_mac()) for _ in range(count)]
    ) + await _send(
        target,
        [
            f"/update?api_key={VICTIM.key}&mac={any_mac()}&field1=1"
            for _ in range(count)
        ],
    )
    await asyncio.sleep(2)
    offers = await target.discovered()
    for flow in await target.home_assistant.websocket("config_entries/flow/progress"):
        await target.home_assistant.rest(
            "DELETE", f"/api/config/config_entries/flow/{flow['flow_id']}"
        )
    grown = (target.memory() - before[0]) / 1e6
    issues = await _issues(target) - before[1]
    figure = f"{dict(answers)}: {offers} offers, {issues} issues, {grown:.1f} MB"
    require(offers <= OFFERS and issues <= OFFERS and grown < 20, figure)
    return figure


async def wrong_keys(target: Target) -> str:
    """The memory of wrong keys is bounded."""
    before = target.memory(), await _issues(target)
    count = target.many(50_000)
    answers = await _send(target, [legacy(VICTIM, key=any_key()) for _ in range(count)])
    await _send(
        target, [legacy(VICTIM, mac=any_mac(), key=any_key()) for _ in range(count)]
    )
    await asyncio.sleep(2)
    grown = (target.memory() - before[0]) / 1e6
    notifications = len(
        await target.home_assistant.websocket("persistent_notification/get")
    )
    issues = await _issues(target) - before[1]
    figure = f"{dict(answers)}: {grown:.1f} MB, {notifications} notifications, {issues} issues"
    require(grown < 20 and notifications <= 2 and issues <= 2, figure)
    return figure


async def fields(target: Target) -> str:
    """A station has at most 9 fields, even for a sender with its key."""
    before = await target.entities(), await _issues(target)
    numbers = [
        *range(-5, 200),
        10**9,
        10**30,
        "01",
        "1.0",
        "%D9%A1",
        "1e0",
        "",
        "+1",
        "0x1",
    ]
    paths = [legacy(VICTIM).replace("field=1", f"field={number}") for number in numbers]
    paths += [f"/update?api_key={VICTIM.key}&field{number}=21.5" for number in numbers]
    answers = await _send(target, paths)
    declared = {str(number): {"kind": "temperature"} for number in range(100)}
    signed = await target.report_signed(VICTIM, fields=declared)
    names = [
        await target.report_signed(
            VICTIM, fields={"1": {"kind": kind, "name": name, "unit": unit}}
        )
        for kind, name, unit in (
            ("x" * 60_000, "n", "°C"),
            ("temperature", "n" * 60_000, "°C"),
            ("temperature", "n", "u" * 60_000),
            ("temperature", "a\0b", "°C"),
            ("temperature", "<script>alert(1)</script>", "°C"),
            ("", "", ""),
        )
    ]
    await asyncio.sleep(1)
    new = {
        each
        for each in await target.entities() - before[0]
        if each.startswith("sensor.victim_")
    }
    issues = await _issues(target) - before[1]
    figure = (
        f"{len(paths)} reports {dict(answers)}, signed {signed.status},"
        f" {[each.status for each in names]}: {len(new)} sensors more, {issues} issues"
    )
    require(len(new) <= FIELDS - 1 + 1 and issues <= FIELDS + 2, figure)
    require(all(each.status in {200, 400, 503} for each in [signed, *names]), figure)
    return figure


async def stations_that_pair(target: Target) -> str:
    """The data of a pairing is bounded, and the dialog stays usable."""
    before = target.memory()
    count = target.many(10_000)
    async with pairing(target) as (flow, key):
        paths = []
        for number in range(count):
            mac = any_mac()
            paths += [
                f"/update/API_key={key}/mac={mac}/field={number % 9 + 1}/data=21.5",
                f"/update?api_key={key}&mac={mac}&field1=1&field2=2",
            ]
        began = time.monotonic()
        answers = await _send(target, paths)
        took = time.monotonic() - began
        began = time.monotonic()
        shown = json.dumps(await target.home_assistant.rest("GET", flow))
        page = time.monotonic() - began
        grown = (target.memory() - before) / 1e6
        real = await target.take(VICTIM)
    figure = (
        f"{dict(answers)} in {took:.1f} s: {grown:.1f} MB, the dialog has {len(shown)}"
        f" letters after {page * 1000:.0f} ms, a real report {real * 1000:.0f} ms"
    )
    require(answers[200] == 0 and grown < 20 and len(shown) < 50_000, figure)
    require(page < 1 and real < 1, figure)
    return figure


async def pairings(target: Target) -> str:
    """After the dialog is closed the key is no longer valid; many dialogs leave nothing."""
    before = target.memory()
    keys = []
    for _ in range(target.many(200)):
        async with pairing(target) as (_, key):
            keys.append(key)
            await target.get(f"/update/API_key={key}/mac={any_mac()}/field=1/data=21.5")
    answers = await _send(
        target,
        [f"/update/API_key={key}/mac={any_mac()}/field=1/data=21.5" for key in keys],
    )
    grown = (target.memory() - before) / 1e6
    figure = f"{len(keys)} dialogs, then {dict(answers)}; {grown:.1f} MB"
    require(answers == {403: len(keys)} and grown < 20, figure)
    return figure


async def pairing_of_others(target: Target) -> str:
    """Without the key of the dialog, nobody can end it or change what it shows."""
    async with pairing(target) as (flow, key):
        before = await target.home_assistant.rest("GET", flow)
        paths = []
        for wrong in (
            key[:-1],
            key.swapcase(),
            key + "x",
            "",
            "%00",
            any_key(),
            VICTIM.key,
        ):
            paths += [
                f"/update/API_key={wrong}/mac={any_mac()}/field=1/data=21.5",
                f"/update?api_key={wrong}&mac={any_mac()}&field1=1",
            ]
        answers = await _send(target, paths)
        await asyncio.sleep(1.5)
        after = await target.home_assistant.rest("GET", flow)
    for found in await target.home_assistant.websocket("config_entries/flow/progress"):
        await target.home_assistant.rest(
            "DELETE", f"/api/config/config_entries/flow/{found['flow_id']}"
        )
    require(after["step_id"] == before["step_id"], f"the dialog went on: {after}")
    require(answers[200] == 0, f"{dict(answers)}")
    return f"{dict(answers)}, the dialog waits"


async def refused_values(target: Target) -> str:
    """A station cannot flood its owner: impossible values make one issue each field."""
    before = await _issues(target)
    for text in ("1e300", "-1e300", "x", "nan", "1e308"):
        await _send(
            target,
            [legacy(NEIGHBOUR, data=text)] * 50 + [legacy(VICTIM, mac=UNKNOWN_MAC)] * 5,
        )
    issues = await _issues(target) - before
    require(issues <= 2, f"{issues} issues")
    return f"{issues} issues after 250 reports"


ATTACKS = (
    strangers_with_a_key,
    wrong_keys,
    fields,
    stations_that_pair,
    pairings,
    pairing_of_others,
    refused_values,
)
