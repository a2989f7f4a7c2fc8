"""The sensors of the station, of any type."""

import machine


class Sensors:
    """Measures with all sensors at once, and goes on without those that fail."""

    def __init__(self, settings: list, missing: int = 0) -> None:
        """Get the sensors of the settings ready.

        Of those that are `missing` it was said before the last sleep.
        Raises ValueError if one cannot be where the settings say.
        """
        self.missing = missing  # a bit for each sensor that cannot be read: its field
        buses: dict = {}
        self._sensors = []
        for sensor in settings:
            try:
                driver = _open(sensor, buses)
            except ValueError as err:
                raise ValueError("config.json: %s: %s" % (_name(sensor), err))
            self._sensors.append((sensor["field"], _name(sensor), driver))
        self._started: list = []

    def start(self) -> int:
        """Begin to measure and return how many milliseconds that takes."""
        longest = 0
        self._started = []
        for sensor in self._sensors:
            try:
                longest = max(longest, sensor[2].start())
                self._started.append(sensor)
            except Exception as err:  # noqa: BLE001 # The drivers of the port raise it.
                self._miss(sensor, err)
        return longest

    def read(self) -> list[tuple[int, float]]:
        """Return what was measured: pairs of a field and a value."""
        readings = []
        for sensor in self._started:
            field, name, driver = sensor
            try:
                values = driver.read()
            except Exception as err:  # noqa: BLE001
                self._miss(sensor, err)
                continue
            if self.missing & 1 << field:
                self.missing &= ~(1 << field)
                print(name, "is there again")
            for value in values:
                readings.append((field, value))
                field += 1
        return readings

    def _miss(self, sensor: tuple, err: Exception) -> None:
        """Say once that a sensor cannot be read."""
        field, name, _ = sensor
        if not self.missing & 1 << field:
            self.missing |= 1 << field
            print(name, "cannot be read:", type(err).__name__, err)


def _name(sensor: dict) -> str:
    return "%s of field %d" % (sensor["type"], sensor["field"])


def _open(sensor: dict, buses: dict):  # type: ignore[no-untyped-def]
    """Return the driver of a sensor. Sensors at the same pins share a bus."""
    pins = (sensor.get("pin"), sensor.get("scl"), sensor.get("sda"))
    if pins not in buses:
        pin, scl, sda = pins
        buses[pins] = (
            machine.SoftI2C(scl=machine.Pin(scl), sda=machine.Pin(sda))
            if pin is None
            else machine.Pin(pin)
        )
    options = {name: sensor[name] for name in ("address", "rom") if name in sensor}
    # Only the drivers that are needed take memory.
    kind = sensor["type"]
    module = __import__("esp_weather." + kind, None, None, (kind,))
    return getattr(module, kind.upper())(buses[pins], **options)
