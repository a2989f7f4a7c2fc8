"""Stations that are not set up and report with the key of one that is."""

from hmac import compare_digest
from typing import Final

from homeassistant.config_entries import SOURCE_INTEGRATION_DISCOVERY, ConfigFlowContext
from homeassistant.const import CONF_API_KEY, CONF_MAC
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import discovery_flow

from .const import DOMAIN
from .protocol import normalize_mac

# Whoever knows a key could make up MACs without end.
_MAX_OFFERS: Final = 5


@callback
def async_discover(hass: HomeAssistant, mac: str, key: str) -> None:
    """Offer a station that no config entry has, if its key is another station's.

    An unknown key creates nothing. The offer is made after the answer to the
    station, whose time shall not tell that the key is right.
    """
    is_known = False
    for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False):
        is_known |= compare_digest(
            entry.data[CONF_API_KEY].encode(), key.encode(errors="replace")
        )
    try:
        mac = normalize_mac(mac)
    except ValueError:
        return
    if is_known:
        hass.loop.call_soon(_offer, hass, mac, key)


@callback
def _offer(hass: HomeAssistant, mac: str, key: str) -> None:
    offers = hass.config_entries.flow.async_progress_by_handler(
        DOMAIN,
        include_uninitialized=True,
        match_context={"source": SOURCE_INTEGRATION_DISCOVERY},
    )
    if len(offers) < _MAX_OFFERS:
        discovery_flow.async_create_flow(
            hass,
            DOMAIN,
            ConfigFlowContext(source=SOURCE_INTEGRATION_DISCOVERY),
            {CONF_MAC: mac, CONF_API_KEY: key},
        )
