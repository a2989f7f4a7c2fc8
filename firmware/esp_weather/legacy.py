"""Reports over the legacy URL: one reading, of now, in the path of a GET."""

from esp_weather import VERSION
from esp_weather.buffer import Buffer
from esp_weather.client import DONE, DROP, REFUSED, RETRY, Client
from esp_weather.clock import Clock
from esp_weather.memory import Memory
from esp_weather.wifi import Wifi

_VERDICTS = {200: DONE, 400: DROP, 403: REFUSED}


class ReportClient(Client):
    """Reports readings to the server and returns the result."""

    KEEPS = False  # This report cannot carry the age of a reading.
    BATCH = 1  # readings that one report takes

    def __init__(
        self, config: dict, wifi: Wifi, _clock: Clock, _memory: Memory
    ) -> None:
        """Initialize with server, MAC and key; nothing is connected yet."""
        super().__init__(config["server"])
        self._path = "GET /update/API_key=%s/mac=%s" % (config["key"], wifi.mac)

    def report(self, buffer: Buffer, _limit: int) -> int:
        """Send the oldest reading that was not sent.

        Returns DONE, DROP, REFUSED or RETRY, with the reason in `answer`.
        """
        self.sent = 1
        self.stored = buffer.number
        self._reading = buffer.reading(0, 0)[:2]
        return _VERDICTS.get(self._ask(), RETRY)

    def _pieces(self):  # type: ignore[no-untyped-def]
        yield self._path
        yield "/field=%d/data=%.4f HTTP/1.1\r\n" % self._reading
        yield (
            "Host: %s:%d\r\n"
            "User-Agent: esp-weather/%s\r\n"
            "Accept: text/plain\r\n"
            "Connection: close\r\n"
            "\r\n"
        ) % (self._host, self._port, VERSION)

    def _read(self) -> int:
        return self._status()
