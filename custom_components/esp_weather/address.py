"""What to configure in a station: the address of Home Assistant and config.json."""

import json
from typing import Final
from urllib.parse import urlencode

from yarl import URL

from homeassistant.core import HomeAssistant
from homeassistant.helpers.network import NoURLAvailableError, get_url

_INTERVAL: Final = 60  # seconds
# The portal of a board without settings, in its own network
_PORTAL: Final = "http://192.168.4.1/"
# HTML is not allowed in translations. The JSON is collapsed so that the address is on
# the first screen of a phone, and left-aligned, since Home Assistant centres the text
# of a progress step, which makes JSON unreadable.
_FOLD: Final = {
    "fold": "<details><summary>",
    "folded": '</summary><table role="presentation"><tr><td align="left"><pre>',
    "end": "</pre></td></tr></table></details>",
}


def server_url(hass: HomeAssistant) -> URL:
    """Return the address that Home Assistant answers on in the local network.

    The internal URL if the user has set one; else address, port and scheme of its web
    server. An IP address rather than a name: many boards cannot look up names of the
    local network, and a cloud URL is of no use to any of them.
    """
    if hass.config.internal_url is not None or hass.config.api is None:
        try:
            return URL(
                get_url(hass, allow_external=False, allow_cloud=False, allow_ip=True)
            )
        except NoURLAvailableError:
            pass
    api = hass.config.api
    if api is None:
        return URL("http://homeassistant.local:8123")
    return URL.build(
        scheme="https" if api.use_ssl else "http", host=api.local_ip, port=api.port
    )


def portal_url(hass: HomeAssistant, key: str) -> str:
    """Return the address of a board's portal, with the settings to fill in.

    They are in the fragment, which a browser does not send.
    """
    server = server_url(hass)
    fragment = {"key": key, "host": server.host, "port": server.port}
    if server.scheme == "https":
        fragment["tls"] = 1
    return f"{_PORTAL}#{urlencode(fragment)}"


def setup_placeholders(
    hass: HomeAssistant, key: str, mac: str = "MAC"
) -> dict[str, str]:
    """Return the placeholders of the texts that say what to configure in a station.

    Between `fold` and `folded` is the line that a click opens `config` with, which
    `end` follows.
    """
    server = server_url(hass)
    config = {
        "wifi": {"ssid": "", "password": ""},
        "server": {
            "host": server.host,
            "port": server.port,
            "tls": server.scheme == "https",
        },
        "key": key,
        "interval": _INTERVAL,
        "deep_sleep": False,
        "sensors": [{"type": "mcp9808", "field": 1, "scl": 5, "sda": 4, "address": 24}],
    }
    address = str(server).rstrip("/")
    return {
        "server": address,
        "url": f"{address}/update/API_key={key}/mac={mac}/field=1/data=21.5",
        "config": json.dumps(config, indent=1),
        **_FOLD,
    }
