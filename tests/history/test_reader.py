"""The reader of files, partly driven by hypothesis."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
import random
import sqlite3
from statistics import fmean
import tracemalloc
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, example, given, settings, strategies as st
import pytest

from custom_components.esp_weather.history import hours
from custom_components.esp_weather.history.errors import HistoryError, StoppedError
from custom_components.esp_weather.history.hours import MeanHour
from custom_components.esp_weather.history.reader import HistoryReader, Source, Target
from tests.helpers import INDOOR, KEY, OUTDOOR
from tests.old_server import OldServer

END = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HEADER = "Id,API_key,date_time,mac,field,data\n"
TIMEOUT = 900.0
TARGET = Target(float, TIMEOUT)
SOURCES = [Source(OUTDOOR, "1"), Source(OUTDOOR, "2"), Source(INDOOR, "1")]
BERLIN = ZoneInfo("Europe/Berlin")

# The file is rewritten for each example.
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
    st.sampled_from(SOURCES),
    st.floats(-1e6, 1e6).map(lambda value: round(value, 4)),
)


@contextmanager
def _read(
    path: Path, targets: Iterable[Source] = SOURCES, zone: tzinfo | None = None
) -> Generator[HistoryReader]:
    """Read a file."""
    reader = HistoryReader(dict.fromkeys(targets, TARGET), END.timestamp(), zone)
    try:
        reader.read(path, lambda done: None)
        yield reader
    finally:
        reader.close()


def _hours(reader: HistoryReader, source: Source) -> list[MeanHour]:
    found = reader.store.read(reader.hours[source])
    return [hour for hour in found if isinstance(hour, MeanHour)]


def _found(reader: HistoryReader) -> dict[str, tuple[int, float, float]]:
    """Return number, lowest and highest value of each source."""
    return {
        f"{source.mac} {source.column}".strip(): (
            found.readings,
            found.lowest,
            found.highest,
        )
        for source, found in reader.sources.items()
    }


def _faults(reader: HistoryReader) -> list[tuple[int, str, str, str, int]]:
    return [
        (fault.line, fault.column, fault.value, fault.error.reason, fault.count)
        for fault in reader.first_faults
    ]


def _row(time: str, mac: str, field: object, data: object) -> str:
    return f"1,{KEY},{time},{mac},{field},{data}\n"


def _expected(values: Sequence[tuple[float, float]]) -> dict[int, Any]:
    """Return the hours of readings, computed step by step from the whole list."""
    # Of those at the same time, the last one counts; all are seen.
    ordered = sorted(values, key=lambda value: value[0])
    periods: defaultdict[int, list[float]] = defaultdict(list)
    means: defaultdict[int, list[float]] = defaultdict(list)
    starts = {int(time // 300) * 300 for time, _ in ordered}
    for time, _ in ordered:
        start = int(time // 300) * 300
        while start <= time + TIMEOUT:
            starts.add(start)
            start += 300
    for start in sorted(starts):
        before = [value for value in ordered if value[0] < start]
        inside = [value for value in ordered if start <= value[0] < start + 300]
        if before and start <= before[-1][0] + TIMEOUT:
            inside.insert(0, (start, before[-1][1]))
        if not inside:
            continue
        area = sum(
            value * (until - since)
            for (since, value), (until, _) in zip(
                inside, [*inside[1:], (start + 300, 0)], strict=True
            )
        )
        hour = start // 3600 * 3600
        means[hour].append(area / (start + 300 - inside[0][0]))
        periods[hour] += [value for _, value in inside]
    return {
        hour: (fmean(means[hour]), min(periods[hour]), max(periods[hour]))
        for hour in means
    }


@one_folder
@given(st.lists(readings), st.sampled_from(["as they are", "in order", "reversed"]))
def test_hours(
    tmp_path: Path, readings: list[tuple[datetime, Source, float]], order: str
) -> None:
    """Readings in any zone and order give the same as plain Python."""
    if order != "as they are":
        readings.sort(key=lambda reading: reading[0], reverse=order == "reversed")
    # What comes in between others in the middle of a period is only known about.
    is_exact = order != "as they are" or len(readings) < 3
    database = tmp_path / "data.db"
    database.unlink(missing_ok=True)
    OldServer(database, KEY, ()).fill(
        (time, source.mac, int(source.column), value)
        for time, source, value in readings
    )
    file = tmp_path / "data.csv"
    file.write_text(
        HEADER
        + "".join(
            _row(time.isoformat(), *source, value) for time, source, value in readings
        )
    )
    if len({time for time, _, _ in readings}) < len(readings):
        is_exact = False

    for path in (database, *([file] if readings else [])):
        with _read(path) as reader:
            assert (reader.lines, reader.faults) == (len(readings), 0)
            for source in SOURCES:
                expected = _expected(
                    [
                        (time.timestamp(), value)
                        for time, of, value in readings
                        if of == source
                    ]
                )
                found = {hour.start: hour[1:] for hour in _hours(reader, source)}
                assert list(found) == sorted(expected)
                for hour, (mean, minimum, maximum) in found.items():
                    assert (minimum, maximum) == expected[hour][1:]
                    assert minimum <= mean <= maximum
                    if is_exact:
                        assert mean == pytest.approx(expected[hour][0], abs=1e-4)


@pytest.mark.parametrize(
    ("shuffled", "most_runs"), [(False, 10_000), (True, 10_000), (True, 50)]
)
def test_order_matters_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shuffled: bool, most_runs: int
) -> None:
    """A file in any order gives means that differ by little, in bounded memory."""
    monkeypatch.setattr(hours, "_MOST_RUNS", most_runs)
    start = datetime(2019, 5, 1, tzinfo=UTC)
    rows = [
        (start + timedelta(seconds=30 * number), OUTDOOR, 1, number % 17 / 10)
        for number in range(2000)
    ]
    if shuffled:
        random.Random(1).shuffle(rows)
    server = OldServer(tmp_path / "data.db", KEY, ())
    server.fill(rows)
    expected = _expected([(time.timestamp(), value) for time, _, _, value in rows])
    with _read(server.database) as reader:
        for hour in _hours(reader, SOURCES[0]):
            assert hour[1:] == pytest.approx(expected[hour.start], abs=0.05)


@one_folder
@given(
    st.binary()
    | st.binary().map(lambda tail: HEADER.encode() + tail)
    | st.binary().map(lambda tail: b"created_at,field1,field2,field3\n" + tail)
    | st.binary().map(lambda tail: "Zeit;T;F\n".encode("utf-16") + tail)
    | st.binary().map(lambda tail: b"SQLite format 3\0" + tail)
)
@example(b"date_time,mac,field,data\n\n,\n")
@example(b"created_at\n2019-05-01T12:00:00Z\n")
@example(b"sep=;\n")
@example(HEADER.encode() + b'"' * 10_000 + b"\n")
@example(b"date,time,t\n2019-05-01\n2019-05-01,12:00,3\n")
@example(b"a,b\n" + b"2019-05-01 12:00,1_0\n2019-05-01 12:00,1e999\n")
def test_any_file(tmp_path: Path, content: bytes) -> None:
    """Any file is read, or refused with one of the errors."""
    path = tmp_path / "file"
    path.write_bytes(content)
    error = None
    try:
        with _read(path) as reader:
            assert reader.lines <= len(content.splitlines())
    except HistoryError as err:
        error = err.reason
    assert error in {None, "history_unknown_format", "history_unreadable"}


@one_folder
@given(st.text(st.characters(exclude_characters='",\r\n', exclude_categories=["Cs"])))
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31T23:59:59-14:00")
@example("9999-12-31T23:59:59")
@example("0001-01-01T00:00:00")
@example("2001-01-01T00:59:59+01:00")
@example("2019-05-01")
@example(" UTC")
@example("1e400")
def test_any_time(tmp_path: Path, time: str) -> None:
    """A time is accepted, too new, or a fault; nothing else happens."""
    path = tmp_path / "data.csv"
    path.write_text(HEADER + _row(time, OUTDOOR, 1, 20))
    for zone in (None, BERLIN):
        with _read(path, zone=zone) as reader:
            taken = reader.hours[SOURCES[0]].readings
            assert taken + reader.too_new + reader.faults == 1
            for fault in reader.first_faults:
                assert fault.line == 2
                assert fault.error.reason in {
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
        ("01.05.2019 12:34 UTC", 12),
        ("2019-05-01 9:34 UTC", 9),
        ("1556714096", 12),
        ("1556714096123", 12),
        ("2019-05-01T12:34:56-04:00", 16),
        ("2019-05-01T12:34:56+05:30", 7),
        ("2019-05-01T12:59:59.999999+00:00", 12),
        (" 2019-05-01T13:00:00+00:00 ", 13),
        ("2019-05-01T12:34:56", 10),
        ("1.5.2019 12:34", 10),
    ],
)
def test_times(tmp_path: Path, time: str, hour: int) -> None:
    """Times are accepted as servers and spreadsheets write them."""
    path = tmp_path / "data.csv"
    path.write_text(HEADER + _row(time, OUTDOOR, 1, 20))
    with _read(path, zone=BERLIN) as reader:
        start = int(datetime(2019, 5, 1, hour, tzinfo=UTC).timestamp())
        assert _hours(reader, SOURCES[0])[0] == MeanHour(start, 20.0, 20.0, 20.0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (_row("2019-05-02T12:00:00Z", OUTDOOR, 1, "1_0"), "invalid_data"),
        (_row("2019-05-02T12:00:00Z", OUTDOOR, 1, "inf"), "invalid_data"),
        (_row("1970-01-01T00:00:09Z", OUTDOOR, 1, "20"), "time_not_set"),
        (_row("2019-05-02T12:00:00Z", OUTDOOR, "1.0", "1.5"), None),
        (_row("2019-05-02T12:00:00Z", INDOOR, 1, "20"), None),
    ],
)
def test_irregular_line(tmp_path: Path, line: str, reason: str | None) -> None:
    """A line that is unlike thousands around it is read, or refused, by itself."""
    start = datetime(2019, 5, 1, tzinfo=UTC)
    regular = [
        _row(f"{start + timedelta(seconds=number)}", OUTDOOR, 1, 20)
        for number in range(4_000)
    ]
    path = tmp_path / "data.csv"
    path.write_text("".join([HEADER, *regular[:2_500], line, *regular[2_500:]]))
    with _read(path) as reader:
        assert [fault.error.reason for fault in reader.first_faults] == (
            [reason] if reason else []
        )
        taken = sum(hours.readings for hours in reader.hours.values())
        assert taken == 4_000 + (reason is None)


def test_clock_changes(tmp_path: Path) -> None:
    """A doubled hour is told apart by its order; a skipped one becomes the next."""
    path = tmp_path / "data.csv"
    times = [
        "2019-03-31T01:30",
        "2019-03-31T02:30",  # is skipped
        "2019-10-27T02:10",
        "2019-10-27T02:40",
        "2019-10-27T02:10",  # for the second time
        "2019-10-27T02:40",
        "2019-10-27T03:10",
        "2020-10-25T02:10",
    ]
    path.write_text(
        HEADER
        + "".join(
            _row(time, OUTDOOR, 1, number) + _row(time, OUTDOOR, 2, number)
            for number, time in enumerate(times)
        )
    )
    with _read(path, zone=BERLIN) as reader:
        for source in SOURCES[:2]:
            assert [
                (datetime.fromtimestamp(hour.start, UTC), hour.minimum)
                for hour in _hours(reader, source)
            ] == [
                (datetime(2019, 3, 31, 0, tzinfo=UTC), 0),
                (datetime(2019, 3, 31, 1, tzinfo=UTC), 1),
                (datetime(2019, 10, 27, 0, tzinfo=UTC), 2),
                (datetime(2019, 10, 27, 1, tzinfo=UTC), 4),
                (datetime(2019, 10, 27, 2, tzinfo=UTC), 6),
                (datetime(2020, 10, 25, 0, tzinfo=UTC), 7),
            ]
        clock = reader.clock
        assert (clock.without_zone, clock.skipped, clock.doubled) == (16, 2, 10)


@pytest.mark.parametrize(
    ("content", "found", "faults"),
    [
        pytest.param(
            "created_at,entry_id,field1,field2,status;;;\n"
            "2019-05-01 12:00:10 UTC;1;21,5;40;\n"
            "2019-05-01 12:10:10 UTC;2;22,5;off;late\n",
            {"field1": (2, 21.5, 22.5), "field2": (1, 40.0, 40.0)},
            [(3, "field2", "off", "invalid_data", 1)],
            id="an export of ThingSpeak, saved again by a spreadsheet",
        ),
        pytest.param(
            "created_at,entry_id,field1,field2,latitude,status\n"
            "2019-05-01 12:00:10 UTC,1,21.5,door open,48.1,x\n",
            {"field1": (1, 21.5, 21.5)},
            [(2, "field2", "door open", "invalid_data", 1)],
            id="a field with text",
        ),
        pytest.param(
            "sep=;\r\nDatum;Uhrzeit;Temperatur\r\n01.05.2019 14:00;x; 21,5 \r\n",
            {"Temperatur": (1, 21.5, 21.5)},
            [(3, "Uhrzeit", "x", "invalid_data", 1)],
            id="decimal comma, blanks and sep=",
        ),
        pytest.param(
            "Date\tTime\tTemperature\tHumidity\n2019-05-01\t14:00\t21.5\t40\n",
            {"Temperature": (1, 21.5, 21.5), "Humidity": (1, 40.0, 40.0)},
            [],
            id="date and time apart, with tabs",
        ),
        pytest.param(
            'Temperature,"When, local"\n21.5,2019-05-01 14:00\n"22,5",x\n',
            {"Temperature": (1, 21.5, 21.5)},
            [(3, "", "x", "invalid_time", 1)],
            id="time in any column",
        ),
        pytest.param(
            "entity_id,state,last_changed\n"
            "sensor.outdoor_temperature,21.5,2019-05-01T12:00:00.000Z\n"
            "sensor.outdoor_temperature,unavailable,2019-05-01T12:01:00.000Z\n",
            {"sensor.outdoor_temperature": (1, 21.5, 21.5)},
            [(3, "sensor.outdoor_temperature", "unavailable", "invalid_data", 1)],
            id="download of the history page",
        ),
        pytest.param(
            f"date_time,mac,field,data\n 2019-05-01T12:00:00Z , {OUTDOOR} , 1.0 , 2 \n",
            {f"{OUTDOOR} 1": (1, 2.0, 2.0)},
            [],
            id="field as a spreadsheet has it",
        ),
        pytest.param(
            "mac;field;data;date;time\n"
            f"{OUTDOOR};1;21,5;01.05.2019;14:00\n"
            f"{OUTDOOR};1;22,5;01.05.2019;25:00\n"
            f"{OUTDOOR};1;23,5\n",
            {f"{OUTDOOR} 1": (1, 21.5, 21.5)},
            [(3, "date_time", "01.05.2019 25:00", "invalid_time", 2)],
            id="the old server's columns with date and time apart",
        ),
    ],
)
def test_tables(
    tmp_path: Path,
    content: str,
    found: dict[str, tuple[int, float, float]],
    faults: list[tuple[int, str, str, str, int]],
) -> None:
    """Tables are recognized in each layout and encoding."""
    path = tmp_path / "table.csv"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        path.write_bytes(content.encode(encoding))
        with _read(path, zone=BERLIN) as reader:
            assert _found(reader) == found
            assert _faults(reader) == faults


def test_old_encoding(tmp_path: Path) -> None:
    """Names of columns are readable if a program has not written UTF-8."""
    path = tmp_path / "table.csv"
    path.write_bytes("time,Küche\n2019-05-01T12:00:00Z,20\n".encode("cp1252"))
    with _read(path) as reader:
        assert _found(reader) == {"Küche": (1, 20.0, 20.0)}


def _each_in_its_hour(lines: int) -> Iterable[str]:
    for line in range(lines):
        time = datetime(2002, 1, 1, tzinfo=UTC) + line * timedelta(hours=1)
        yield _row(time.isoformat(), OUTDOOR, 1 + line % 2, line)


def _each_of_its_own_station(lines: int) -> Iterable[str]:
    for line in range(lines):
        yield _row("2019-05-01T12:00:00Z", f"02{line:010}", 1, line)


def _each_with_a_fault(lines: int) -> Iterable[str]:
    for line in range(lines):
        yield _row(f"yesterday {line}", OUTDOOR, line, line)


def _in_one_line(lines: int) -> Iterable[str]:
    yield "x" * 50 * lines


def _in_no_order(lines: int) -> Iterable[str]:
    for line in range(lines):
        second = line * 7919 % 86_400
        time = datetime(2019, 5, 1, tzinfo=UTC) + timedelta(seconds=second)
        yield _row(time.isoformat(), OUTDOOR, 1, line)


@pytest.mark.parametrize(
    "content",
    [
        _each_in_its_hour,
        _each_of_its_own_station,
        _each_with_a_fault,
        _in_one_line,
        _in_no_order,
    ],
)
def test_memory(tmp_path: Path, content: Callable[[int], Iterable[str]]) -> None:
    """Memory does not grow with the file: SQLite keeps the hours on disk."""
    peaks = []
    for lines in (15_000, 45_000):
        path = tmp_path / f"{lines}.csv"
        with path.open("w") as file:
            file.write(HEADER)
            file.writelines(content(lines))
        tracemalloc.start()
        with _read(path) as reader:
            peaks.append(tracemalloc.get_traced_memory()[1])
            assert len(reader.first_faults) <= 20
            assert len(reader.sources) <= 103
        tracemalloc.stop()

    assert peaks[1] < peaks[0] + 300_000


def test_what_is_shown(tmp_path: Path) -> None:
    """The first sources and faults are named, and all are counted."""
    path = tmp_path / "data.csv"
    with path.open("w") as file:
        file.write(HEADER)
        file.writelines(_each_with_a_fault(1_000))
        file.writelines(_each_of_its_own_station(1_000))
        file.writelines(_each_of_its_own_station(50))
    with _read(path, []) as reader:
        assert (reader.lines, reader.faults) == (2_050, 1_000)
        assert _faults(reader) == [
            (2, "field", "0", "invalid_field", 991),
            (3, "date_time", "yesterday 1", "invalid_time", 9),
        ]
        # Nine had no reading that counts.
        assert len(reader.sources) == 91
        assert reader.unlisted == 909


def test_many_sorts_of_faults(tmp_path: Path) -> None:
    """A report stays short however many kinds of fault a file has."""
    path = tmp_path / "data.csv"
    columns = [f"t{number}" for number in range(30)]
    path.write_text(
        f"time,{','.join(columns)}\n2019-05-01T12:00:00Z,{','.join(30 * ['x'])}\n"
    )
    with _read(path) as reader:
        assert reader.faults == 30
        assert [fault.column for fault in reader.first_faults] == columns[:20]


def test_long_line(tmp_path: Path) -> None:
    """A line that is too long is cut off, and the line numbers stay right."""
    path = tmp_path / "data.csv"
    row = _row("2019-05-01T12:00:00Z", OUTDOOR, 1, 20)
    path.write_text(
        HEADER + row[:-1] + "," + 100_000 * "x" + "\n" + 9_999 * "x" + "\nx\n" + row
    )
    with _read(path) as reader:
        assert reader.lines == 4
        assert _faults(reader) == [(3, "field", "", "invalid_field", 2)]
        assert reader.hours[SOURCES[0]].readings == 2


@pytest.mark.parametrize("suffix", ["csv", "db"])
def test_stop(tmp_path: Path, suffix: str) -> None:
    """Reading can be stopped before the end of the file."""
    start = datetime(2019, 5, 1, tzinfo=UTC)
    server = OldServer(tmp_path / "data.db", KEY, ())
    server.fill(
        (start + timedelta(minutes=number), OUTDOOR, 1, 1.0) for number in range(50_000)
    )
    path = server.database.with_suffix(f".{suffix}")
    if suffix == "csv":
        with closing(sqlite3.connect(server.database)) as database:
            path.write_text(
                HEADER
                + "".join(
                    ",".join(map(str, row)) + "\n"
                    for row in database.execute("SELECT * FROM data")
                )
            )
    reader = HistoryReader({SOURCES[0]: TARGET}, END.timestamp())
    done: list[float] = []

    def stop(part: float) -> None:
        done.append(part)
        reader.stop()

    with pytest.raises(StoppedError):
        reader.read(path, stop)

    assert len(done) == 1
    assert done[0] < 0.2
    assert reader.lines <= 2_000
    reader.close()


def test_stop_at_the_end(tmp_path: Path) -> None:
    """Computing the hours can be stopped, too."""
    path = tmp_path / "data.csv"
    path.write_text(HEADER + _row("2019-05-01T12:00:00Z", OUTDOOR, 1, 20))
    reader = HistoryReader({SOURCES[0]: TARGET}, END.timestamp())
    done: list[float] = []

    def stop(part: float) -> None:
        done.append(part)
        reader.stop()

    with pytest.raises(StoppedError):
        reader.read(path, stop)
    assert done == [1.0]
    reader.close()


def test_silent_for_ever(tmp_path: Path) -> None:
    """Without an inactivity timeout, a last value does not count for ever."""
    path = tmp_path / "data.csv"
    path.write_text(HEADER + _row("2019-05-01T12:00:00Z", OUTDOOR, 1, 20))
    reader = HistoryReader({SOURCES[0]: Target(float, 0)}, END.timestamp())
    reader.read(path, lambda done: None)
    assert reader.store.span(reader.hours[SOURCES[0]]).hours == 25
    reader.close()


def test_unreadable(tmp_path: Path) -> None:
    """A file that the system does not allow to be read is refused as that."""
    with pytest.raises(HistoryError) as error, _read(tmp_path):
        pass
    assert error.value.reason == "history_unreadable"
