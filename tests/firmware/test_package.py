"""What mip installs is all that is needed."""

import json

from custom_components.esp_weather.const import FIRMWARE_VERSION

from .interpreter import CHECKOUT, FIRMWARE


def test_package() -> None:
    """The package has every module, under its name, and the version of the rest."""
    package = json.loads((FIRMWARE / "package.json").read_text())
    modules = sorted(str(path.relative_to(FIRMWARE)) for path in FIRMWARE.rglob("*.py"))
    assert sorted(package["urls"]) == [[module, module] for module in modules]

    version = package["version"]
    assert (
        f'\nVERSION = "{version}"\n'
        in (FIRMWARE / "esp_weather" / "__init__.py").read_text()
    )
    manifest = CHECKOUT / "custom_components" / "esp_weather" / "manifest.json"
    assert json.loads(manifest.read_text())["version"] == version
    assert version == FIRMWARE_VERSION
