"""Predicts when it will get cooler, or warmer, outside than inside.

Each of the last days is a scenario of the next hours: the difference between outside
and inside goes on as it did that day, shifted to where it is now. As clouds and people
are not on time, the day is followed from half an hour earlier and later too, at half the
weight. The shift fades, since days that start apart converge again, and the way in which
the last half hour differed from that day continues for some minutes. The answer is a
percentile of the times at which the scenarios pass the threshold.

Imports nothing of Home Assistant. `python -m tools.crossing FOLDER` measures it on
the series of any house; docs/windows.md has the figures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Final

STEP: Final = 5  # minutes between two differences
DAYS: Final = 10  # scenarios
_DAY: Final = 24 * 60 // STEP
_REACH: Final = 12 * 60 // STEP  # how far a scenario is followed
_STRIDE: Final = 3  # how closely
_SLOPE: Final = 6  # over how long a slope is taken
# When a scenario starts, in steps after this time of its day, and its weight
_STARTS: Final = ((-6, 0.5), (0, 1.0), (6, 0.5))
_HOURS_3: Final = 3 * 60 // STEP
_HOURS_6: Final = 6 * 60 // STEP

# Chosen on the houses of docs/windows.md, where somewhat other values do little harm. The
# first two are numbers of steps.
_FADE: Final = 200.0
_MOMENTUM: Final = 3.0
_LIKENESS: Final = 4.0  # K
_RANK: Final = 0.4
_MINIMUM_SHARE: Final = 0.1
_MINIMUM_SHARE_SOON: Final = 0.55

_AHEAD: Final = range(_STRIDE, _REACH + 1, _STRIDE)
_SHIFT_LEFT: Final = [exp(-ahead / _FADE) for ahead in _AHEAD]
_BEND_LEFT: Final = [_MOMENTUM * (1 - exp(-ahead / _MOMENTUM)) for ahead in _AHEAD]
_CENTERED: Final = [at - _SLOPE / 2 for at in range(_SLOPE + 1)]
_SQUARES: Final = sum(x * x for x in _CENTERED)


@dataclass(frozen=True, slots=True)
class Crossing:
    """When a threshold will be passed, in minutes after the last difference.

    10 % of the scenarios that pass it do so before `earliest`, 10 %
    after `latest`.
    """

    expected: float
    earliest: float
    latest: float


def predict_crossing(
    differences: Sequence[float | None], *, warmer: bool, hysteresis: float
) -> Crossing | None:
    """Return when it will be cooler outside or, unless it is `warmer` now, warmer.

    `differences` are outside minus inside in K, 5-minute means, oldest first, the
    last one of now; None where one is missing. Cooler means by `hysteresis`. None
    if there is no prediction: no difference now, no day to compare with, too few days
    on which the threshold is passed within 12 hours, or not soon enough on most.
    """
    sign = -1 if warmer else 1
    now = len(differences) - 1
    if (crossing := _predict(differences, now, sign, hysteresis)) is None:
        return None
    # Far ahead, the prediction of a quarter of an hour ago is as good.
    weight = min(1.0, max(0.0, (crossing.expected - 60) / 120))
    if weight and (before := _predict(differences, now - 3, sign, hysteresis)):
        said = before.expected - 3 * STEP
        expected = (crossing.expected + weight * said) / (1 + weight)
        return replace(crossing, expected=max(0.0, expected))
    return crossing


def _predict(
    differences: Sequence[float | None], now: int, sign: int, hysteresis: float
) -> Crossing | None:
    """Return when the differences, times `sign`, reach the hysteresis."""
    if now < 0 or (current := differences[now]) is None:
        return None
    if (slope := _slope(differences, now)) is None:
        return None
    passes: list[tuple[float, float]] = []
    total = passing = soon = 0.0
    for then, weight_of_start in _scenarios(now):
        before = differences[then]
        if before is None or (slope_then := _slope(differences, then)) is None:
            continue
        shift = current - before
        bend = slope - slope_then
        weight = weight_of_start * exp(-0.5 * (shift / _LIKENESS) ** 2)
        last = sign * current
        for ahead, shift_left, bend_left in zip(
            _AHEAD, _SHIFT_LEFT, _BEND_LEFT, strict=True
        ):
            if (base := differences[then + ahead]) is None:
                break
            value = sign * (base + shift * shift_left + bend * bend_left)
            if value >= hysteresis:
                passed = float(ahead - _STRIDE)
                if last < hysteresis:
                    passed += _STRIDE * (hysteresis - last) / (value - last)
                passes.append((passed * STEP, weight))
                total += weight
                passing += weight
                if passed <= _HOURS_6:
                    soon += weight
                break
            last = value
        else:
            total += weight
    if not passes or passing < _MINIMUM_SHARE * total:
        return None
    passes.sort()
    expected = _percentile(passes, _RANK * passing)
    if expected <= _HOURS_3 * STEP and soon < _MINIMUM_SHARE_SOON * total:
        return None
    return Crossing(
        expected,
        _percentile(passes, 0.1 * passing),
        _percentile(passes, 0.9 * passing),
    )


def _scenarios(now: int) -> Iterator[tuple[int, float]]:
    """Return when the scenarios start, and their weights."""
    for day in range(now - _DAY, now - DAYS * _DAY - 1, -_DAY):
        for start, weight in _STARTS:
            if day + start >= _SLOPE:
                yield day + start, weight


def _slope(differences: Sequence[float | None], at: int) -> float | None:
    """Return the slope of the last half hour, by least squares."""
    if at < _SLOPE:
        return None
    total = 0.0
    for x, y in zip(_CENTERED, differences[at - _SLOPE : at + 1], strict=True):
        if y is None:
            return None
        total += x * y
    return total / _SQUARES


def _percentile(passes: Sequence[tuple[float, float]], wanted: float) -> float:
    """Return the weighted percentile of sorted times, interpolated."""
    up_to = below = earlier = 0.0
    for time, weight in passes:
        middle = up_to + weight / 2
        if middle >= wanted:
            if not up_to:
                return time
            return earlier + (time - earlier) * (wanted - below) / (middle - below)
        up_to += weight
        earlier, below = time, middle
    return earlier
