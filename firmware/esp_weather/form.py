"""Turns what was entered on the portal's page into settings."""

import json
import sys

from esp_weather import CONFIG

_HTTPS = 443
_HTTP = 8123


class FormError(Exception):
    """What was entered is invalid; the text is a key of the texts."""


def known() -> dict:
    """Return the settings that the board has, or those of a new one."""
    for path in (CONFIG, CONFIG + ".new"):
        try:
            with open(path) as file:
                settings = json.load(file)
        except (OSError, ValueError):
            continue
        if isinstance(settings, dict):
            for name in ("wifi", "server"):
                if not isinstance(settings.get(name), dict):
                    settings[name] = {}
            return settings
    return {"interval": 60, "sensors": "auto"}


def keeps(settings: dict) -> bool:
    """Return whether the key may stay as it is when the Wi-Fi is changed.

    A key that is sent with each report must not be sent into the network of a stranger,
    and anybody nearby can enter one if the portal has no password.
    """
    # The default is that of config.py.
    is_compiled = __file__.endswith(".mpy")
    is_signed = settings.get("signed", sys.platform != "esp8266" or is_compiled)
    is_private = settings.get("portal")
    return bool(settings.get("key") and (is_signed or is_private))


def parse(body: bytes) -> dict[str, str]:
    """Return the fields of a form. Raises ValueError."""
    fields = {}
    for pair in body.split(b"&"):
        name, _, value = pair.partition(b"=")
        fields[name.decode()] = _plain(value)
    return fields


def change(settings: dict, fields: dict[str, str]) -> dict:
    """Return the settings with what was entered. Raises FormError.

    A field that was left empty keeps its old value, if there is one.
    """
    wifi = settings.get("wifi") or {}
    ssid = fields.get("ssid") or fields.get("other", "").strip()
    password = fields.get("password", "")
    if not ssid or len(ssid.encode()) > 32:
        raise FormError("no_network")
    if not password and ssid == wifi.get("ssid"):
        password = wifi.get("password", "")
    if password and not 8 <= len(password.encode()) <= 64:
        raise FormError("bad_password")
    key = fields.get("key", "").strip()
    address = fields.get("server", "").strip()
    server = settings.get("server") or {}
    if key:
        # With another key, it may be another Home Assistant.
        if key != settings.get("key"):
            server = {}
    elif keeps(settings):
        key = settings["key"]
    if not 0 < len(key) <= 64 or not _is_word(key):
        raise FormError("bad_key")
    if address:
        server = _server(address)
    changed = dict(settings)
    changed.update(
        {"wifi": {"ssid": ssid, "password": password}, "server": server, "key": key}
    )
    return changed


def _server(address: str) -> dict:
    """Return host, port and tls of an address. Raises FormError."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "http", address
    rest = rest.partition("/")[0]
    host, _, port = rest.partition(":")
    tls = scheme.lower() == "https"
    if (
        scheme.lower() not in ("http", "https")
        or not host
        or "@" in host
        or " " in rest
    ):
        raise FormError("bad_server")
    if not port:
        port = str(_HTTPS if tls else _HTTP)
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise FormError("bad_server")
    return {"host": host, "port": int(port), "tls": tls}


def _is_word(text: str) -> bool:
    for letter in text:
        if not ("a" <= letter.lower() <= "z" or "0" <= letter <= "9" or letter in "-_"):
            return False
    return True


def _plain(value: bytes) -> str:
    """Decode the value of a form field. Raises ValueError."""
    first, *others = value.replace(b"+", b" ").split(b"%")
    text = bytearray(first)
    for part in others:
        text.append(int(part[:2].decode(), 16))
        text.extend(part[2:])
    return text.decode()
