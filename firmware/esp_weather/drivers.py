"""Creates the drivers of the sensors. Unloaded when that is done."""

import machine


def create(settings: dict, buses: dict):  # type: ignore[no-untyped-def]
    """Return the driver of a sensor. Sensors at the same pins share one of the buses.

    Raises ValueError if the sensor cannot be where the settings say.
    """
    kind = settings["type"]
    pin = settings.get("pin")
    pins = (pin, settings.get("scl"), settings.get("sda"))
    if kind == "analog":
        buses[pins] = pin
    elif pins not in buses:
        buses[pins] = (
            machine.SoftI2C(scl=machine.Pin(pins[1]), sda=machine.Pin(pins[2]))
            if pin is None
            else machine.Pin(pin)
        )
    options = {
        name: settings[name]
        for name in settings
        if name not in ("type", "field", "pin", "scl", "sda", "unit")
    }
    # Only the needed drivers are loaded.
    module = __import__("esp_weather." + kind, None, None, (kind,))
    return getattr(module, kind.upper())(buses[pins], **options)
