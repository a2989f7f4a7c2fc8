"""The parser of readings, driven by hypothesis."""

from math import isfinite

from hypothesis import assume, example, given, strategies as st
import pytest

from custom_components.esp_weather.protocol.legacy import parse_legacy_reading
from custom_components.esp_weather.protocol.readings import (
    FIELDS,
    MAX_DATA_LENGTH,
    MacError,
    Reading,
    ReportError,
    normalize_mac,
)

ANY_TEXT = st.text() | st.text("0123456789+-.eE_ ,naif\u0661\uff11")
# The decimal numbers of the grammar, written independently of the parser.
DECIMALS = st.from_regex(
    r"[+-]?([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})([eE][+-]?[0-9]{1,2})?",
    fullmatch=True,
)


def _parsed(field: str, data: str) -> Reading | ReportError:
    try:
        return parse_legacy_reading(field, data)
    except ReportError as err:
        return err


@given(field=ANY_TEXT | st.integers().map(str), data=ANY_TEXT)
@example(field="1", data="1_0")
@example(field="\u0661", data="1")
@example(field="1", data="nan")
@example(field="1", data="\u0661")
def test_any_text(field: str, data: str) -> None:
    """Any text gives a reading within the limits or a ReportError."""
    result = _parsed(field, data)

    if isinstance(result, ReportError):
        assert result.reason in {
            "invalid_field",
            "data_too_long",
            "invalid_data",
            "data_not_finite",
        }
    else:
        assert result.field in FIELDS
        assert str(result.field) == field
        assert isfinite(result.value)
        assert len(data.strip()) <= MAX_DATA_LENGTH
        assert data.strip().isascii()
        assert "_" not in data


@given(
    field=st.sampled_from(FIELDS),
    data=DECIMALS,
    before=st.text(" \t", max_size=8),
    after=st.text(" \t\r\n", max_size=8),
)
def test_decimal_numbers(field: int, data: str, before: str, after: str) -> None:
    """Each decimal number of up to 32 characters has its value.

    Blanks around it do not count.
    """
    reading = parse_legacy_reading(str(field), before + data + after)
    assert reading == Reading(field, float(data))


@pytest.mark.parametrize("data", ["2 1.5", "- 21.5", " ", "21.5 °C", " " * 40 + "x"])
def test_blanks_within(data: str) -> None:
    """A blank is not part of a number."""
    with pytest.raises(ReportError) as error:
        parse_legacy_reading("1", data)
    assert error.value.reason == "invalid_data"


@given(
    pairs=st.lists(
        st.from_regex(r"[0-9a-zA-Z]{2}", fullmatch=True), min_size=6, max_size=6
    )
)
def test_mac_notations(pairs: list[str]) -> None:
    """Each notation of a MAC is normalized to the same one, which stays as it is."""
    assume({*"".join(pairs).lower()} not in ({"0"}, {"f"}))
    stored = ":".join(pairs).lower()
    for separator in (":", "-", "", "."):
        assert normalize_mac(f" {separator.join(pairs)} ") == stored
    assert normalize_mac(stored) == stored


@given(octets=st.lists(st.integers(0, 255), min_size=6, max_size=6))
@example([0x5C, 0xCF, 0x7F, 0x0E, 0x8, 0xA8])
def test_mac_without_leading_zeros(octets: list[int]) -> None:
    """A byte printed with String(b, HEX) stands for itself with a leading zero."""
    stored = ":".join(f"{octet:02x}" for octet in octets)
    assume(stored not in {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"})
    for separator in ":-.":
        for digits in ("x", "X"):
            text = separator.join(f"{octet:{digits}}" for octet in octets)
            assert normalize_mac(text) == stored


@pytest.mark.parametrize(
    ("mac", "key"),
    [
        *(
            (mac, "invalid_mac")
            for mac in ("", "MAC", "5c:cf:7f::8:a8", "5c:cf:7f:e:8")
        ),
        *((mac, "invalid_mac") for mac in ("5c:cf:7f:00e:8:a8", "5ccf7fe8a8", ":::::")),
        # So much as fills the address of a request costs no time.
        *(
            (f"{front}5c:cf:7f:2b:0e:a8{end}", "invalid_mac")
            for front, end in ((" " * 60, ""), ("", ":" * 6000))
        ),
        *((mac, "unset_mac") for mac in ("00:00:00:00:00:00", "0:0:0:0:0:0", "0" * 12)),
        *((mac, "unset_mac") for mac in ("ff:ff:ff:ff:ff:ff", "FF-FF-FF-FF-FF-FF")),
    ],
)
def test_no_mac(mac: str, key: str) -> None:
    """An invalid MAC raises the same error as a ReportError and as a ValueError."""
    with pytest.raises(MacError) as error:
        normalize_mac(mac)
    assert error.value.reason == key
    assert isinstance(error.value, ReportError)
    assert isinstance(error.value, ValueError)


@given(text=st.text())
@example("")
@example("5c:cf:7f:2b:0e")
@example("5c:cf:7f:2b:0e:a8:00")
@example("5c:cf:7f:2b:0e:ä8")
def test_any_mac(text: str) -> None:
    """Any text gives six pairs or a ValueError."""
    try:
        mac = normalize_mac(text)
    except ValueError:
        return
    assert len(mac) == 17
    assert mac.isascii()
    assert mac == mac.lower()


def test_errors_say_what_was_wrong() -> None:
    """The placeholders name the limits."""
    with pytest.raises(ReportError) as error:
        parse_legacy_reading("10", "1")
    assert error.value.placeholders == {"minimum": "1", "maximum": "9"}
