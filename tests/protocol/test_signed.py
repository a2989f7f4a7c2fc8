"""The parser of the signed report's JSON."""

import json
from math import inf, isfinite
from typing import Any

from hypothesis import example, given, strategies as st
import pytest

from custom_components.esp_weather.protocol.readings import (
    FIELDS,
    Declaration,
    Reading,
    Reason,
    ReportError,
)
from custom_components.esp_weather.protocol.signed import (
    _DECLARATION,
    _STATUS,
    MAX_AGE,
    MAX_FIRST,
    MAX_READINGS,
    Report,
    Status,
    parse_report,
)

MAC = "5c:cf:7f:2b:0e:a8"
STREAM = "9f3a1c22"
READING = {"field": 1, "value": 21.5}

PRINTABLE = st.text(st.characters(categories=["L", "N", "P"]), max_size=16)
NUMBERS = st.integers() | st.floats()
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
ALMOST_READINGS = st.fixed_dictionaries(
    {"field": st.integers(0, 10) | JSON, "value": NUMBERS | JSON},
    optional={"age": NUMBERS | JSON},
)
ALMOST_REPORTS = st.fixed_dictionaries(
    {"mac": st.just(MAC) | JSON, "readings": st.lists(ALMOST_READINGS) | JSON},
    optional={
        "stream": st.text("0123456789abcdefABC ", min_size=7, max_size=9) | JSON,
        "first": st.integers(-1, MAX_FIRST + 1) | JSON,
        "fields": JSON
        | st.dictionaries(
            st.integers(0, 10).map(str),
            JSON | st.dictionaries(st.sampled_from([*_DECLARATION]), JSON),
        ),
        "status": JSON | st.dictionaries(st.sampled_from([*_STATUS]), JSON),
    },
)
READINGS = st.lists(
    st.fixed_dictionaries(
        {
            "field": st.sampled_from(FIELDS),
            "value": st.floats(allow_nan=False, allow_infinity=False),
            "age": st.floats(0, MAX_AGE),
        }
    ),
    max_size=20,
)
DECLARATIONS = st.dictionaries(
    st.sampled_from(FIELDS),
    st.builds(
        Declaration,
        kind=PRINTABLE,
        unit=st.none() | PRINTABLE,
        name=st.none() | PRINTABLE,
    ),
)
STATUSES = st.builds(
    Status,
    rssi=st.none() | st.floats(-200, 100),
    uptime=st.none() | st.integers(0, 10**9),
    battery=st.none() | st.floats(0, 100),
    firmware=st.none() | PRINTABLE,
    interval=st.none() | st.integers(1, 3600),
    board=st.none() | PRINTABLE,
    update_error=st.none() | PRINTABLE,
)


def _body(**content: Any) -> bytes:
    return json.dumps({"mac": MAC, "readings": [READING], **content}).encode()


def _parse(**content: Any) -> Report:
    return parse_report(_body(**content), MAC)


def _error(body: bytes) -> ReportError:
    with pytest.raises(ReportError) as error:
        parse_report(body, MAC)
    return error.value


@given(
    body=st.binary()
    | (JSON | ALMOST_REPORTS).map(lambda content: json.dumps(content).encode())
)
@example(body=b"[" * 60_000)
@example(body=b'{"a":' * 1000)
@example(body=b"\xef\xbb\xbf{}")
@example(body=b'"\xff"')
def test_any_body(body: bytes) -> None:
    """Any body gives a report within the limits or a ReportError."""
    try:
        report = parse_report(body, MAC)
    except ReportError:
        return
    assert len(report.readings) <= MAX_READINGS
    for reading in report.readings:
        assert reading.field in FIELDS
        assert isfinite(reading.value)
        assert 0 <= reading.age <= MAX_AGE
    status = report.status
    for number in (status.rssi, status.uptime, status.battery, status.interval):
        assert number is None or isfinite(number)
    for declaration in report.fields.values():
        for text in declaration:
            assert text is None or text.isprintable()


@given(
    readings=READINGS,
    first=st.integers(0, MAX_FIRST),
    stream=st.from_regex("[0-9a-f]{8}", fullmatch=True),
    fields=DECLARATIONS,
    status=STATUSES,
    more=st.dictionaries(st.text(), st.none() | st.booleans() | st.text()),
)
def test_reports(
    readings: list[dict[str, Any]],
    first: int,
    stream: str,
    fields: dict[int, Declaration],
    status: Status,
    more: dict[str, Any],
) -> None:
    """A report is read as it was written; unknown members are ignored."""
    content = {
        **more,
        "mac": MAC.upper().replace(":", "-"),
        "stream": stream,
        "first": first,
        "readings": [more | reading for reading in readings],
        "fields": {
            number: more | declaration._asdict()
            for number, declaration in fields.items()
        },
        "status": more | status._asdict(),
    }
    body = json.dumps(content).encode()
    assert parse_report(body, MAC) == Report(
        tuple(
            Reading(**reading, number=first + place)
            for place, reading in enumerate(readings)
        ),
        status,
        stream,
        fields,
    )


def test_least() -> None:
    """Optional members may be left out or null."""
    least = Report((Reading(1, 21.5, 0.0, 1), Reading(1, 21.5, 0.0, 2)))
    readings = [READING, READING]
    assert _parse(readings=readings) == least
    assert (
        _parse(readings=readings, stream=None, first=None, fields=None, status=None)
        == least
    )
    assert _parse(readings=readings, fields={}, status={}) == least
    assert _parse(readings=[]) == Report()


def test_status_table() -> None:
    """The table of the status has each of its values."""
    assert Status._fields == tuple(_STATUS)
    assert Declaration._fields == tuple(_DECLARATION)
    # The order of the members does not matter.
    assert _parse(status={"board": "x", "rssi": -61}).status == Status(-61, board="x")


@pytest.mark.parametrize(
    "numbering",
    [
        {"stream": STREAM},
        {"first": 1},
        {"stream": STREAM.upper(), "first": 1},
        {"stream": STREAM[1:], "first": 1},
        {"stream": f"{STREAM}\n", "first": 1},
        {"stream": f" {STREAM[1:]}", "first": 1},
        {"stream": "٠٠٠٠٠٠٠٠", "first": 1},
        {"stream": 12345678, "first": 1},
        {"stream": STREAM, "first": -1},
        {"stream": STREAM, "first": MAX_FIRST + 1},
        {"stream": STREAM, "first": 10**30},
        {"stream": STREAM, "first": 1.0},
        {"stream": STREAM, "first": True},
        {"stream": STREAM, "first": "1"},
    ],
)
def test_wrong_numbering(numbering: dict[str, Any]) -> None:
    """A stream and its first number are only valid together, and in their format."""
    error = _error(_body(**numbering))
    assert (error.reason, error.reading) == ("invalid_stream", None)
    assert error.placeholders == {"maximum": str(2**53 - 500)}


@pytest.mark.parametrize(
    ("field", "said", "name"),
    [
        ("1", None, "fields.1"),
        ("1", [], "fields.1"),
        ("9", {"unit": "°C"}, "fields.9.kind"),
        ("9", {"kind": None}, "fields.9.kind"),
        ("9", {"kind": 1}, "fields.9.kind"),
        ("9", {"kind": "x" * 33}, "fields.9.kind"),
        ("9", {"kind": "a\x00"}, "fields.9.kind"),
        ("9", {"unit": ["°C"]}, "fields.9.unit"),
        ("9", {"unit": "x" * 17}, "fields.9.unit"),
        ("9", {"name": "\u202e"}, "fields.9.name"),
        ("9", {"name": "x" * 65}, "fields.9.name"),
    ],
)
def test_wrong_declaration(field: str, said: Any, name: str) -> None:
    """An invalid declaration refuses the report and is named."""
    error = _error(_body(fields={field: said}))
    assert (error.reason, error.placeholders) == ("invalid_part", {"name": name})


def test_unknown_kind() -> None:
    """A kind that this version does not know is accepted."""
    fields = {"2": {"kind": "radon", "unit": "Bq/m³", "name": "Käller", "color": 1}}
    assert _parse(fields=fields).fields == {2: Declaration("radon", "Bq/m³", "Käller")}


@pytest.mark.parametrize("field", ["0", "10", "01", " 1", "1.0", "", "¹", "١"])
def test_declaration_of_no_field(field: str) -> None:
    """Only the numbers of fields can be declared."""
    assert _error(_body(fields={field: {}})).reason is Reason.INVALID_FIELD


@pytest.mark.parametrize("content", [[], 1, "x", True])
@pytest.mark.parametrize("name", ["status", "fields"])
def test_no_table(name: str, content: Any) -> None:
    """`status` and `fields` have to be objects."""
    error = _error(_body(**{name: content}))
    assert (error.reason, error.placeholders) == ("invalid_part", {"name": name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rssi", True),
        ("rssi", "-61"),
        ("rssi", -201),
        ("uptime", -1),
        ("uptime", 1e12),
        ("battery", 1e9),
        ("battery", [3.7]),
        ("interval", 0),
        ("interval", MAX_AGE + 1),
        ("firmware", 1),
        ("firmware", "x" * 33),
        ("firmware", "\n"),
        ("board", {}),
        ("board", "x" * 65),
    ],
)
def test_wrong_status(name: str, value: Any) -> None:
    """An invalid status value refuses the report and is named."""
    error = _error(_body(status={name: value}))
    assert (error.reason, error.placeholders) == (
        "invalid_part",
        {"name": f"status.{name}"},
    )


@pytest.mark.parametrize(
    ("reading", "key"),
    [
        ([1, 21.5], "incomplete_reading"),
        ({"field": 1}, "incomplete_reading"),
        ({"value": 1}, "incomplete_reading"),
        ({"field": "1", "value": 1}, "invalid_field"),
        ({"field": 0, "value": 1}, "invalid_field"),
        ({"field": 1, "value": "1"}, "value_not_a_number"),
        ({"field": 1, "value": [1]}, "value_not_a_number"),
        ({"field": 1, "value": 1, "age": -1e-9}, "invalid_age"),
        ({"field": 1, "value": 1, "age": "0"}, "invalid_age"),
        ({"field": 1, "value": 1, "age": 10**30}, "invalid_age"),
    ],
)
def test_wrong_reading(reading: Any, key: str) -> None:
    """A malformed reading refuses the report, and its number is named."""
    error = _error(
        _body(readings=[READING, READING, reading], stream=STREAM, first=4711)
    )
    assert (error.reason, error.reading) == (key, 3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"mac": "\\ud800", "readings": []}',
        b'{"mac": "5c:cf:7f:2b:0e:a8", "readings": [{"field": 1, "value": NaN}]}',
        b'{"mac": "5c:cf:7f:2b:0e:a8", "readings": [{"field": 1, "value": 1e999}]}',
        b'{"mac": "5c:cf:7f:2b:0e:a8", "readings": [{"field": 1, "value": 1%s}]}'
        % (b"0" * 60_000),
        b'{"mac": "5c:cf:7f:2b:0e:a8", "readings": %s%s}' % (b"[" * 2000, b"]" * 2000),
        b'{"mac": "5c:cf:7f:2b:0e:a8", "readings": []} {}',
        '{"mac": "5c:cf:7f:2b:0e:a8", "readings": []}'.encode("utf-16"),
    ],
)
def test_no_json(body: bytes) -> None:
    """A body that is not JSON, or nested without end, is refused."""
    assert _error(body).reason == "invalid_json"


def test_huge_numbers() -> None:
    """A number that is too large for an integer is read as a float."""
    body = _body(readings=[{"field": 1, "value": 10**300}, {"field": 1, "value": 0}])
    assert [reading.value for reading in parse_report(body, MAC).readings] == [1e300, 0]
    assert _parse(readings=[{"field": 1, "value": -1e308}]).readings[0].value > -inf


def test_too_many_readings() -> None:
    """One report has at most 500 readings."""
    assert len(_parse(readings=[READING] * 500).readings) == 500
    assert _error(_body(readings=[READING] * 501)).reason == "too_many_readings"


@pytest.mark.parametrize("mac", ["", "5c:cf:7f:2b:0e:a9", "x"])
def test_other_mac(mac: str) -> None:
    """The MAC in the report has to be the one that signed it."""
    assert _error(_body(mac=mac)).reason == "wrong_mac"
