"""The benchmark's figures, tables and integration."""

from pathlib import Path
from types import ModuleType

import pytest

from homeassistant.core import HomeAssistant
from homeassistant.loader import Integration
from tools.benchmark.home_assistant import BenchHomeAssistant
from tools.benchmark.table import duration, percentile, ratio, table


def test_table() -> None:
    """A table is Markdown with right-aligned figures."""
    assert table(["system", "p50"], [["ours", "1 s"]]) == (
        "| system | p50 |\n| --- | ---: |\n| ours | 1 s |"
    )


def test_ratio() -> None:
    """Each round is compared with the same round of the reference."""
    assert ratio([1, 4, 9], [2, 4, 3], float) == "1.00 (0.50 to 3.00)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.000094, "94 µs"),
        (0.0012, "1.2 ms"),
        (0.2456, "246 ms"),
        (2.55, "2.5 s"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    """A time has the unit that suits it."""
    assert duration(seconds) == text


def test_percentile() -> None:
    """A percentile is one of the measured times."""
    times = [float(number) for number in range(100, 0, -1)]

    assert percentile(times, 50) == 51
    assert percentile(times, 99) == 100
    assert percentile([7.0], 99) == 7


@pytest.mark.usefixtures("socket_enabled")
async def test_bench_view(hass: HomeAssistant, tmp_path: Path) -> None:
    """Home Assistant accepts the integration that the benchmark installs."""
    BenchHomeAssistant(tmp_path, [], recorder=False)
    installed = ModuleType("custom_components")
    installed.__path__ = [str(tmp_path / "custom_components")]

    integration = Integration.resolve_from_root(hass, installed, "bench_view")

    assert integration is not None
    assert integration.config_flow
    assert integration.version == "0.1.0"
