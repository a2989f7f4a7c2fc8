"""A Home Assistant without the recorder."""

from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tools.home_assistant import HomeAssistant, free_port
from tools.seed import seed
from tools.station import OUTDOOR, add_station


@pytest.mark.usefixtures("socket_enabled")
async def test_no_recorder(tmp_path: Path) -> None:
    """Without the recorder the stations work, and a repair issue says so."""
    port = free_port()
    seed(tmp_path, port)
    configuration = tmp_path / "configuration.yaml"
    text = configuration.read_text()
    # The other default integrations load the recorder.
    for integration in ("recorder", "history", "logbook", "energy"):
        text = text.replace(f"{integration}:\n", "")
    configuration.write_text(text)

    async with HomeAssistant(tmp_path, port) as home_assistant:
        await add_station(home_assistant, OUTDOOR)
        url = URL(home_assistant.url + OUTDOOR.report_path(1, "21.5"), encoded=True)
        async with aiohttp.request("GET", url) as response:
            assert (response.status, await response.text()) == (200, "OK")
        state = await home_assistant.rest(
            "GET", "/api/states/sensor.outdoor_temperature"
        )
        assert state["state"] == "21.5"
        issues = await home_assistant.websocket("repairs/list_issues")
        assert [
            issue["translation_key"]
            for issue in issues["issues"]
            if issue["domain"] == "esp_weather"
        ] == ["no_recorder"]
    assert not home_assistant.database.exists()
    assert "custom_components/esp_weather/" not in home_assistant.log.read_text()
