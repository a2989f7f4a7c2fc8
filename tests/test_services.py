"""Who may call the actions, and with what."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.esp_weather.const import DOMAIN
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized

FILE_ID = "1e1a7b60-53a1-4a9b-9f4e-3d9b8e0c7a11"


async def _import_history(hass: HomeAssistant, **data: Any) -> None:
    await hass.services.async_call(DOMAIN, "import_history", data, blocking=True)


@pytest.mark.parametrize(
    ("data", "failure"),
    [
        ({}, "upload_or_path"),
        ({"path": "/media/data.db", "file": FILE_ID}, "upload_or_path"),
        (
            {"path": "/media/data.db", "config_entry_id": "other"},
            "service_config_entry_not_found",
        ),
        ({"path": "/media/data.db"}, "recorder_not_running"),
    ],
)
async def test_import_history_refused(
    hass: HomeAssistant, station: MockConfigEntry, data: dict[str, Any], failure: str
) -> None:
    """An impossible import fails with the reason."""
    with pytest.raises(ServiceValidationError) as error:
        await _import_history(hass, **data)

    assert error.value.translation_key == failure


async def test_import_history_needs_an_administrator(
    hass: HomeAssistant, station: MockConfigEntry, hass_read_only_user: MockUser
) -> None:
    """Only administrators may import."""
    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            DOMAIN,
            "import_history",
            {"path": "/media/data.db"},
            blocking=True,
            context=Context(user_id=hass_read_only_user.id),
        )
