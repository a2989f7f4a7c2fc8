"""The translations: complete in each language, with each text the code needs."""

import ast
from collections.abc import Iterator, Set as AbstractSet
import json
from pathlib import Path
import re
import string
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    get_system_health_info,
)

from custom_components.esp_weather.config import Place
from custom_components.esp_weather.const import DOMAIN
from custom_components.esp_weather.data import DATA
from custom_components.esp_weather.field import KINDS
from custom_components.esp_weather.history.errors import HistoryReason
from custom_components.esp_weather.history.exporter import FORMATS
from custom_components.esp_weather.protocol.readings import Reason
from custom_components.esp_weather.sensor import STATUS
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

INTEGRATION = Path(__file__).parents[1] / "custom_components" / "esp_weather"
TRANSLATIONS = INTEGRATION / "translations"
LANGUAGES = sorted(path.stem for path in TRANSLATIONS.glob("*.json"))
# The options of each selector with translated options, in the code
SELECTORS: dict[str, AbstractSet[str]] = {
    "format": {*FORMATS},
    "kind": KINDS.keys(),
    "place": {*Place, "elsewhere"},
}
# The enumerations of reasons, which are raised by their names
REASONS = (Reason, HistoryReason)
# Ends of the names of functions that take the key of an exception's text
RAISING = ("Error", "invalid")


def _texts(translations: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Return each text with its path."""
    for key, value in translations.items():
        if isinstance(value, dict):
            yield from _texts(value, f"{path}{key}.")
        else:
            yield path + key, value


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _load(language: str) -> dict[str, str]:
    return dict(_texts(_json(TRANSLATIONS / f"{language}.json")))


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


ENGLISH = _json(TRANSLATIONS / "en.json")
ICONS = _json(INTEGRATION / "icons.json")
NODES = [
    node
    for path in sorted(INTEGRATION.rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_bytes()))
]
CALLS = [node for node in NODES if isinstance(node, ast.Call)]


def _keys(node: ast.AST) -> Iterator[str]:
    """Return each string in an expression that can be a key."""
    match node:
        case ast.Constant(value=str(key)) if key.isidentifier():
            yield key
        case ast.JoinedStr():
            pass  # parts of keys
        case _:
            for part in ast.iter_child_nodes(node):
                yield from _keys(part)


def _arguments(name: str) -> set[str]:
    """Return all keys that the code gives as the argument `name`, whatever it calls."""
    return {
        key
        for call in CALLS
        for keyword in call.keywords
        if keyword.arg == name
        for key in _keys(keyword.value)
    }


def _raised() -> Iterator[tuple[str, set[str]]]:
    """Return the key of each exception in the code, with its placeholders."""
    for call in CALLS:
        if not ast.unparse(call.func).endswith(RAISING):
            continue
        given = {keyword.arg or "**" for keyword in call.keywords} - {"headers"}
        for argument in call.args:
            if isinstance(argument, ast.Dict):
                given.update(
                    key for each in argument.keys if each for key in _keys(each)
                )
        for argument in call.args:
            if isinstance(argument, ast.Attribute) and argument.attr.isupper():
                yield from (
                    (reasons[argument.attr].value, given)
                    for reasons in REASONS
                    if argument.attr in reasons.__members__
                )
            elif isinstance(argument, ast.Constant):
                yield from ((key, given) for key in _keys(argument))


def _errors() -> Iterator[str]:
    """Return the key of each error that a dialog shows."""
    for node in NODES:
        match node:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id="errors"))], value=error
            ):
                yield from _keys(error)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="errors"), attr="setdefault"),
                args=[_, error],
            ):
                yield from _keys(error)
            case ast.keyword(arg="errors", value=value):
                for part in ast.walk(value):
                    if isinstance(part, ast.Dict):
                        for error in part.values:
                            yield from _keys(error)


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_keys(language: str) -> None:
    """Each language has each text, with the same placeholders."""
    english, other = _load("en"), _load(language)

    assert other.keys() == english.keys()
    for key, text in other.items():
        assert text.strip(), key
        assert _placeholders(text) == _placeholders(english[key]), key
        if language != "en":
            # Words that are the same in both languages are short.
            assert text != english[key] or len(text) < 20, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_hassfest(language: str) -> None:
    """No text has what Home Assistant's hassfest refuses."""
    for key, text in _load(language).items():
        assert cv.string_with_no_html(text) == text.strip(), key
        assert not re.search(r"\w+://\w|www\.|'\{\w+\}'", text), key
        for part in key.split("."):
            assert re.fullmatch(r"(?!.*[_-]{2})[a-z0-9][a-z0-9_-]*", part), key


def test_exceptions() -> None:
    """Each exception has a text with the placeholders that it is raised with."""
    raised = list(_raised())
    texts = ENGLISH["exceptions"]

    assert raised
    for key, given in raised:
        assert given == _placeholders(texts[key]["message"]), key


@pytest.mark.parametrize("section", ["exceptions", "issues"])
def test_no_text_without_use(section: str) -> None:
    """Each text of this section is used in the code."""
    named = {key for node in NODES for key in _keys(node)}

    assert ENGLISH[section].keys() <= named


@pytest.mark.parametrize(
    ("argument", "part"),
    [
        ("reason", "abort"),
        # Home Assistant's name for the reason why a known station ends a dialog
        ("error", "abort"),
        ("progress_action", "progress"),
        ("step_id", "step"),
    ],
)
def test_flows(argument: str, part: str) -> None:
    """Each step, progress and end of a flow has its text."""
    flows = [ENGLISH["config"], ENGLISH["options"]]
    flows += [issue.get("fix_flow", {}) for issue in ENGLISH["issues"].values()]
    texts = {key for flow in flows for key in flow.get(part, {})}

    assert (keys := _arguments(argument))
    assert keys <= texts


def test_errors() -> None:
    """Each error in a flow has its text."""
    texts = {key for flow in ("config", "options") for key in ENGLISH[flow]["error"]}

    assert (keys := set(_errors()))
    assert keys <= texts


def test_translation_keys() -> None:
    """Each translation key in the code is one of an entity, issue, … with a text."""
    assigned = {
        key
        for node in NODES
        if isinstance(node, ast.Assign)
        and any(
            ast.unparse(target).endswith("_translation_key") for target in node.targets
        )
        for key in _keys(node.value)
    }
    texts = {
        key
        for group in (
            *ENGLISH["entity"].values(),
            *(ENGLISH[section] for section in ("exceptions", "issues", "selector")),
        )
        for key in group
    }

    assert assigned | _arguments("translation_key") <= texts


def test_selectors() -> None:
    """Exactly the options of each selector have texts."""
    assert ENGLISH["selector"].keys() == SELECTORS.keys()
    for name, options in SELECTORS.items():
        assert ENGLISH["selector"][name]["options"].keys() == options, name


async def test_system_health(hass: HomeAssistant, station: MockConfigEntry) -> None:
    """Exactly the lines of the system health have texts."""
    hass.data[DATA].journal.last_sync = dt_util.utcnow()
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()

    info = await get_system_health_info(hass, DOMAIN)

    assert info.keys() == ENGLISH["system_health"]["info"].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    """The sensor of each kind has a name, and an icon unless its device class has one."""
    for key in (kind, f"{kind}_numbered"):
        assert ENGLISH["entity"]["sensor"][key]["name"]
        assert KINDS[kind].device_class or key in ICONS["entity"]["sensor"]
    assert "{field}" in ENGLISH["entity"]["sensor"][f"{kind}_numbered"]["name"]


@pytest.mark.parametrize("status", STATUS, ids=lambda status: status.key)
def test_status(status: Any) -> None:
    """Each status value has a name and an icon, or a device class that has them."""
    if status.translation_key is None:
        assert status.device_class
    else:
        assert ENGLISH["entity"]["sensor"][status.translation_key]["name"]
        assert status.device_class or (
            status.translation_key in ICONS["entity"]["sensor"]
        )


def test_icons() -> None:
    """Each icon belongs to an entity or action that has a name."""
    for domain, entities in ICONS["entity"].items():
        assert entities.keys() <= ENGLISH["entity"][domain].keys()
    assert ICONS["services"].keys() == ENGLISH["services"].keys()
