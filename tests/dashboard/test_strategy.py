"""The dashboard's JavaScript, without a browser."""

from .helpers import run_node


def test_javascript() -> None:
    """The tests that are written in JavaScript pass."""
    done = run_node("--test", "--test-reporter=tap")

    assert done.returncode == 0, done.stdout
    assert "# fail 0" in done.stdout
    assert "# pass 0" not in done.stdout
