"""The prediction of the next change, on real and made-up houses."""

from math import pi, sin
from pathlib import Path
from time import perf_counter

import pytest

from custom_components.esp_weather.windows.crossing import predict_crossing
from tools.crossing import (
    DAY,
    HYSTERESIS,
    METHODS,
    House,
    Measure,
    measure,
    ours,
    read,
    synthetic,
)

SERIES = sorted((Path(__file__).parent / "series").glob("*.csv"))


def _day(at: int, swing: float = 5.0) -> float:
    """Return the difference of a house in which each day is like the other."""
    return swing * sin(2 * pi * at / DAY)


def _days(days: float, swing: float = 5.0) -> list[float | None]:
    return [_day(at, swing) for at in range(round(days * DAY) + 1)]


def test_days_alike() -> None:
    """Where each day is like the other, the time is known to the minute."""
    # After 5.25 days it is the warmest; it is cooler by 0.5 K 6 hours and a bit later.
    crossing = predict_crossing(_days(5.25), warmer=True, hysteresis=0.5)

    assert crossing is not None
    assert crossing.expected == pytest.approx(6 * 60 + 23, abs=2)
    # A day may be half an hour early or late.
    assert crossing.expected - crossing.earliest == pytest.approx(28, abs=3)
    assert crossing.latest - crossing.expected == pytest.approx(28, abs=3)

    crossing = predict_crossing(_days(5.75), warmer=False, hysteresis=0.5)
    assert crossing is not None
    assert crossing.expected == pytest.approx(6 * 60 + 23, abs=2)


def test_already_passed() -> None:
    """A threshold that was passed but has not held yet is expected now."""
    crossing = predict_crossing(_days(5.6), warmer=True, hysteresis=0.5)

    assert crossing is not None
    assert crossing.expected == 0


def test_earliest_and_latest() -> None:
    """Days that differ make the range, which holds the expected time."""
    differences = [_day(at, 2 + at // DAY % 4) - 0.5 for at in range(8 * DAY + 60)]

    crossing = predict_crossing(differences, warmer=True, hysteresis=0.5)

    assert crossing is not None
    assert crossing.earliest < crossing.expected < crossing.latest


@pytest.mark.parametrize(
    "differences",
    [
        pytest.param([], id="no history"),
        pytest.param([None], id="no reading"),
        pytest.param([-1.0], id="one reading"),
        pytest.param(_days(0.98), id="less than a day"),
        pytest.param([*_days(5), None], id="dead sensor"),
        pytest.param([*_days(5)[:-3], None, -0.3, -0.3], id="after an outage"),
        pytest.param([None] * 5 * DAY + [*_days(0.5)], id="outage before"),
        pytest.param(
            [-15 + _day(at, 3) for at in range(10 * DAY)], id="heated house in winter"
        ),
    ],
)
def test_unknown(differences: list[float | None]) -> None:
    """Without enough data there is no prediction."""
    assert predict_crossing(differences, warmer=False, hysteresis=0.5) is None


def test_outage_within_a_day() -> None:
    """A day on which the sensor was dead when it mattered is no scenario."""
    differences = _days(6.25)
    differences[round(5.4 * DAY) : round(5.6 * DAY)] = [None] * round(0.2 * DAY)

    crossing = predict_crossing(differences, warmer=True, hysteresis=0.5)

    assert crossing is not None
    assert crossing.expected == pytest.approx(6 * 60 + 23, abs=2)


def test_soon_on_few_days() -> None:
    """A change within 3 hours that most days do not have is not announced."""
    # It is 5 K cooler outside; on 1 day of 5 it became warmer an hour from now.
    differences: list[float | None] = [
        2.0 if at // DAY % 5 == 0 and 90 <= at % DAY < 140 else -5.0
        for at in range(10 * DAY + 78)
    ]

    assert predict_crossing(differences, warmer=False, hysteresis=0.5) is None


def test_nothing_after_now() -> None:
    """A prediction only depends on earlier data."""
    house = read(SERIES[-1])
    for at in range(2 * DAY, len(house.differences), 97):
        known = house.differences[: at + 1]
        before = ours(known, False)
        later = [*known, *([99.0] * DAY)][: at + 1]
        assert ours(later, False) == before


def test_measure() -> None:
    """On the houses at hand it is good enough, and better than simple methods."""
    totals = {name: Measure() for name in METHODS}
    for path in SERIES:
        house = read(path)
        for name, method in METHODS.items():
            totals[name].add(measure(house, method, every=3))
    best = totals["next_change"]

    # Shares within 15, 30, 60 and 90 minutes, in percent
    assert [
        share >= least
        for share, least in zip(best.shares(), (61, 39, 50, 54), strict=True)
    ] == [True] * 4, str(best)
    assert best.false_alarms() <= 11
    assert best.false_alarms(is_warmer=True) <= 3
    assert best.jump() <= 30
    for name, other in totals.items():
        if other is not best:
            for share, theirs in zip(best.shares(), other.shares(), strict=True):
                assert share > theirs, name


@pytest.mark.parametrize("seed", range(3))
def test_heated_house(seed: int) -> None:
    """In a heated house in winter there is never a prediction."""
    house = synthetic(seed, days=30, is_heated=True)

    assert all(value is None or value < HYSTERESIS for value in house.differences[DAY:])
    for at in range(DAY, len(house.differences), 6):
        assert ours(house.differences[max(0, at - 10 * DAY) : at + 1], False) is None


def test_time() -> None:
    """A prediction takes less than 5 ms."""
    house = synthetic(1)
    known = house.differences[: 10 * DAY + 12]
    fastest = 1.0
    for _ in range(5):
        began = perf_counter()
        ours(known, True)
        fastest = min(fastest, perf_counter() - began)

    assert fastest < 0.005


def test_bad_series(tmp_path: Path) -> None:
    """A file that is no series is refused by name."""
    path = tmp_path / "house.csv"
    path.write_text("utc,indoor,outdoor\n2026-07-01T00:00,21\n")
    with pytest.raises(ValueError, match=r"house\.csv"):
        read(path)
    path.write_text("utc,indoor,outdoor\n")
    with pytest.raises(ValueError, match="no rows"):
        read(path)


def test_changes() -> None:
    """A change is one that holds for 10 minutes; a gap makes it unknown."""
    values = [*[-1.0] * 10, 1.0, 1.0, -1.0, *[1.0] * 5]
    house = House("", values)
    assert [change.passed for change in house.changes] == [pytest.approx(12.75)]

    house = House("", [*[-1.0] * 10, None, *[1.0] * 5])
    assert not house.changes
