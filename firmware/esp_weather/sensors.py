"""The sensors of the station."""

from esp_weather import SettingsError
from esp_weather.start import forget


class Sensors:
    """Measures with all sensors in parallel, and continues without those that fail."""

    def __init__(self, settings: list, missing: int = 0) -> None:
        """Initialize the configured sensors.

        Those that are `missing` were reported before the last sleep.
        Raises SettingsError if one cannot be where the settings say.
        """
        self.missing = missing  # bit mask of the fields whose sensor cannot be read
        self._buses: dict = {}
        self._sensors = [[sensor, None] for sensor in settings]
        self._started: list = []
        for sensor in self._sensors:
            try:
                self._open(sensor)
            except ValueError as err:
                raise SettingsError("config.json: %s: %s" % (_name(sensor[0]), err))
            except Exception as err:  # noqa: BLE001 # The others go on without it.
                self._miss(sensor[0], err)

    def start(self) -> int:
        """Start the measurements and return how many milliseconds they take."""
        longest = 0
        self._started = []
        for sensor in self._sensors:
            try:
                self._open(sensor)
                longest = max(longest, sensor[1].start())
                self._started.append(sensor)
            except Exception as err:  # noqa: BLE001 # The drivers of the port raise it.
                self._miss(sensor[0], err)
        return longest

    def read(self) -> list[tuple[int, float]]:
        """Return the measured values as pairs of field and value."""
        readings = []
        for settings, driver in self._started:
            field = settings["field"]
            try:
                values = driver.read()
                for value in values:
                    if not -1e9 < value < 1e9:
                        raise ValueError("%s is no value" % value)  # noqa: TRY301
            except Exception as err:  # noqa: BLE001
                self._miss(settings, err)
                continue
            if self.missing & 1 << field:
                self.missing &= ~(1 << field)
                print(_name(settings), "is there again")
            for value in values:
                readings.append((field, value))
                field += 1
        return readings

    def _miss(self, settings: dict, err: Exception) -> None:
        """Print once that a sensor cannot be read."""
        field = settings["field"]
        if not self.missing & 1 << field:
            self.missing |= 1 << field
            print(_name(settings), "cannot be read:", type(err).__name__, err)

    def _open(self, sensor: list) -> None:
        """Create the driver if needed."""
        if sensor[1] is None:
            from esp_weather import drivers  # noqa: PLC0415 # seldom needed

            try:
                sensor[1] = drivers.create(sensor[0], self._buses)
            finally:
                forget("drivers")


def _name(sensor: dict) -> str:
    return "%s of field %d" % (sensor["type"], sensor["field"])
