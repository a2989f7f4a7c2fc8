"""Discovery of stations that are not set up and report with the key of one that is."""

from collections.abc import Callable
from itertools import islice
from typing import Final, Protocol

from homeassistant.config_entries import SOURCE_INTEGRATION_DISCOVERY, ConfigFlowContext
from homeassistant.const import CONF_API_KEY, CONF_MAC
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import discovery_flow

from ..config import StationConfig
from ..const import DOMAIN

# Whoever knows a key could make up MACs without end.
_MAX_OFFERS: Final = 5
# More than a person has, and few enough to be tried for anybody who sends something
_MAX_KEYS: Final = 20


class Discoverable(Protocol):
    """What a request brings that may have the key of another station."""

    @property
    def mac(self) -> str | None:
        """Return the normalized MAC, or None if what was sent is none."""

    def matches(self, key: bytes) -> bool:
        """Return whether the request was made with this key, in constant time."""


@callback
def async_discover(hass: HomeAssistant, credential: Discoverable) -> None:
    """Offer a station that no config entry has, if its key is another station's.

    An unknown key creates nothing. All this is done after the answer to the station,
    whose time shall not tell what is known here.
    """
    if credential.mac is not None:
        hass.loop.call_soon(_offer, hass, credential.mac, credential.matches)


@callback
def _offer(hass: HomeAssistant, mac: str, matches: Callable[[bytes], bool]) -> None:
    offers = hass.config_entries.flow.async_progress_by_handler(
        DOMAIN,
        include_uninitialized=True,
        match_context={"source": SOURCE_INTEGRATION_DISCOVERY},
    )
    if len(offers) >= _MAX_OFFERS:
        return
    entries = hass.config_entries.async_entries(DOMAIN, include_ignore=False)
    keys = {StationConfig.from_entry(entry).key for entry in entries}
    for key in islice(keys, _MAX_KEYS):
        if matches(key.encode()):
            discovery_flow.async_create_flow(
                hass,
                DOMAIN,
                ConfigFlowContext(source=SOURCE_INTEGRATION_DISCOVERY),
                {CONF_MAC: mac, CONF_API_KEY: key},
            )
            return
