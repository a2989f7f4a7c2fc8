"""The parser of the form report, partly driven by hypothesis."""

from datetime import UTC, datetime, timedelta
import json
from math import isfinite
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from hypothesis import example, given, strategies as st
import pytest

from custom_components.esp_weather.protocol.form import (
    MAX_UPDATES,
    Form,
    Updates,
    find_sender,
    parse_form,
)
from custom_components.esp_weather.protocol.readings import FIELDS, Reading, ReportError
from custom_components.esp_weather.protocol.signed import MAX_AGE

KEY = "PHDNGI2345"
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
VALUES = st.floats(allow_nan=False, allow_infinity=False, width=32)
FIELD_VALUES = st.dictionaries(st.sampled_from(FIELDS), VALUES)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["api_key", "write_api_key", "key", "mac", "timezone", "created_at", "delta_t"]
    + ["updates", "time_format", "status", "latitude", "field0", "field10"]
    + [f"field{number}" for number in FIELDS]
)
ALMOST_UPDATES = st.dictionaries(NAMES, JSON | VALUES | st.just("2026-11-26 11:00:00"))
ALMOST_BULK = st.fixed_dictionaries(
    {"updates": st.lists(ALMOST_UPDATES) | JSON}, optional={"time_format": st.text()}
)


def _bulk(updates: Any, **more: str) -> Form:
    content = {"write_api_key": KEY, "updates": updates, **more}
    return parse_form("", json.dumps(content).encode())


def _values(fields: dict[int, float]) -> dict[str, str]:
    return {f"field{number}": str(value) for number, value in fields.items()}


def _in_order(updates: Updates) -> list[tuple[int, float, float]]:
    return [(each.field, each.value, each.age) for each in updates.readings]


def test_what_the_documentation_shows() -> None:
    """An update as ThingSpeak documents it is read; other parameters are ignored."""
    form = parse_form(
        "api_key=PHDNGI2345&field1=73&status=like+this&lat=1&long=2&elevation=3"
        "&twitter=me&tweet=hi&headers=false",
        b"",
    )
    assert form.timezone is None
    assert form.update(NOW) == Updates((Reading(1, 73.0),), (1,), ())


@given(fields=FIELD_VALUES, how=st.sampled_from(["query", "form", "json", "numbers"]))
def test_update(fields: dict[int, float], how: str) -> None:
    """Each notation of an update gives the same readings."""
    content = {"api_key": KEY, "mac": "m", **_values(fields)}
    query, body = "", b""
    match how:
        case "query":
            query = urlencode(content)
        case "form":
            body = urlencode(content).encode()
        case "json":
            body = json.dumps(content).encode()
        case "numbers":
            numbers = {f"field{number}": value for number, value in fields.items()}
            body = json.dumps(content | numbers).encode()
    form = parse_form(query, body)
    assert find_sender(query, body) == (KEY, "m")
    readings = tuple(Reading(number, fields[number]) for number in sorted(fields))
    assert form.update(NOW) == Updates(readings, (1,) * len(fields), ())


@pytest.mark.parametrize(
    ("query", "body", "key"),
    [
        ("api_key=a&key=b", b"", "a"),
        ("key=b&field1=1", b"", "b"),
        ("api_key=a", b"api_key=b", "b"),
        ("api_key=a", b'{"write_api_key": "b"}', "a"),
        ("", b'{"api_key": 5}', None),
        ("", b' {"updates": [{"key": "b"}], "write_api_key" : "a"}', "a"),
        ("", b'{"write_api_key": "a"', "a"),
        ("api_key=%61", b"", "a"),
        ("xapi_key=a", b"", None),
        (f"api_key={'a' * 256}", b"", "a" * 256),
        (f"api_key={'a' * 257}", b"", None),
        ("", b'{"api_key": "%s"}' % (b"a" * 257), None),
        ("", b"api_key=\xff", "\ufffd"),
        ("api_key=&key=b", b"", "b"),
        ("api_key=%20a%2Bb", b"", " a+b"),
        (" api_key=a", b" \r\napi_key=b", "b"),
        ("api_key=a", b"{no JSON", "a"),
        ("", b"", None),
        # A sketch that ends its body with println()
        ("", b"api_key=a&field1=1\r\n", "a"),
        ("", b"field1=1&api_key=a\r\n", "a"),
    ],
)
def test_key(query: str, body: bytes, key: str | None) -> None:
    """The key is found where ThingSpeak looks for it, even in a broken body."""
    assert find_sender(query, body).key == key


@given(query=st.text(), body=st.binary() | st.text().map(str.encode))
@example("&" * 1000, b"")
@example("", b"&" * 1000)
@example("", b"{" * 1000)
@example("field1=1e999&field2=1_0&field3=%ff", b"")
def test_any_request(query: str, body: bytes) -> None:
    """Any request gives readings within the limits or a ReportError."""
    find_sender(query, body)
    try:
        form = parse_form(query, body)
    except ReportError:
        return
    _check(form)


@given(content=ALMOST_UPDATES | ALMOST_BULK)
@example({"created_at": 1e300, "field1": 1})
@example({"created_at": "0001-01-01T00:00+14:00", "field1": 1})
@example({"created_at": "9999-12-31T23:59-14:00", "field1": 1})
@example({"created_at": "\u00b2", "field1": 1})
@example({"updates": [{"delta_t": 1e308}, {"delta_t": 1e308, "field1": 1}]})
@example({"updates": [{"delta_t": "x", "field1": 1}]})
@example({"updates": "|,|"})
def test_any_content(content: dict[str, Any]) -> None:
    """Any content gives readings within the limits or a ReportError."""
    body = json.dumps(content).encode()
    find_sender("", body)
    try:
        form = parse_form("", body)
    except ReportError:
        # Python writes numbers that JSON does not have.
        return
    _check(form)


def _check(form: Form) -> None:
    for read in (form.update, form.bulk_update):
        try:
            readings, _, refused = read(NOW, UTC)
        except ReportError:
            continue
        for reading in readings:
            assert reading.field in FIELDS
            assert isfinite(reading.value)
            assert 0 <= reading.age <= MAX_AGE
        for each in refused:
            assert each.field in FIELDS
            assert each.update >= 1


def test_one_bad_value_costs_only_itself() -> None:
    """The value of a failed sensor is refused by name; the other fields are taken."""
    updates = parse_form("field1=nan&field2=48.2&field3=&field4=+21.50", b"").update(
        NOW
    )
    assert updates.readings == (Reading(2, 48.2), Reading(4, 21.5))
    ((update, field, reason),) = updates.refused
    assert (update, field, reason.reason) == (1, 1, "invalid_data")


@pytest.mark.parametrize(
    "created_at",
    [
        "2026-11-26 11:00:00",
        "2026-11-26T11:00:00Z",
        "2026-11-26 11:00:00 UTC",
        "2026-11-26T12:00:00+01:00",
        "2026-11-26 12:00:00+01",
        "2026-11-26 06:00:00 -0500",
        # A `+` that was not percent-encoded
        "2026-11-26T12:00:00 01:00",
        "2026-11-26 12:00:00.250 0100",
        "1795690800",
        "1795690800.0",
        " 2026-11-26 11:00 ",
    ],
)
def test_created_at(created_at: str) -> None:
    """Each notation of a time that ThingSpeak documents is understood."""
    query = urlencode({"field1": "1", "created_at": created_at})
    (reading,) = parse_form(query, b"").update(NOW).readings
    assert reading.age == pytest.approx(3600, abs=0.5)


def test_created_at_in_a_time_zone() -> None:
    """`timezone` applies to times without a zone only."""
    form = parse_form(
        "timezone=Europe/Vienna&field1=1&created_at=2026-11-26+12:00", b""
    )
    zone = ZoneInfo(form.timezone or "")
    assert form.update(NOW, zone).readings == (Reading(1, 1.0, 3600.0),)
    form = parse_form("field1=1&created_at=2026-11-26+12:00:00+UTC", b"")
    assert form.update(NOW, zone).readings == (Reading(1, 1.0, 0.0),)


@pytest.mark.parametrize(
    ("created_at", "key"),
    [
        ("yesterday", "invalid_created_at"),
        ("2026-13-01 00:00:00", "invalid_created_at"),
        ("1e9", "invalid_created_at"),
        ("9" * 30, "invalid_created_at"),
        ("2026-11-26 12:05:01", "time_in_future"),
        ("2026-11-19 11:59:59", "time_too_old"),
        ("0", "time_too_old"),
    ],
)
def test_impossible_created_at(created_at: str, key: str) -> None:
    """Readings with an impossible time are left out."""
    query = urlencode({"field1": "1", "field2": "2", "created_at": created_at})
    updates = parse_form(query, b"").update(NOW)
    assert not updates.readings
    assert [(each.field, each.reason.reason) for each in updates.refused] == [
        (1, key),
        (2, key),
    ]


def test_fast_clock() -> None:
    """The clock of a station may be some minutes fast."""
    query = "field1=1&created_at=2026-11-26+12:05:00"
    assert parse_form(query, b"").update(NOW).readings == (Reading(1, 1.0, 0.0),)


@given(
    updates=st.lists(
        st.tuples(st.integers(0, 3600).map(float), st.sampled_from(FIELDS[:8]), VALUES),
        min_size=1,
        max_size=50,
    )
)
def test_bulk_update(updates: list[tuple[float, int, float]]) -> None:
    """JSON and CSV, with times of either kind, give the same readings."""
    ages = [
        sum((delta for delta, _, _ in updates[number + 1 :]), 0.0)
        for number in range(len(updates))
    ]
    expected = [
        (field, value, age)
        for (_, field, value), age in zip(updates, ages, strict=True)
    ]
    relative = [
        {"delta_t": delta, f"field{field}": value} for delta, field, value in updates
    ]
    absolute = [
        {
            "created_at": (NOW - timedelta(seconds=age)).isoformat(),
            f"field{field}": str(value),
        }
        for (_, field, value), age in zip(updates, ages, strict=True)
    ]
    for content in (relative, absolute):
        assert _in_order(_bulk(content).bulk_update(NOW)) == expected
        lines = "|".join(
            ",".join(
                [
                    str(update.get("delta_t", update.get("created_at"))),
                    *(str(update.get(f"field{number}", "")) for number in range(1, 9)),
                    *("48.2", "16.4", "151", "fine"),
                ]
            )
            for update in content
        )
        time_format = "relative" if content is relative else "absolute"
        csv = {"write_api_key": KEY, "time_format": time_format, "updates": lines}
        form = parse_form("", urlencode(csv).encode())
        assert _in_order(form.bulk_update(NOW)) == expected


def test_bulk_update_with_both_kinds_of_time() -> None:
    """Only the updates that are too old or have an unreadable time are left out."""
    form = _bulk(
        [
            {"created_at": "2026-11-01 00:00:00", "field1": 1},
            {"created_at": "2026-11-26 11:00:00", "field1": 2},
            {"created_at": "", "delta_t": 15, "field1": 3, "status": "fine"},
            {"created_at": "soon", "delta_t": 0, "field1": 4},
            {"delta_t": "15", "field1": 5, "field2": True, "field3": None},
        ]
    )
    readings, numbers, refused = form.bulk_update(NOW)
    assert numbers == (2, 3, 5)
    assert readings == (
        Reading(1, 2.0, 3600.0),
        Reading(1, 3.0, 15.0),
        Reading(1, 5.0, 0.0),
    )
    assert [(each.update, each.field, each.reason.reason) for each in refused] == [
        (1, 1, "time_too_old"),
        (4, 1, "invalid_created_at"),
        (5, 2, "invalid_data"),
    ]


def test_bulk_update_without_times() -> None:
    """Only the last update may do without a time: nobody knows when others were."""
    updates = _bulk([{"field1": 1}, {"field1": 2}]).bulk_update(NOW)
    assert updates.readings == (Reading(1, 2.0, 0.0),)
    ((update, field, reason),) = updates.refused
    assert (update, field, reason.reason) == (1, 1, "invalid_delta")

    form = _bulk([{"created_at": "2026-11-26 11:00:00", "field1": 1}, {"field1": 2}])
    assert form.bulk_update(NOW).readings == (
        Reading(1, 1.0, 3600.0),
        Reading(1, 2.0, 0.0),
    )


def test_csv_that_ends_with_a_separator() -> None:
    """A separator after the last update is none before another one."""
    form = _bulk("60,1|60,2|" * (MAX_UPDATES // 2), time_format="relative")
    updates = form.bulk_update(NOW)
    assert len(updates.readings) == MAX_UPDATES
    assert updates.readings[-1] == Reading(1, 2.0, 0.0)


@pytest.mark.parametrize(
    ("form", "key"),
    [
        (parse_form("api_key=x", b""), "no_updates"),
        (_bulk({}), "no_updates"),
        (_bulk([1]), "no_updates"),
        (_bulk([{}] * (MAX_UPDATES + 1)), "too_many_updates"),
        (_bulk("0,1|" * MAX_UPDATES + "0,1"), "too_many_updates"),
        *(
            (_bulk(text), "no_updates")
            for text in ("", "x", "|", ",,|", "60|60|", "nan")
        ),
        (_bulk([{"field1": 1}, {"delta_t": -1}]), "invalid_delta"),
        (_bulk("0,1|a,1", time_format="relative"), "invalid_delta"),
        (_bulk("x,1|0,1", time_format="relative"), "invalid_delta"),
    ],
)
def test_malformed_bulk_update(form: Form, key: str) -> None:
    """A malformed bulk update is refused whole."""
    with pytest.raises(ReportError) as error:
        form.bulk_update(NOW)
    assert error.value.reason == key


@pytest.mark.parametrize(
    ("query", "body", "key"),
    [
        ("", b"{", "invalid_json"),
        ("", b"&" * 64, "too_many_parameters"),
        ("&" * 64, b"", "too_many_parameters"),
    ],
)
def test_malformed(query: str, body: bytes, key: str) -> None:
    """A malformed request is refused with its reason."""
    with pytest.raises(ReportError) as error:
        parse_form(query, body)
    assert error.value.reason == key


def test_most_updates() -> None:
    """A bulk update may be as long as on ThingSpeak."""
    form = _bulk([{"delta_t": 15, "field1": 1}] * MAX_UPDATES)
    assert len(form.bulk_update(NOW).readings) == MAX_UPDATES
