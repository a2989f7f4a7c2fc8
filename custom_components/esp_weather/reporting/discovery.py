"""Handles wrong keys: repair issues, and discovery of stations not set up yet."""

from functools import partial
from itertools import islice
from typing import Final

from homeassistant.config_entries import SOURCE_INTEGRATION_DISCOVERY, ConfigFlowContext
from homeassistant.const import CONF_API_KEY, CONF_MAC
from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.helpers import discovery_flow
from homeassistant.helpers.event import async_call_later

from ..config import key_of
from ..const import DOMAIN
from ..data import DATA, WrongCredential, async_find_entry
from ..refusals import Issue

# Wrong keys are handled in batches, which bounds the work that strangers can cause.
_INTERVAL: Final = 1.0  # seconds
_MAX_NOTED: Final = 16
# Anybody who knows a key could invent any number of MACs.
_MAX_OFFERS: Final = 5
# More than anybody has, and few enough to be compared for every stranger
_MAX_KEYS: Final = 20


@callback
def async_note_wrong_key(hass: HomeAssistant, credential: WrongCredential) -> None:
    """Note a report with a wrong key, whether its station exists or not.

    It counts for the issue of its station, or the station is offered if its key is
    that of another one. This is done a second later, with the same work for a known
    and an unknown MAC: the time of an answer does not reveal which it is.
    """
    noted = hass.data[DATA].wrong_credentials
    if not noted:
        async_call_later(
            hass,
            _INTERVAL,
            HassJob(partial(_async_follow_up, hass), cancel_on_shutdown=True),
        )
    if len(noted) < _MAX_NOTED:
        noted.append(credential)


@callback
def _async_follow_up(hass: HomeAssistant, _: object) -> None:
    data = hass.data[DATA]
    noted = [*data.wrong_credentials]
    data.wrong_credentials.clear()
    for credential in noted:
        if (station := data.stations.get(credential.mac or "")) is not None:
            station.refusals.async_refused(Issue.WRONG_KEY)
    unknown = [each for each in noted if async_find_entry(hass, each.mac) is None]
    credential = next((each for each in unknown if each.mac), noted[0])
    key = _async_find_key(hass, credential)
    if key is not None and credential.mac is not None and credential in unknown:
        discovery_flow.async_create_flow(
            hass,
            DOMAIN,
            ConfigFlowContext(source=SOURCE_INTEGRATION_DISCOVERY),
            {CONF_MAC: credential.mac, CONF_API_KEY: key},
        )


@callback
def _async_find_key(hass: HomeAssistant, credential: WrongCredential) -> str | None:
    """Return the key of a configured station that the credential matches."""
    offers = hass.config_entries.flow.async_progress_by_handler(
        DOMAIN,
        include_uninitialized=True,
        match_context={"source": SOURCE_INTEGRATION_DISCOVERY},
    )
    if len(offers) >= _MAX_OFFERS:
        return None
    entries = hass.config_entries.async_entries(DOMAIN, include_ignore=False)
    keys = dict.fromkeys(map(key_of, entries))
    found = [key for key in islice(keys, _MAX_KEYS) if credential.matches(key)]
    return found[0].decode() if found else None
