"""Formats figures, and tables of them in Markdown."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; all columns but the first are aligned to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def middle[T](measured: Iterable[T], figure: Callable[[T], float]) -> float:
    """Return the median of a figure over the rounds."""
    return median(map(figure, measured))


def ratio[T](
    measured: Sequence[T], reference: Sequence[T], figure: Callable[[T], float]
) -> str:
    """Return the ratio of a figure to the reference in the same round.

    The median over the rounds, and in brackets the minimum and the maximum.
    """
    ratios = [
        figure(one) / figure(other)
        for one, other in zip(measured, reference, strict=True)
    ]
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def duration(seconds: float) -> str:
    """Return a time with a suitable unit."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.{1 if seconds < 0.1 else 0}f} ms"
    return f"{seconds:.1f} s"


def percentile(times: Sequence[float], percent: float) -> float:
    """Return the time that `percent` per cent of `times` do not exceed."""
    return sorted(times)[min(len(times) - 1, int(len(times) * percent / 100))]
