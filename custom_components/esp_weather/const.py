"""Constants that more than one module of ESP Weather uses."""

from typing import Final

DOMAIN: Final = "esp_weather"

# Keys of entry data and options, which only config.py reads
CONF_ARCHIVE: Final = "archive"
CONF_DECLARED: Final = "declared"
CONF_FIELDS: Final = "fields"
CONF_KIND: Final = "kind"
CONF_LEGACY: Final = "legacy"
CONF_OFFSET: Final = "offset"
CONF_PLACE: Final = "place"
CONF_TIMEOUT: Final = "timeout"
CONF_UNIT: Final = "unit"
CONF_VALUE: Final = "value"
CONF_WINDOWS: Final = "windows"

DEFAULT_LEGACY: Final = True
DEFAULT_TIMEOUT: Final = 15

# The firmware version that was released with this version of the integration
FIRMWARE_VERSION: Final = "0.3.0"
