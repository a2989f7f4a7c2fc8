"""The quality scale: each of Home Assistant's rules, with the exemptions it knows."""

import json
from pathlib import Path
from typing import Any

import homeassistant
from homeassistant.util.yaml import load_yaml_dict

INTEGRATION = Path(__file__).parents[1] / "custom_components" / "esp_weather"
# The rules whose section "Exceptions" applies to this integration
MAY_BE_EXEMPT = {"inject-websession", "reauthentication-flow", "test-before-configure"}


def _rules(folder: Path) -> dict[str, Any]:
    rules: dict[str, Any] = load_yaml_dict(folder / "quality_scale.yaml")["rules"]
    return rules


def test_rules() -> None:
    """Each rule is done, or exempt with a reason where the rule allows that."""
    manifest = json.loads((INTEGRATION / "manifest.json").read_text())
    rules = _rules(INTEGRATION)

    # A platinum integration of Home Assistant lists all rules.
    components = Path(homeassistant.__file__).parent / "components"
    assert _rules(components / "peblar").keys() <= rules.keys()
    assert manifest["quality_scale"] == "platinum"
    for name, rule in rules.items():
        status = rule if isinstance(rule, str) else rule["status"]
        assert status == "done" or (
            status == "exempt" and name in MAY_BE_EXEMPT and rule["comment"]
        ), name
