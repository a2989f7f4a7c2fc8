"""Reports over the legacy URL: one reading, of now, in the path of a GET."""

from esp_weather import VERSION
from esp_weather.clock import Clock
from esp_weather.report import DONE, DROP, REFUSED, RETRY, Client
from esp_weather.wifi import Wifi

_VERDICTS = {200: DONE, 400: DROP, 403: REFUSED}


class LegacyClient(Client):
    """Hands readings to the server and says what became of them."""

    KEEPS = False  # It cannot say how old a reading is.
    CAPACITY = 10  # readings: those of all fields, and never full
    BATCH = 1  # readings that one report takes

    def __init__(self, config: dict, wifi: Wifi, _clock: Clock) -> None:
        """Keep where to report to, and as whom; nothing is connected yet."""
        super().__init__(config["server"])
        self._request = (
            "GET /update/API_key=%s/mac=%s/field=%%d/data=%%.4f HTTP/1.1\r\n"
            "Host: %s:%d\r\n"
            "User-Agent: esp-weather/%s\r\n"
            "Accept: text/plain\r\n"
            "Connection: close\r\n"
            "\r\n"
        ) % (config["key"], wifi.mac, self._host, self._port, VERSION)

    def report(self, readings: list[tuple[int, float, int]]) -> int:
        """Send a list of BATCH readings, each a field, a value and an age.

        Returns DONE, DROP, REFUSED or RETRY, and says why in `answer`.
        """
        request = self._request % readings[0][:2]
        return _VERDICTS.get(self._ask(request.encode()), RETRY)
