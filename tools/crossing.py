"""How good the prediction of the next change is, on the series of any houses.

    python -m tools.crossing FOLDER [--every MINUTES] [--synthetic]

A series is a CSV file with the columns utc (2012-03-13T11:45), indoor and outdoor (°C),
at most an hour apart. It is put on a grid of 5 minutes; gaps of more than an hour stay
gaps. From each instant at which it has been decided that it is cooler or warmer
outside, by 0.5 K for 10 minutes, each method predicts when the opposite will be true,
from what lies before that instant. The table says, for houses one by one and together:

- share of instants whose prediction is at most 15, 30, 60, 90 minutes off, for changes
  0-1, 1-3, 3-6, 6-12 hours ahead; no prediction counts as a wrong one;
- false alarms: share of the predictions of a change within 3 hours after which there
  was none for 6 hours; the same for those of "gets cooler" only;
- jump: how far the predicted time moves in 15 minutes, 90th percentile;
- within: how often the change fell between the earliest and the latest time, which 80 %
  would do if days were alike.
"""

import argparse
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
import csv
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from math import exp, pi, sin
from pathlib import Path
from random import Random
from statistics import fmean, quantiles
from time import perf_counter
from typing import Final, NamedTuple, override

from custom_components.esp_weather.windows.crossing import (
    DAYS,
    STEP,
    Crossing,
    predict_crossing,
)

HYSTERESIS: Final = 0.5
DAY: Final = 24 * 60 // STEP
REACH: Final = 12 * 60 // STEP
HOUR: Final = 60 // STEP
HOLD: Final = 10 // STEP
MAXIMUM_GAP: Final = 3600
# Hours ahead, and minutes that a prediction may be off
BANDS: Final = ((0, 1, 15), (1, 3, 30), (3, 6, 60), (6, 12, 90))

type Differences = Sequence[float | None]
# The differences up to now, and whether it is warmer outside
type Method = Callable[[Differences, bool], Crossing | None]


class Change(NamedTuple):
    """A change: when the threshold was passed, and when that was known."""

    passed: float
    known: int


class Instant(NamedTuple):
    """An instant from which to predict, and how far the change was ahead, if any was."""

    at: int
    is_warmer: bool
    ahead: float | None


class House:
    """The differences between outside and inside, and their changes."""

    def __init__(self, name: str, differences: Sequence[float | None]) -> None:
        """Find the changes in a series of 5-minute differences."""
        self.name = name
        self.differences = differences
        # Whether it counts as warmer outside, None while that is not decided
        self.warmer: list[bool | None] = []
        self.changes: list[Change] = []
        self._known: list[int] = []
        self._gap: list[int] = []
        self._decide()

    def _decide(self) -> None:
        warmer: bool | None = None
        values = self.differences
        for at, value in enumerate(values):
            if value is None:
                warmer = None
            elif at >= HOLD:
                held = values[at - HOLD : at + 1]
                for candidate in (False, True):
                    sign = 1 if candidate else -1
                    if warmer is not candidate and all(
                        each is not None and sign * each >= HYSTERESIS for each in held
                    ):
                        if warmer is not None:
                            passed = self._passed(at - HOLD, sign)
                            self.changes.append(Change(passed, at))
                        warmer = candidate
            self.warmer.append(warmer)
        self._known = [change.known for change in self.changes]
        gap = len(values)
        for at in reversed(range(len(values))):
            if values[at] is None:
                gap = at
            self._gap.append(gap)
        self._gap.reverse()

    def _passed(self, at: int, sign: int) -> float:
        """Return when the threshold was passed that is exceeded at a time."""
        value, before = self.differences[at], self.differences[at - 1] if at else None
        if value is None or before is None or sign * before >= HYSTERESIS:
            return float(at)
        return at - 1 + (sign * HYSTERESIS - before) / (value - before)

    def instants(self, every: int) -> Iterator[Instant]:
        """Return the instants after the first day from which a change is predicted."""
        for at in range(DAY, len(self.differences), every):
            if (warmer := self.warmer[at]) is None:
                continue
            number = bisect_right(self._known, at)
            change = self.changes[number] if number < len(self.changes) else None
            latest = at + REACH + HOLD
            if change is None or change.known > min(latest, self._gap[at] - 1):
                # Unless the series ends or has a gap, nothing happens in 12 hours.
                if self._gap[at] > latest:
                    yield Instant(at, warmer, None)
            elif (ahead := change.passed - at) > 0:
                yield Instant(at, warmer, ahead if ahead <= REACH else None)


@dataclass
class Measure:
    """The quality of a method."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BANDS))
    hits: list[int] = field(default_factory=lambda: [0] * len(BANDS))
    soon: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    false: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    jumps: list[float] = field(default_factory=list)
    within: int = 0
    predicted: int = 0

    def add(self, other: Measure) -> None:
        """Add the figures of another house."""
        for number in range(len(BANDS)):
            self.counts[number] += other.counts[number]
            self.hits[number] += other.hits[number]
        for is_warmer in (False, True):
            self.soon[is_warmer] += other.soon[is_warmer]
            self.false[is_warmer] += other.false[is_warmer]
        self.jumps += other.jumps
        self.within += other.within
        self.predicted += other.predicted

    def shares(self) -> list[float]:
        """Return the share of good predictions of each band in percent."""
        return [_percent(hit, n) for hit, n in zip(self.hits, self.counts, strict=True)]

    def false_alarms(self, *, is_warmer: bool | None = None) -> float:
        """Return the share of false alarms in percent."""
        which = (False, True) if is_warmer is None else (is_warmer,)
        return _percent(
            sum(self.false[each] for each in which),
            sum(self.soon[each] for each in which),
        )

    def jump(self) -> float:
        """Return the 90th percentile of the jumps in minutes."""
        return quantiles(self.jumps, n=10)[-1] if len(self.jumps) > 1 else 0.0

    @override
    def __str__(self) -> str:
        """Return a line of the table."""
        shares = "".join(f"{share:6.1f}" for share in self.shares())
        return (
            f"{shares}  {self.false_alarms():6.1f}  {self.false_alarms(is_warmer=True):6.1f}"
            f"  {self.jump():5.0f}  {_percent(self.within, self.predicted):6.0f}"
        )


HEADER: Final = (
    f"{'':34}" + "".join(f"{f'{a}-{b} h':>6}" for a, b, _ in BANDS) + "   false  cooler"
    "   jump  within"
)


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 0.0


def measure(house: House, method: Method, *, every: int) -> Measure:
    """Return the quality of a method on one house, evaluated every so many steps."""
    result = Measure()
    before: tuple[int, float] | None = None
    for at, is_warmer, ahead in house.instants(every):
        known = house.differences[max(0, at - DAYS * DAY - 2 * HOUR) : at + 1]
        crossing = method(known, is_warmer)
        expected = None if crossing is None else crossing.expected / STEP
        if ahead is not None:
            band = next(n for n, (_, b, _) in enumerate(BANDS) if ahead <= b * HOUR)
            result.counts[band] += 1
            if crossing is not None and expected is not None:
                off = abs(expected - ahead)
                result.hits[band] += off <= BANDS[band][2] / STEP
                result.predicted += 1
                result.within += crossing.earliest <= ahead * STEP <= crossing.latest
        if expected is None:
            before = None
            continue
        if expected <= 3 * HOUR:
            result.soon[is_warmer] += 1
            result.false[is_warmer] += ahead is None or ahead > 6 * HOUR
        if before is not None and at - before[0] == 15 // STEP:
            result.jumps.append(STEP * abs(at + expected - before[1]))
        before = (at, at + expected)
    return result


def ours(differences: Differences, is_warmer: bool) -> Crossing | None:
    """Predict as the integration does."""
    return predict_crossing(differences, warmer=is_warmer, hysteresis=HYSTERESIS)


def as_yesterday(differences: Differences, is_warmer: bool) -> Crossing | None:
    """Predict the same course as 24 hours ago."""
    then = len(differences) - 1 - DAY
    return _first_pass(differences[then : then + REACH + 1], is_warmer)


def trend(differences: Differences, is_warmer: bool) -> Crossing | None:
    """Predict that the trend of the last hour continues."""
    last = differences[-HOUR - 1 :]
    if any(value is None for value in last):
        return None
    known = [value for value in last if value is not None]
    slope = sum((n - HOUR / 2) * value for n, value in enumerate(known)) / sum(
        (n - HOUR / 2) ** 2 for n in range(HOUR + 1)
    )
    return _first_pass([known[-1] + slope * n for n in range(REACH + 1)], is_warmer)


def profile(differences: Differences, is_warmer: bool) -> Crossing | None:
    """Predict the mean course of the last 7 days, shifted to the present value."""
    now = len(differences) - 1
    means: list[float | None] = []
    for ahead in range(REACH + 1):
        values = [
            value
            for at in range(now + ahead - DAY, max(now + ahead - 8 * DAY, -1), -DAY)
            if (value := differences[at]) is not None
        ]
        means.append(fmean(values) if values else None)
    if means[0] is None or (current := differences[now]) is None:
        return None
    shift = current - means[0]
    return _first_pass(
        [None if mean is None else mean + shift for mean in means], is_warmer
    )


def _first_pass(differences: Differences, is_warmer: bool) -> Crossing | None:
    sign = -1 if is_warmer else 1
    before: float | None = None
    for at, value in enumerate(differences):
        if value is None:
            return None
        if sign * value >= HYSTERESIS:
            minutes = float(STEP * at)
            if before is not None:
                minutes -= STEP * (value - sign * HYSTERESIS) / (value - before)
            return Crossing(minutes, minutes, minutes)
        before = value
    return None


METHODS: Final[dict[str, Method]] = {
    "next_change": ours,
    "as yesterday": as_yesterday,
    "trend": trend,
    "week's profile": profile,
}


def read(path: Path) -> House:
    """Read a series. Raises ValueError if the file is not one."""
    rows: list[tuple[float, float]] = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            try:
                time = datetime.fromisoformat(row["utc"])
                difference = float(row["outdoor"]) - float(row["indoor"])
            except (KeyError, TypeError, ValueError) as err:
                raise ValueError(f"{path}: {row} is no row of a series") from err
            rows.append((time.replace(tzinfo=UTC).timestamp(), difference))
    if not rows:
        raise ValueError(f"{path} has no rows")
    return House(path.stem, on_grid(rows))


def on_grid(rows: Sequence[tuple[float, float]]) -> list[float | None]:
    """Return values every 5 minutes, on straight lines between rows that are close."""
    step = STEP * 60
    start = rows[0][0]
    values: list[float | None] = [None] * (round((rows[-1][0] - start) // step) + 1)
    for (time, value), (next_time, next_value) in pairwise(rows):
        first = -(-(time - start) // step)
        if next_time - time > MAXIMUM_GAP:
            next_time = time + 1
        while (now := start + first * step) < next_time:
            part = (now - time) / (next_time - time)
            values[round(first)] = value + part * (next_value - value)
            first += 1
    if values and (rows[-1][0] - start) % step == 0:
        values[-1] = rows[-1][1]
    return values


def synthetic(seed: int, *, days: int = 60, is_heated: bool = False) -> House:
    """Simulate a house in a simulated climate, the same for the same seed.

    Clouds and fronts change from day to day, somebody opens windows. A heated one
    stands in winter.
    """
    random = Random(seed)
    mean = random.uniform(-3, 4) if is_heated else random.uniform(15, 24)
    swing = random.uniform(1, 3) if is_heated else random.uniform(3, 8)
    slow, fast = random.uniform(40, 120), random.uniform(3, 10)
    sun, gain = random.uniform(0.2, 1.2), random.uniform(0, 0.4)
    front = cloud = gust = 0.0
    inside = 20.0 if is_heated else mean + 2
    differences: list[float | None] = []
    clear, is_open = 1.0, False
    for at in range(days * DAY):
        hour = at % DAY / HOUR
        if hour == 0:
            clear = random.uniform(0.3, 1.0)
        front += -front / (4 * DAY) + random.gauss(0, 3) * (2 / (4 * DAY)) ** 0.5
        cloud += -cloud / (2 * HOUR) + random.gauss(0, 0.6) * (1 / HOUR) ** 0.5
        gust += -gust / 3 + random.gauss(0, 0.05)
        # The warmest is at 15, the coldest towards the morning.
        outside = mean + front + cloud + clear * swing * sin(2 * pi * (hour - 9) / 24)
        if at % HOUR == 0 and not is_heated and random.random() < 0.7:
            is_open = outside < inside and inside > 21
        hours = fast if is_open else slow
        inside += (outside - inside) / (hours * HOUR)
        inside += (gain + sun * clear * max(0.0, sin(pi * (hour - 6) / 12))) / HOUR
        if is_heated and inside < 20.5:
            inside += 0.6 / HOUR * exp(-max(0.0, inside - 19.5))
            inside = max(inside, 19.5)
        differences.append(outside + gust - inside)
    return House(f"{'heated' if is_heated else 'synthetic'}_{seed}", differences)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--every", type=int, default=15, metavar="MINUTES")
    parser.add_argument(
        "--synthetic", action="store_true", help="12 made-up houses, 2 of them heated"
    )
    arguments = parser.parse_args()
    houses: list[House] = []
    if arguments.folder is not None:
        houses += [read(path) for path in sorted(arguments.folder.glob("*.csv"))]
    if arguments.synthetic:
        houses += [synthetic(seed) for seed in range(10)]
        houses += [synthetic(seed, is_heated=True) for seed in range(2)]
    if not houses:
        parser.error("no series: name a folder with CSV files, or --synthetic")
    print(HEADER)
    totals = {name: Measure() for name in METHODS}
    seconds = calls = 0.0
    for house in houses:
        for name, method in METHODS.items():
            began = perf_counter()
            result = measure(house, method, every=arguments.every // STEP)
            if method is ours:
                seconds += perf_counter() - began
                calls += sum(1 for _ in house.instants(arguments.every // STEP))
            totals[name].add(result)
            print(f"{house.name[:18]:19}{name:15}{result}")
    for name, total in totals.items():
        print(f"{'together':19}{name:15}{total}")
    print(f"A prediction takes {1000 * seconds / calls:.2f} ms.")


if __name__ == "__main__":
    main()
