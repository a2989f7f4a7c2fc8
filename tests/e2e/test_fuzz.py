"""Nonsense over raw sockets, in a short version of scripts/fuzz."""

from tools.fuzz import fuzz
from tools.home_assistant import HomeAssistant


async def test_fuzz(home_assistant: HomeAssistant) -> None:
    """No input is taken, answered with a server error, or makes memory grow."""
    result = await fuzz(home_assistant, inputs=3000, number=5)

    # Enough inputs reach the integration.
    assert result.answers[403] > 300
    assert result.answers[400] > 300
    assert result.answers[401] > 100
    assert set(result.answers) <= {0, 400, 401, 403, 404, 405, 413, 415, 503}
    assert not result.tracebacks
    assert not result.with_key
    assert (result.new_entities, result.new_rows) == (0, 0)
    assert result.grown_by < 50e6
    assert result.new_files < 20
