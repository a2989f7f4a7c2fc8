"""The package that mip installs is complete."""

import json
import re

from custom_components.esp_weather.const import FIRMWARE_VERSION

from .interpreter import FIRMWARE


def test_package() -> None:
    """The package has every module, under its name, and the firmware's version."""
    package = json.loads((FIRMWARE / "package.json").read_text())
    modules = [
        "main.py",
        "slots.py",
        *sorted(
            f"esp_weather/{path.name}"
            for path in (FIRMWARE / "esp_weather").glob("*.py")
        ),
    ]
    assert package["urls"] == [[module, module] for module in modules]
    assert package["version"] == _version()


def test_newest_version() -> None:
    """The integration offers the firmware that lies beside it.

    That one has a version of its own: not each release of the integration has a new one.
    """
    assert _version() == FIRMWARE_VERSION


def _version() -> str:
    source = (FIRMWARE / "esp_weather" / "__init__.py").read_text()
    (version,) = re.findall(r'^VERSION = "([^"]+)"', source, re.MULTILINE)
    return str(version)
