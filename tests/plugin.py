"""Lets Home Assistant's pytest plugin run on a newer Home Assistant.

The plugin trails Home Assistant by a release. Loaded with -p, so before the plugin.
"""

# Imported before httpx, which Home Assistant replaces.
from homeassistant.components import logger
from homeassistant.components.logger import helpers

# Moved there in 2026.11.
logger._clear_logger_overwrites = helpers._clear_logger_overwrites  # type: ignore[attr-defined]
