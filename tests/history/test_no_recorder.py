"""Import and export without a recorder."""

from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.esp_weather.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from tests.helpers import upload

from .dialog import open_dialog, texts

pytestmark = pytest.mark.usefixtures("_folder_of_uploads")


@pytest.mark.parametrize(
    ("action", "data"),
    [("import_history", {"path": "data.db"}), ("export_history", {})],
)
async def test_action(
    hass: HomeAssistant, station: MockConfigEntry, action: str, data: dict[str, Any]
) -> None:
    """An action fails: the recorder does not run."""
    with pytest.raises(ServiceValidationError) as error:
        await hass.services.async_call(DOMAIN, action, data, blocking=True)
    assert error.value.translation_key == "recorder_not_running"


async def test_dialog(
    hass: HomeAssistant,
    station: MockConfigEntry,
    tmp_path: Path,
    hass_client: ClientSessionGenerator,
) -> None:
    """The dialog shows the same error and stays open."""
    file = tmp_path / "data.csv"
    file.write_text("date_time,mac,field,data\n")
    form = await open_dialog(hass, station, "history")
    form = await hass.config_entries.options.async_configure(
        form["flow_id"], {"file": await upload(await hass_client(), file)}
    )
    assert (form["step_id"], form["errors"]) == ("history", {"base": "history_failed"})
    assert "recorder" in texts(form)["error"]
