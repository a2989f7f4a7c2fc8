"""Reading an old server's file on its own, partly driven by hypothesis."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from statistics import fmean
import tracemalloc

from hypothesis import HealthCheck, example, given, settings, strategies as st
import pytest

from custom_components.esp_weather.history.reader import HistoryError, Hour, OldHistory
from tests.helpers import INDOOR, KEY, OUTDOOR
from tests.old_server import OldServer

END = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HEADER = "Id,API_key,date_time,mac,field,data\n"
SOURCES = {(OUTDOOR, 1): float, (OUTDOOR, 2): float, (INDOOR, 1): float}

# The file is written anew for each example.
one_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
zones = st.integers(-14 * 60, 14 * 60).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
times = st.datetimes(
    datetime(2001, 1, 2), datetime(2026, 11, 23), timezones=zones, allow_imaginary=False
)
readings = st.tuples(
    times
    # Many in the same few hours
    | st.integers(0, 5 * 3600).map(
        lambda second: datetime(2019, 5, 1, tzinfo=UTC) + timedelta(seconds=second)
    ),
    st.sampled_from(list(SOURCES)),
    st.floats(-1e6, 1e6).map(lambda value: round(value, 4)),
)


@contextmanager
def _history(path: Path, mac: str | None = None) -> Generator[OldHistory]:
    """Read a file."""
    history = OldHistory(SOURCES, END.timestamp())
    try:
        history.read(path, mac, lambda done: None)
        yield history
    finally:
        history.close()


def _row(time: str, mac: str, field: object, data: object) -> str:
    return f"1,{KEY},{time},{mac},{field},{data}\n"


@one_folder
@given(st.lists(readings))
def test_hours(
    tmp_path: Path, readings: list[tuple[datetime, tuple[str, int], float]]
) -> None:
    """Readings in any order and any zone give what plain Python finds."""
    database = tmp_path / "data.db"
    database.unlink(missing_ok=True)
    OldServer(database, KEY, ()).fill(
        (time, *source, value) for time, source, value in readings
    )
    file = tmp_path / "data.csv"
    file.write_text(
        HEADER
        + "".join(
            _row(time.isoformat(), *source, value) for time, source, value in readings
        )
    )
    expected = defaultdict(list)
    for time, source, value in readings:
        hour = time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        expected[source, int(hour.timestamp())].append(value)

    for path in (database, file):
        with _history(path) as history:
            assert (history.lines, history.bad_lines) == (len(readings), 0)
            all_series = history.series()
            assert sum(series.readings for series in all_series) == len(readings)
            found = {
                (series.source, hour.start): (hour.mean, hour.minimum, hour.maximum)
                for series in all_series
                for hour in history.hours(series.source)
            }
        assert list(found) == sorted(
            found, key=lambda key: (list(SOURCES).index(key[0]), key[1])
        )
        for key, (mean, minimum, maximum) in found.items():
            assert mean == pytest.approx(fmean(expected[key]), rel=1e-9, abs=1e-6)
            assert (minimum, maximum) == (min(expected[key]), max(expected[key]))
            assert minimum <= mean <= maximum
        assert found.keys() == expected.keys()


@one_folder
@given(
    st.binary()
    | st.binary().map(lambda tail: HEADER.encode() + tail)
    | st.binary().map(lambda tail: b"created_at,field1,field2,field3\n" + tail)
    | st.binary().map(lambda tail: b"SQLite format 3\0" + tail)
)
@example(b"date_time,mac,field,data\n\n,\n")
@example(b"created_at\n2019-05-01T12:00:00Z\n")
@example(HEADER.encode() + b'"' * 10_000 + b"\n")
def test_any_file(tmp_path: Path, content: bytes) -> None:
    """Any file is read, or refused with one of the errors."""
    path = tmp_path / "file"
    path.write_bytes(content)
    error = None
    try:
        with _history(path, OUTDOOR) as history:
            assert history.bad_lines <= history.lines <= len(content.splitlines())
    except HistoryError as err:
        error = err.reason
    assert error in {None, "history_unknown_format", "history_unreadable"}


@one_folder
@given(st.text(st.characters(exclude_characters='",\r\n', exclude_categories=["Cs"])))
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31T23:59:59-14:00")
@example("2001-01-01T00:59:59+01:00")
@example("2019-05-01")
@example(" UTC")
def test_any_time(tmp_path: Path, time: str) -> None:
    """A time is taken, too new, or a fault; nothing else."""
    path = tmp_path / "data.csv"
    path.write_text(HEADER + _row(time, OUTDOOR, 1, 20))
    with _history(path) as history:
        taken = sum(series.readings for series in history.series())
        assert taken + history.too_new + history.bad_lines == 1
        for line in history.first_bad_lines:
            assert line.number == 2
            assert line.reason.reason in {
                "invalid_time",
                "time_not_set",
                "time_without_zone",
            }


@pytest.mark.parametrize(
    ("time", "hour"),
    [
        ("2019-05-01T12:34:56.123456+00:00", 12),
        ("2019-05-01T12:34:56Z", 12),
        ("2019-05-01 12:34:56 UTC", 12),
        ("2019-05-01T12:34:56-04:00", 16),
        ("2019-05-01T12:34:56+05:30", 7),
        ("2019-05-01T12:59:59.999999+00:00", 12),
        (" 2019-05-01T13:00:00+00:00 ", 13),
    ],
)
def test_times(tmp_path: Path, time: str, hour: int) -> None:
    """Times are taken as the old servers wrote them."""
    path = tmp_path / "data.csv"
    path.write_text(HEADER + _row(time, OUTDOOR, 1, 20))
    with _history(path) as history:
        start = int(datetime(2019, 5, 1, hour, tzinfo=UTC).timestamp())
        assert list(history.hours((OUTDOOR, 1))) == [Hour(start, 20.0, 20.0, 20.0)]


def _each_in_its_hour(lines: int) -> Iterable[str]:
    for line in range(lines):
        time = datetime(2002, 1, 1, tzinfo=UTC) + line * timedelta(hours=1)
        yield _row(time.isoformat(), OUTDOOR, 1 + line % 2, line)


def _each_of_its_own_station(lines: int) -> Iterable[str]:
    for line in range(lines):
        yield _row("2019-05-01T12:00:00Z", f"02{line:010}", 1, line)


def _each_with_a_fault(lines: int) -> Iterable[str]:
    for line in range(lines):
        yield _row(f"yesterday {line}", OUTDOOR, 1, line)


def _in_one_line(lines: int) -> Iterable[str]:
    yield "x" * 50 * lines


@pytest.mark.parametrize(
    "content",
    [_each_in_its_hour, _each_of_its_own_station, _each_with_a_fault, _in_one_line],
)
def test_memory(tmp_path: Path, content: Callable[[int], Iterable[str]]) -> None:
    """Memory does not grow with the file; the hours are on disk, with sqlite."""
    peaks = []
    for lines in (5_000, 20_000):
        path = tmp_path / f"{lines}.csv"
        with path.open("w") as file:
            file.write(HEADER)
            file.writelines(content(lines))
        tracemalloc.start()
        with _history(path) as history:
            peaks.append(tracemalloc.get_traced_memory()[1])
            assert len(history.first_bad_lines) <= 20
            assert len(history.unknown_sources) <= 100
        tracemalloc.stop()

    assert peaks[1] < peaks[0] + 20_000


def test_what_is_shown(tmp_path: Path) -> None:
    """The first faults and unknown stations are named, and all are counted."""
    path = tmp_path / "data.csv"
    with path.open("w") as file:
        file.write(HEADER)
        file.writelines(_each_with_a_fault(1_000))
        file.writelines(_each_of_its_own_station(1_000))
        file.writelines(_each_of_its_own_station(50))
    with _history(path) as history:
        assert (history.lines, history.bad_lines) == (2_050, 1_000)
        assert [line.number for line in history.first_bad_lines] == list(range(2, 22))
        assert history.unknown == 1_050
        assert len(history.unknown_sources) == 100
        assert sum(history.unknown_sources.values()) == 150


def test_long_line(tmp_path: Path) -> None:
    """What is longer than a line can be is cut off, and the count goes on."""
    path = tmp_path / "data.csv"
    row = _row("2019-05-01T12:00:00Z", OUTDOOR, 1, 20)
    path.write_text(
        HEADER + row[:-1] + "," + 10_000 * "x" + "\n" + 9_999 * "x" + "\nx\n" + row
    )
    with _history(path) as history:
        assert history.lines == 4
        assert [line.number for line in history.first_bad_lines] == [3, 4]
        assert history.series()[0].readings == 2


def test_stop(tmp_path: Path) -> None:
    """Who stops the reading need not wait for the end of the file."""
    path = tmp_path / "data.csv"
    with path.open("w") as file:
        file.write(HEADER)
        file.writelines(_each_in_its_hour(50_000))
    history = OldHistory(SOURCES, END.timestamp())
    done: list[float] = []

    def stop(part: float) -> None:
        done.append(part)
        history.stop()

    history.read(path, None, stop)

    assert len(done) == 1
    assert done[0] == pytest.approx(0.2, abs=0.02)
    assert history.lines == 10_000
    history.close()
