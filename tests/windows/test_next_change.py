"""The next change, from what Home Assistant's recorder has."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from math import pi, sin
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from homeassistant.components.recorder import Recorder, get_instance
from homeassistant.components.recorder.db_schema import StatisticsShortTerm
from homeassistant.components.recorder.models import StatisticMeanType
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from tests.helpers import INDOOR, START, entity_id

from .helpers import Report, advice, room_state

# START is 12:00 UTC: the warmest is at 15:00, and it is as warm as inside at 21:00.
INSIDE = 24.0


def outside_at(time: datetime, swing: float = 6.0, mean: float = INSIDE) -> float:
    """Return the temperature outside in a climate without weather."""
    hours = time.hour + time.minute / 60
    return mean + swing * sin(2 * pi * (hours - 9) / 24)


@pytest.fixture
def mock_recorder_before_hass(async_test_recorder: Any) -> None:
    """Prepare the recorder before Home Assistant."""


@pytest.fixture(autouse=True)
def _recorder(recorder_mock: Recorder) -> None:
    """Have a recorder in each test."""


type Past = Callable[..., Any]


@pytest.fixture
def past(hass: HomeAssistant, house: MockConfigEntry) -> Past:
    """Return a function that writes short-term statistics of the last days."""

    async def _past(
        days: float,
        *,
        unit: str = "°C",
        until: datetime = START,
        reload: bool = True,
        **climate: float,
    ) -> None:
        def value(celsius: float) -> float:
            return celsius * 1.8 + 32 if unit == "°F" else celsius

        start = until - timedelta(days=days)
        times = [
            start + timedelta(minutes=5 * number) for number in range(round(days * 288))
        ]
        for sensor, values in (
            (entity_id(hass, "1"), [outside_at(time, **climate) for time in times]),
            (entity_id(hass, "1", mac=INDOOR), [INSIDE] * len(times)),
        ):
            if sensor is None:
                continue
            get_instance(hass).async_import_statistics(
                {
                    "has_sum": False,
                    "mean_type": StatisticMeanType.ARITHMETIC,
                    "name": None,
                    "source": "recorder",
                    "statistic_id": sensor,
                    "unit_class": "temperature",
                    "unit_of_measurement": unit,
                },
                [
                    {"start": time, "mean": value(celsius)}
                    for time, celsius in zip(times, values, strict=True)
                ],
                StatisticsShortTerm,
            )
        await async_wait_recording_done(hass)
        if reload:
            # Otherwise the former means would be cached for an hour.
            assert await hass.config_entries.async_reload(house.entry_id)

    return _past


async def _look(hass: HomeAssistant, time: FrozenDateTimeFactory, to: datetime) -> None:
    """Advance the clock to the next prediction."""
    await async_wait_recording_done(hass)
    time.move_to(to)
    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    # Other background tasks wait for the clock, which stands still.
    for task in asyncio.all_tasks():
        if task.get_name() == "esp_weather next change":
            await task
    await hass.async_block_till_done()


def _known_time(hass: HomeAssistant, name: str | None = None) -> datetime:
    state = room_state(hass, "next_change")
    found = state.attributes[name] if name else state.state
    known = found if isinstance(found, datetime) else dt_util.parse_datetime(found)
    assert known is not None, state
    return known


def _is_about(time: datetime, hour: int, minute: int) -> bool:
    expected = time.replace(hour=hour, minute=minute)
    return abs(time - expected) <= timedelta(minutes=10)


@pytest.mark.parametrize("unit", ["°C", "°F"])
async def test_next_change(
    hass: HomeAssistant,
    report: Report,
    time: FrozenDateTimeFactory,
    past: Past,
    unit: str,
) -> None:
    """On the evening of a warm day it gets cooler outside as on the days before."""
    await report(INSIDE, outside_at(START))
    assert advice(hass) == "close"
    assert room_state(hass, "next_change").state == "unknown"
    await past(6, unit=unit)

    await _look(hass, time, START + timedelta(seconds=30))

    # Cooler by 0.5 K is 19 minutes after as warm as.
    assert _is_about(_known_time(hass), 21, 20)
    # A day may be early or late by about half an hour.
    for name, minutes in (("earliest", -30), ("latest", 30)):
        off = _known_time(hass, name) - _known_time(hass)
        assert abs(off - timedelta(minutes=minutes)) <= timedelta(minutes=15)
    assert _known_time(hass).minute % 5 == 0
    assert room_state(hass, "next_change").attributes["device_class"] == "timestamp"


async def test_rows_of_today(
    hass: HomeAssistant, report: Report, time: FrozenDateTimeFactory, past: Past
) -> None:
    """Periods without statistics are taken from the states."""
    await report(INSIDE, outside_at(START - timedelta(hours=1)))
    await past(6, until=START)
    for minutes in range(0, 55, 5):
        time.move_to(START + timedelta(minutes=minutes))
        await report(INSIDE, outside_at(time()))
    await _look(hass, time, START + timedelta(minutes=55, seconds=30))

    assert _is_about(_known_time(hass), 21, 20)


async def test_both_directions(
    hass: HomeAssistant, report: Report, time: FrozenDateTimeFactory, past: Past
) -> None:
    """While it is cooler outside, the next change is that it gets warmer."""
    night = START.replace(hour=23)
    time.move_to(night)
    await report(INSIDE, outside_at(night))
    assert advice(hass) == "open"
    await past(6, until=night)

    await _look(hass, time, night + timedelta(seconds=30))

    assert _is_about(_known_time(hass), 9, 20)
    assert _known_time(hass).day == night.day + 1


@pytest.mark.parametrize(
    ("days", "climate"),
    [
        pytest.param(0.9, {}, id="less than a day of history"),
        pytest.param(8, {"mean": 5.0}, id="heated house in winter"),
    ],
)
async def test_unknown(
    hass: HomeAssistant,
    report: Report,
    time: FrozenDateTimeFactory,
    past: Past,
    days: float,
    climate: dict[str, float],
) -> None:
    """Without enough history there is no prediction."""
    await report(INSIDE, outside_at(START, **climate))
    await past(days, **climate)

    await _look(hass, time, START + timedelta(seconds=30))

    state = room_state(hass, "next_change")
    assert state.state == "unknown"
    assert "earliest" not in state.attributes


async def test_dead_sensor(
    hass: HomeAssistant, report: Report, time: FrozenDateTimeFactory, past: Past
) -> None:
    """Without a current reading there is no prediction."""
    await report(INSIDE, outside_at(START))
    await past(6)
    await _look(hass, time, START + timedelta(seconds=30))
    assert room_state(hass, "next_change").state != "unknown"

    time.move_to(START + timedelta(minutes=50))
    await report(INSIDE)
    await _look(hass, time, START + timedelta(minutes=65, seconds=30))

    assert advice(hass) == "unknown"
    assert room_state(hass, "next_change").state == "unknown"


async def test_change_comes(
    hass: HomeAssistant, report: Report, time: FrozenDateTimeFactory, past: Past
) -> None:
    """Once the expected change has happened, the next one is predicted."""
    begin = START.replace(hour=20, minute=30)
    time.move_to(begin)
    await report(INSIDE, outside_at(begin))
    await past(6, until=begin)
    assert advice(hass) == "close"
    await _look(hass, time, begin + timedelta(seconds=30))
    assert _is_about(_known_time(hass), 21, 20)
    for minutes in range(5, 75, 5):
        time.move_to(begin + timedelta(minutes=minutes))
        await report(INSIDE, outside_at(time()))
        await _look(hass, time, begin + timedelta(minutes=minutes, seconds=30))

    assert advice(hass) == "open"
    assert _is_about(_known_time(hass), 9, 20)


@pytest.mark.parametrize("windows", [{"outside": "sensor.terrace"}])
async def test_sensor_without_statistics(
    hass: HomeAssistant,
    report: Report,
    time: FrozenDateTimeFactory,
    past: Past,
) -> None:
    """Without statistics, the states of a sensor are used, each in its own unit."""
    begin = START
    for number in range(27 * 6):
        time.move_to(begin + timedelta(minutes=10 * number))
        value = outside_at(time())
        # One outage, and another unit half of the time
        hass.states.async_set(
            "sensor.terrace",
            "unavailable"
            if number == 3
            else str(value if number % 2 else value * 1.8 + 32),
            {"unit_of_measurement": "°C" if number % 2 else "°F"},
        )
        await report(INSIDE)
        # The clock must not run hours ahead of the recorder.
        await async_wait_recording_done(hass)
    end = time()
    # Of the inside sensor, statistics exist for the last 5 minutes only.
    await past(1 / 288, until=end)
    await report(INSIDE)
    await _look(hass, time, end + timedelta(minutes=5, seconds=30))

    assert advice(hass) == "close"
    assert _is_about(_known_time(hass), 21, 20)


async def test_hour_later(
    hass: HomeAssistant, report: Report, time: FrozenDateTimeFactory, past: Past
) -> None:
    """Readings that are backfilled into known days are used within an hour."""
    await report(INSIDE, outside_at(START))
    await _look(hass, time, START + timedelta(seconds=30))
    await past(6, reload=False)
    await report(INSIDE, outside_at(START))
    await _look(hass, time, START + timedelta(minutes=5, seconds=30))
    assert room_state(hass, "next_change").state == "unknown"

    for minutes in range(10, 65, 5):
        time.move_to(START + timedelta(minutes=minutes))
        await report(INSIDE, outside_at(time()))
    await _look(hass, time, START + timedelta(minutes=65, seconds=30))

    assert _is_about(_known_time(hass), 21, 20)
