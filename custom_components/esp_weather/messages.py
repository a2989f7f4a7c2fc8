"""Translated texts for places that Home Assistant does not translate itself."""

from collections.abc import Mapping

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN


async def async_translate(
    hass: HomeAssistant, key: str, placeholders: Mapping[str, str] = {}
) -> str:
    """Return the text that `key`, such as "exceptions.forbidden.message", names."""
    category, _, _ = key.partition(".")
    texts = await async_get_translations(hass, hass.config.language, category, {DOMAIN})
    return texts[f"component.{DOMAIN}.{key}"].format(**placeholders)


def invalid(key: str, **placeholders: str) -> ServiceValidationError:
    """Return a ServiceValidationError with the exception `key` of the translations."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders=placeholders,
    )
