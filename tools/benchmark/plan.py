"""How much to measure: everything, or just enough to see the ratios."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Rounds and seconds of each part."""

    rounds: int
    seconds: int
    bursts: int
    long_runs: int
    long_run: int
    trickles: int
    trickle: int
    stations: tuple[int, ...]
    reports: int
    imports: int


FULL = Plan(
    rounds=15,
    seconds=1,
    bursts=3,
    long_runs=2,
    long_run=15,
    trickles=2,
    trickle=10,
    stations=(1, 10, 100, 1000),
    reports=400,
    imports=3,
)
QUICK = Plan(
    rounds=2,
    seconds=1,
    bursts=1,
    long_runs=1,
    long_run=10,
    trickles=1,
    trickle=5,
    stations=(1, 100),
    reports=100,
    imports=1,
)
