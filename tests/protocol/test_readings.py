"""The protocol on its own, driven by hypothesis."""

from math import isfinite

from hypothesis import example, given, strategies as st
import pytest

from custom_components.esp_weather.protocol.legacy import (
    MAX_DATA_LENGTH,
    parse_legacy_reading,
)
from custom_components.esp_weather.protocol.readings import (
    FIELDS,
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
        assert len(data) <= MAX_DATA_LENGTH
        assert data.isascii()
        assert "_" not in data


@given(field=st.sampled_from(FIELDS), data=DECIMALS)
def test_decimal_numbers(field: int, data: str) -> None:
    """Each decimal number of up to 32 characters is the value it says."""
    assert parse_legacy_reading(str(field), data) == Reading(field, float(data))


@given(
    pairs=st.lists(
        st.from_regex(r"[0-9a-zA-Z]{2}", fullmatch=True), min_size=6, max_size=6
    )
)
def test_mac_notations(pairs: list[str]) -> None:
    """Each way of writing a MAC is stored the same way, which is stable."""
    stored = ":".join(pairs).lower()
    for separator in (":", "-", "", "."):
        assert normalize_mac(f" {separator.join(pairs)} ") == stored
    assert normalize_mac(stored) == stored


@given(text=st.text())
@example("")
@example("5c:cf:7f:2b:0e")
@example("5c:cf:7f:2b:0e:a8:00")
@example("5c:cf:7f:2b:0e:ä8")
def test_any_mac(text: str) -> None:
    """Any text is six pairs or a ValueError."""
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
