"""Compares how long a real Home Assistant (HA) takes to refuse a report.

The time must not reveal which MAC exists or how much of a key is right: neither that of
the answer nor that of the next one, on the same connection or another. Run
`python -m tools.timing` for the figures of docs/security-and-reliability.md.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from statistics import median, stdev
import tempfile
import time

from homeassistant.const import __version__

from .home_assistant import HomeAssistant, free_port
from .signature import SIGNED_PATH, Signer
from .station import OUTDOOR, Station, add_station

ROUNDS = 5000
RESAMPLES = 500
STATIONS = 5
# A difference of so many standard errors is found with a probability of 80 %, at a
# level of 5 %: 1.96 + 0.84
POWER = 2.8

WRONG = {
    "unknown MAC": Station("", "02:00:00:00:00:01", key="XXXXXXXXXX"),
    "wrong key": Station("", OUTDOOR.mac, key="XXXXXXXXXX"),
    "all but the last letter right": Station(
        "", OUTDOOR.mac, key=f"{OUTDOOR.key[:-1]}X"
    ),
}

type Send = Callable[[HTTPConnection, Station], None]
# The microseconds of requests, by form, by when they were sent, and by the fault
type Times = dict[tuple[str, str], dict[str, list[float]]]


def _send_legacy(connection: HTTPConnection, station: Station) -> None:
    connection.request("GET", station.report_path(1, "21.5"))
    connection.getresponse().read()


def _send_form(connection: HTTPConnection, station: Station) -> None:
    connection.request(
        "GET", f"/update?api_key={station.key}&mac={station.mac}&field1=21.5"
    )
    connection.getresponse().read()


def _send_form_of_key(connection: HTTPConnection, station: Station) -> None:
    body = f"api_key={station.key}&field1=21.5"
    connection.request("POST", "/update", body)
    connection.getresponse().read()


def _send_signed(connection: HTTPConnection, station: Station) -> None:
    headers = Signer(station.mac, station.key).headers(b"{}", "0" * 48)
    connection.request("POST", SIGNED_PATH, b"{}", headers)
    connection.getresponse().read()


FORMS: dict[str, Send] = {
    "legacy": _send_legacy,
    "form": _send_form,
    "form without a MAC": _send_form_of_key,
    "signed": _send_signed,
}


def _send_probe(connection: HTTPConnection) -> None:
    """Request something unrelated to stations."""
    connection.request("GET", "/manifest.json")
    connection.getresponse().read()


def _timed(send: Callable[[], None]) -> float:
    start = time.perf_counter()
    send()
    return 1e6 * (time.perf_counter() - start)


def _measure(port: int) -> Times:
    """Measure refusals and the requests that follow them, in random order."""
    random = Random(5)
    own, other = (HTTPConnection("127.0.0.1", port) for _ in range(2))
    taken: Times = defaultdict(lambda: defaultdict(list))
    turns = [(form, name) for form in FORMS for name in WRONG]
    for _ in range(ROUNDS):
        for form, name in random.sample(turns, len(turns)):
            send, station = FORMS[form], WRONG[name]
            for when, request in (
                ("the refusal", partial(send, own, station)),
                ("the next request", partial(_send_probe, own)),
                ("the one of another connection", partial(_send_probe, other)),
            ):
                taken[form, when][name].append(_timed(request))
    own.close()
    other.close()
    return taken


def _difference(first: list[float], second: list[float]) -> str:
    """Return the difference of the medians with its 95 % interval and the power."""
    random = Random(5)
    differences = sorted(
        median(random.choices(second, k=len(second)))
        - median(random.choices(first, k=len(first)))
        for _ in range(RESAMPLES)
    )
    low, high = differences[RESAMPLES // 40], differences[-RESAMPLES // 40]
    seen = POWER * stdev(differences)
    return (
        f"{median(second) - median(first):+.2f} µs ({low:+.2f} to {high:+.2f});"
        f" {seen:.2f} µs would have been seen"
    )


async def _main() -> None:
    with tempfile.TemporaryDirectory(prefix="esp_weather-") as folder:
        async with HomeAssistant(Path(folder), free_port()) as home_assistant:
            for number in range(STATIONS):
                await add_station(
                    home_assistant,
                    replace(OUTDOOR, name=f"Station {number}", mac=_mac(number)),
                )
            taken = await asyncio.to_thread(_measure, home_assistant.port)
    print(
        f"Home Assistant {__version__}, {STATIONS} stations,"
        f" {ROUNDS} refusals of each kind"
    )
    for (form, when), times in taken.items():
        first, *others = times
        print(f"\n{form}, {when}\n  {first}: median {median(times[first]):.1f} µs")
        for name in others:
            print(f"  {name}: {_difference(times[first], times[name])}")


def _mac(number: int) -> str:
    return OUTDOOR.mac if not number else f"02:00:00:00:01:{number:02}"


if __name__ == "__main__":
    asyncio.run(_main())
