"""The configuration folder that a new Home Assistant (HA) starts with."""

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from homeassistant.const import MAJOR_VERSION, MINOR_VERSION

CHECKOUT = Path(__file__).parents[1]
INTEGRATION = CHECKOUT / "custom_components" / "esp_weather"
BLUEPRINTS = CHECKOUT / "blueprints" / "automation" / "esp_weather"

# Users on this machine are logged in without a password.
LOGIN = """\
homeassistant:
  auth_providers:
    - type: trusted_networks
      trusted_networks:
        - 127.0.0.1
        - ::1
      allow_bypass_login: true
    - type: homeassistant
"""
LOGGER = """\
logger:
  default: warning
  logs:
    # No need of ffmpeg, libturbojpeg and isal, which this machine may not have
    haffmpeg: critical
    homeassistant.components.camera.img_util: critical
    aiohttp_fast_zlib: error
"""
CONFIGURATION = f"""\
# Written by scripts/develop at its first start. Change it as you like.
{LOGIN}
# What default_config brings, less what looks for devices or asks the internet
energy:
history:
logbook:
media_source:
my:
recorder:
sun:
webhook:

{LOGGER}
automation: !include automations.yaml
script: !include scripts.yaml
scene: !include scenes.yaml
"""
# Since 2026.8 HA reads this from .storage/http and deprecates it in YAML.
HTTP_CONFIGURATION = """
http:
  server_host: 127.0.0.1
  server_port: !env_var SETUP_PORT
"""


def seed(config: Path, port: int, http: Mapping[str, Any] = {}) -> None:
    """Prepare a configuration folder so that HA starts with its dashboard.

    Users on this machine need not log in, HA does not access the internet, and the
    integration is that of the checkout. Existing files are kept, except for the port.
    `http` is added to the settings of the web server.
    """
    (config / ".storage").mkdir(parents=True, exist_ok=True)
    # HA migrates this store. Its content counts as confirmed, unlike `http:` in YAML,
    # which HA reverts after five minutes.
    server = {"server_host": ["127.0.0.1"], "server_port": port, **http}
    store(config, "http", 1, server)
    if (config / "configuration.yaml").exists():
        return

    # Finishing these steps over REST would set up integrations that use the internet.
    done = ["core_config", "analytics", "integration"]
    store(config, "onboarding", 4, {"done": done})
    store(
        config,
        "core.config",
        1,
        {
            "location_name": "Home",
            "latitude": 51.4779,
            "longitude": -0.0015,
            "elevation": 45,
            "radius": 100,
            "time_zone": _time_zone(),
            "unit_system_v2": "metric",
            "currency": "EUR",
            "country": "GB",
            "language": "en",
            "external_url": None,
            "internal_url": None,
        },
        minor_version=4,
    )
    # The dashboard with every entity that there is, new ones included
    store(config, "lovelace", 1, {"config": {"strategy": {"type": "original-states"}}})
    (config / "custom_components").mkdir(exist_ok=True)
    (config / "custom_components" / INTEGRATION.name).symlink_to(INTEGRATION)
    # One by one: HA looks for blueprints in folders, but not in linked ones.
    blueprints = config / "blueprints" / "automation" / BLUEPRINTS.name
    blueprints.mkdir(parents=True, exist_ok=True)
    for blueprint in BLUEPRINTS.glob("*.yaml"):
        (blueprints / blueprint.name).symlink_to(blueprint)
    for included in ("automations", "scripts", "scenes"):
        (config / f"{included}.yaml").touch()
    # Otherwise HA would use /media where that folder exists.
    media = config / "media"
    media.mkdir(exist_ok=True)
    login = f"{LOGIN}  media_dirs:\n    local: {media.absolute()}\n"
    text = CONFIGURATION.replace(LOGIN, login)
    if (MAJOR_VERSION, MINOR_VERSION) < (2026, 8):
        text += HTTP_CONFIGURATION
        text += "".join(f"  {name}: {json.dumps(http[name])}\n" for name in http)
    (config / "configuration.yaml").write_text(text)


def store(
    config: Path,
    key: str,
    version: int,
    data: Mapping[str, Any],
    minor_version: int = 1,
) -> None:
    """Write the file `key` of HA's storage as HA's `helpers.storage.Store` does."""
    content = {
        "version": version,
        "minor_version": minor_version,
        "key": key,
        "data": data,
    }
    (config / ".storage" / key).write_text(json.dumps(content, indent=2))


def _time_zone() -> str:
    """Return the name of this machine's time zone, or UTC if it has none."""
    _, _, name = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")
    return name if name in available_timezones() else "UTC"
