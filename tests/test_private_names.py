"""The integration with a private name of Home Assistant (HA) missing."""

import ast
from importlib import import_module
from pathlib import Path
import sys
from types import ModuleType

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

import custom_components
from custom_components.esp_weather.const import DOMAIN
from homeassistant.components.recorder import Recorder
from homeassistant.config_entries import HANDLERS, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from .helpers import legacy_url, state_of
from .signed_station import SignedStation, reading

INTEGRATION = Path(__file__).parents[1] / "custom_components" / DOMAIN
# The modules of HA whose names are private
PRIVATE = ("homeassistant.components.recorder.", "homeassistant.components.http.ban")


def _names() -> set[tuple[str, str]]:
    """Return each private module with a name that the integration imports from it."""
    return {
        (module, alias.name)
        for path in INTEGRATION.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ImportFrom) and not node.level
        if (module := str(node.module)).startswith(PRIVATE)
        for alias in node.names
    }


NAMES = [
    pytest.param(*name, id=".".join(name).removeprefix("homeassistant.components."))
    for name in sorted(_names())
]


@pytest.fixture
def mock_recorder_before_hass(async_test_recorder: object) -> None:
    """Prepare the recorder before Home Assistant."""


@pytest.fixture
def _missing(
    recorder_mock: Recorder,
    module: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reimport the integration in an HA that lacks the name.

    HA itself still has it: only what is imported from now on does not find it.
    """
    package = f"{custom_components.__name__}.{DOMAIN}"
    for imported in list(sys.modules):
        if f"{imported}.".startswith(f"{package}."):
            monkeypatch.delitem(sys.modules, imported)
    monkeypatch.delattr(custom_components, DOMAIN, raising=False)
    monkeypatch.delitem(HANDLERS, DOMAIN, raising=False)
    without = ModuleType(module)
    vars(without).update(vars(import_module(module)))
    delattr(without, name)
    monkeypatch.setitem(sys.modules, module, without)
    parent, _, child = module.rpartition(".")
    monkeypatch.setattr(import_module(parent), child, without)


@pytest.mark.parametrize(("module", "name"), NAMES)
@pytest.mark.usefixtures("_missing", "enable_custom_integrations")
async def test_missing(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    """Stations report all the same, and a repair issue says what does not work."""
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED

    client = await hass_client_no_auth()
    assert (await client.get(legacy_url("21.5"))).status == 200
    assert state_of(hass, "1") == "21.5"
    assert (await client.get(legacy_url(key="wrong"))).status == 403
    assert (await SignedStation(client).report(reading(22.5))).status == 200
    assert state_of(hass, "1") == "22.5"

    issues = ir.async_get(hass).issues.values()
    found = {issue.issue_id for issue in issues if issue.domain == DOMAIN}
    assert found
    for action, data in (
        ("import_history", {"path": "data.db"}),
        ("export_history", {}),
    ):
        if "history_unsupported" in found:
            with pytest.raises(ServiceValidationError) as error:
                await hass.services.async_call(DOMAIN, action, data, blocking=True)
            assert error.value.translation_key == "history_unsupported"
