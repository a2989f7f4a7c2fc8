"""Stations that are not set up and report with the key of one that is."""

from collections.abc import Callable
from itertools import islice
from typing import Final

from homeassistant.config_entries import SOURCE_INTEGRATION_DISCOVERY, ConfigFlowContext
from homeassistant.const import CONF_API_KEY, CONF_MAC
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import discovery_flow

from ..const import DOMAIN
from ..protocol.readings import normalize_mac

# Whoever knows a key could make up MACs without end.
_MAX_OFFERS: Final = 5
# More than a person has, and few enough to be tried for anybody who sends something
_MAX_KEYS: Final = 20


@callback
def async_discover(hass: HomeAssistant, mac_if: Callable[[str], str | None]) -> None:
    """Offer a station that no config entry has, if its key is another station's.

    `mac_if` returns the station's MAC if the key it is given is the one that the
    station has reported with. An unknown key creates nothing. All this is done
    after the answer to the station, whose time shall not tell what is known here.
    """
    hass.loop.call_soon(_offer, hass, mac_if)


@callback
def _offer(hass: HomeAssistant, mac_if: Callable[[str], str | None]) -> None:
    offers = hass.config_entries.flow.async_progress_by_handler(
        DOMAIN,
        include_uninitialized=True,
        match_context={"source": SOURCE_INTEGRATION_DISCOVERY},
    )
    if len(offers) >= _MAX_OFFERS:
        return
    entries = hass.config_entries.async_entries(DOMAIN, include_ignore=False)
    keys = {entry.data[CONF_API_KEY] for entry in entries}
    for key in islice(keys, _MAX_KEYS):
        if (mac := mac_if(key)) is not None:
            try:
                mac = normalize_mac(mac)
            except ValueError:
                return
            discovery_flow.async_create_flow(
                hass,
                DOMAIN,
                ConfigFlowContext(source=SOURCE_INTEGRATION_DISCOVERY),
                {CONF_MAC: mac, CONF_API_KEY: key},
            )
            return
