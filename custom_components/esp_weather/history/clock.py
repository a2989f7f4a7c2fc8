"""Parses the times in files of readings into seconds since 1970."""

from collections.abc import Hashable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import repeat
from operator import sub
import re
from typing import Any, Final

from ..protocol.readings import Reason, ReportError

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
# A clock that is not set starts in 1970, that of MicroPython in 2000.
FIRST_TIME: Final = datetime(2001, 1, 1, tzinfo=UTC).timestamp()
_LAST_TIME: Final = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
# The format of spreadsheets where the day comes first
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})[ T]+(\d{1,2}:\d\d.*)")
_SHORT_HOUR: Final = re.compile(r"(\d{4}-\d\d-\d\d)[ T]+(\d:\d\d.*)")


class Clock:
    """Parses times; those without a time zone are taken to be in `zone`."""

    def __init__(self, zone: tzinfo | None) -> None:
        """Initialize; without `zone`, times that have none are faults."""
        self._zone = zone
        # Times without a zone, those of an hour that was skipped when the clocks
        # were put forward, and those of an hour that came twice
        self.without_zone = 0
        self.skipped = 0
        self.doubled = 0
        self._last_doubled: dict[Hashable, tuple[datetime, int]] = {}

    def parse(self, text: str, source: Hashable = None) -> float:
        """Return the time in seconds since 1970.

        `source` identifies a series with an order of its own. In an hour that occurs
        twice, a time that is not later than the previous one of its source belongs to
        the second occurrence. Raises ReportError.
        """
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            parsed = _parse_other(text.strip())
            if isinstance(parsed, float):
                return parsed
            time = parsed
        seconds = self._local(time, source) if time.tzinfo is None else time.timestamp()
        if seconds < FIRST_TIME:
            raise ReportError(Reason.TIME_NOT_SET)
        return seconds

    def _local(self, time: datetime, source: Hashable) -> float:
        self.without_zone += 1
        if self._zone is None:
            raise ReportError(Reason.TIME_WITHOUT_ZONE)
        first = time.replace(tzinfo=self._zone, fold=0).timestamp()
        second = time.replace(tzinfo=self._zone, fold=1).timestamp()
        if first == second:
            return first
        if first > second:
            # A clock that was not put forward: its 2:30 is 3:30.
            self.skipped += 1
            return first
        self.doubled += 1
        last, fold = self._last_doubled.get(source, (None, 0))
        if last is not None and last.date() != time.date():
            fold = 0
        elif last is not None and time <= last:
            fold = 1
        self._last_doubled[source] = (time, fold)
        return second if fold else first


def parse_all(texts: Iterable[Any]) -> list[float]:
    """Return times in seconds since 1970, ten times as fast as Clock.parse() one by one.

    Raises TypeError, ValueError or OverflowError unless all are in ISO 8601, with a zone,
    and of a clock that was set.
    """
    times = map(datetime.fromisoformat, texts)
    # A time without a zone has no difference to one with a zone.
    differences = map(sub, times, repeat(_EPOCH))
    seconds = list(map(timedelta.total_seconds, differences))
    if min(seconds) < FIRST_TIME:
        raise ValueError
    return seconds


def is_time(text: str) -> bool:
    """Return whether a cell holds a time, with or without a zone."""
    try:
        Clock(UTC).parse(text)
    except ReportError as err:
        return err.reason is Reason.TIME_NOT_SET
    return True


def _parse_other(text: str) -> datetime | float:
    """Return a time in one of the other forms. Raises ReportError."""
    zone = ""
    if text.endswith((" UTC", " GMT")):
        text, zone = text[:-4], "+00:00"
    if match := _DAY_FIRST.fullmatch(text):
        day, month, year, rest = match.groups()
        text = f"{year}-{month:0>2}-{day:0>2} {rest}"
    if match := _SHORT_HOUR.fullmatch(text):
        text = "{} 0{}".format(*match.groups())
    try:
        return datetime.fromisoformat(text + zone)
    except ValueError:
        pass
    try:
        seconds = float(text)
    except ValueError:
        raise ReportError(Reason.INVALID_TIME) from None
    for unit in (1.0, 1000.0):  # JavaScript counts milliseconds.
        if FIRST_TIME <= seconds / unit < _LAST_TIME:
            return seconds / unit
    raise ReportError(Reason.INVALID_TIME)
