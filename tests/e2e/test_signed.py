"""Signed reports to a real Home Assistant, from independent programs."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
import json
from pathlib import Path
from random import Random
import re
import sqlite3
import subprocess
import sys
import time

import aiohttp
import pytest
from yarl import URL

from tools.home_assistant import HomeAssistant
from tools.signature import SIGNED_PATH, Signer, nonce_in
from tools.station import OUTDOOR, add_station

from .helpers import rows

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
SENSOR = "sensor.outdoor_temperature"
SIGNER = Signer(OUTDOOR.mac, OUTDOOR.key)
HOURS = 3
INTERVAL = 60  # seconds

type Point = tuple[float, float]  # time and value


async def _post(
    home_assistant: HomeAssistant, body: bytes, headers: dict[str, str]
) -> tuple[int, str]:
    """Return the status of the answer and the next nonce."""
    async with aiohttp.request(
        "POST", home_assistant.url + SIGNED_PATH, data=body, headers=headers
    ) as answer:
        return answer.status, nonce_in(answer.headers["Accept-Signature"])


async def _run_example(home_assistant: HomeAssistant, folder: Path) -> str:
    """Run the program in docs/protocol.md with the address of this Home Assistant."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    url = URL(home_assistant.url)
    for old, new in {
        '"192.168.1.2", 8123': f'"{url.host}", {url.port}',
        '"5c:cf:7f:2b:0e:a8", "PHDNGI2345"': f'"{OUTDOOR.mac}", "{OUTDOOR.key}"',
    }.items():
        assert old in example
        example = example.replace(old, new)
    program = folder / "example.py"
    program.write_text(example)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(program), stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    return output.decode()


async def _shown(home_assistant: HomeAssistant) -> list[Point]:
    """Return what the history graph of the last hours shows."""
    start = datetime.now(UTC) - timedelta(hours=HOURS + 1)
    states = await home_assistant.websocket(
        "history/history_during_period",
        start_time=start.isoformat(),
        entity_ids=[SENSOR],
        minimal_response=True,
        no_attributes=True,
        significant_changes_only=False,
    )
    return [(each["lu"], float(each["s"])) for each in states[SENSOR]]


def _hourly_statistics(database: Path) -> dict[float, tuple[float, float, float]]:
    """Return the stored mean, minimum and maximum of each hour."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "SELECT start_ts, mean, min, max FROM statistics"
            " JOIN statistics_meta ON metadata_id = statistics_meta.id"
            " WHERE statistic_id = ?",
            (SENSOR,),
        )
        return {start: (mean, low, high) for start, mean, low, high in found}


def _expected(points: list[Point], hour: float) -> tuple[float, float, float]:
    """Return the expected statistic of an hour: each value lasts until the next."""
    end = hour + 3600
    lasting = [
        (value, min(until, end) - max(since, hour))
        for (since, value), (until, _) in pairwise([*points, (end, 0.0)])
        if until > hour and since < end
    ]
    values = [value for value, _ in lasting]
    mean = sum(value * seconds for value, seconds in lasting) / 3600
    return mean, min(values), max(values)


async def test_outage(home_assistant: HomeAssistant, tmp_path: Path) -> None:
    """Readings from an outage of Home Assistant are stored afterwards."""
    await add_station(home_assistant, OUTDOOR)
    assert (await _run_example(home_assistant, tmp_path)).startswith("200 {'taken': 3,")
    state = await home_assistant.rest("GET", f"/api/states/{SENSOR}")
    assert state["state"] == "21.7"
    _, nonce = await _post(home_assistant, b"", {})
    recorded = SIGNER.headers(b"{}", nonce)
    await home_assistant.stop()

    # The station keeps measuring, for three and a half hours by the ages it sends.
    await home_assistant.start()
    # An unused nonce from before the restart is invalid.
    status, nonce = await _post(home_assistant, b"{}", recorded)
    assert status == 401
    numbers = Random(7)
    ages = range(HOURS * 3600 + 1800, -1, -INTERVAL)
    measured = [(age, round(numbers.uniform(-10, 20), 2)) for age in ages]
    readings = [{"field": 1, "value": value, "age": age} for age, value in measured]
    body = json.dumps({"mac": OUTDOOR.mac, "readings": readings}).encode()
    sent = time.time()
    headers = SIGNER.headers(body, nonce)
    assert (await _post(home_assistant, body, headers))[0] == 200

    newest = measured[-1][1]
    state = await home_assistant.rest("GET", f"/api/states/{SENSOR}")
    assert float(state["state"]) == newest
    async with asyncio.timeout(60):
        while len(shown := await _shown(home_assistant)) < len(measured) + 2:
            await asyncio.sleep(0.2)
    assert shown == sorted(shown)
    await home_assistant.stop()

    stored = [
        (moment.timestamp(), float(state))
        for state, moment in rows(home_assistant.database, SENSOR)
    ]
    # The example's readings are above 20 °C.
    points = [(moment, value) for moment, value in stored if value <= 20]
    assert [value for _, value in points] == [value for _, value in measured]
    assert points == [
        pytest.approx(point, rel=0, abs=1e-5) for point in shown if point[1] <= 20
    ]
    for (moment, _), (age, _) in zip(points, measured, strict=True):
        assert sent <= moment + age <= sent + 1

    statistics = _hourly_statistics(home_assistant.database)
    first_full = points[0][0] // 3600 * 3600 + 3600
    last_full = (sent - 120) // 3600 * 3600
    hours = range(int(first_full), int(last_full), 3600)
    assert len(hours) >= HOURS - 1
    for hour in hours:
        assert statistics[hour] == pytest.approx(_expected(points, hour))
