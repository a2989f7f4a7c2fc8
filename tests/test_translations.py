"""The translations: complete, and filled in alike in each language."""

from collections.abc import Iterator
import json
from pathlib import Path
import string
from typing import Any

import pytest

INTEGRATION = Path(__file__).parents[1] / "custom_components" / "esp_weather"
TRANSLATIONS = INTEGRATION / "translations"


def _texts(translations: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Return each text with its path."""
    for key, value in translations.items():
        if isinstance(value, dict):
            yield from _texts(value, f"{path}{key}.")
        else:
            yield path + key, value


def _load(language: str) -> dict[str, str]:
    return dict(_texts(json.loads((TRANSLATIONS / f"{language}.json").read_text())))


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_languages() -> None:
    """These are the languages that there are."""
    assert {path.stem for path in TRANSLATIONS.iterdir()} == {"de", "en", "es", "fr"}


@pytest.mark.parametrize("language", ["de", "es", "fr"])
def test_same_keys(language: str) -> None:
    """Each text is there in each language, with the same things to fill in."""
    english, other = _load("en"), _load(language)

    assert other.keys() == english.keys()
    for key, text in other.items():
        assert text.strip(), key
        assert _placeholders(text) == _placeholders(english[key]), key
        # Words that are the same in both languages are short.
        assert text != english[key] or len(text) < 20, key
