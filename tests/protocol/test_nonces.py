"""Nonces: valid once per station, for two hours, and in one spelling only."""

from freezegun.api import FrozenDateTimeFactory
from hypothesis import given, strategies as st
import pytest

from custom_components.esp_weather.protocol.nonces import NONCE_LIFETIME, Nonces


def test_bounded_memory() -> None:
    """A station takes the memory of one number, however many nonces it uses."""
    nonces = Nonces()
    for _ in range(1000):
        nonces.issue()
        assert nonces.use("a", nonces.issue())
        assert not nonces.use("b", "")
    assert nonces._used.keys() == {"a"}


def test_restart() -> None:
    """Nonces from before a restart are invalid."""
    assert not Nonces().use("a", Nonces().issue())


def test_once() -> None:
    """Each station can use a nonce once, and an older one not after it."""
    nonces = Nonces()
    first, second, third = (nonces.issue() for _ in range(3))
    assert nonces.use("a", second)
    assert not nonces.use("a", second)
    assert not nonces.use("a", first)
    assert nonces.use("b", first)
    assert nonces.use("a", third)


def test_lifetime(freezer: FrozenDateTimeFactory) -> None:
    """A nonce is valid for two hours, whatever is issued meanwhile."""
    nonces = Nonces()
    first, second = nonces.issue(), nonces.issue()
    freezer.tick(2 * 3600 - 1)
    nonces.issue()
    assert NONCE_LIFETIME == 2 * 3600
    assert nonces.use("a", first)
    freezer.tick(2)
    assert not nonces.use("a", second)


@pytest.mark.parametrize(
    ("old", "new"),
    [("", " "), ("0", "0 "), ("0", " 0"), ("0", "0_"), ("0", "00"), ("0", "0x0")],
)
def test_respelt(old: str, new: str) -> None:
    """Another spelling of the same number is invalid."""
    nonces = Nonces()
    nonce = nonces.issue()
    respelt = nonce.replace(old, new, 1)
    assert not nonces.use("a", respelt)
    assert not nonces.use("a", nonce.upper().replace("0", "O"))
    assert not nonces.use("a", f"{nonce} ")
    assert not nonces.use("a", nonce[1:])
    if nonce.upper() != nonce:
        assert not nonces.use("a", nonce.upper())
    assert nonces.use("a", nonce)


@given(
    text=st.text()
    | st.text("0123456789abcdef", min_size=48, max_size=48)
    | st.characters()
)
def test_any_text(text: str) -> None:
    """A text that was never issued is refused."""
    assert not Nonces().use("a", text)


@given(position=st.integers(0, 47), new=st.characters())
def test_any_change(position: int, new: str) -> None:
    """A nonce with one character changed is refused."""
    nonces = Nonces()
    nonce = nonces.issue()
    changed = nonce[:position] + new + nonce[position + 1 :]
    assert nonces.use("a", changed) == (changed == nonce)
