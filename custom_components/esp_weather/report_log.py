"""What has become of the reports: how many were taken, and why the last were refused."""

from collections import defaultdict, deque
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Final, NamedTuple

from homeassistant.core import callback
from homeassistant.util import dt as dt_util

_KEPT: Final = 10  # refusals per station, and of all unknown senders together


class Refusal(NamedTuple):
    """A report that was refused or, with a status of success, one reading of it.

    Holds nothing that the station has sent except the number of the field.
    """

    time: datetime
    protocol: str
    status: HTTPStatus
    reason: str
    field: int | None = None


class ReportLog:
    """Counts the reports since Home Assistant started, and keeps the last refusals."""

    def __init__(self) -> None:
        """Initialize an empty log."""
        self.taken = 0
        self.refused = 0
        # The last protocol of each station, by MAC
        self.protocols: dict[str, str] = {}
        self._refusals: defaultdict[str | None, deque[Refusal]] = defaultdict(
            partial(deque, maxlen=_KEPT)
        )

    @callback
    def async_taken(self, mac: str, protocol: str) -> None:
        """Count a report of a station that was taken."""
        self.taken += 1
        self.protocols[mac] = protocol

    @callback
    def async_refused(
        self, mac: str | None, protocol: str, status: HTTPStatus, reason: str
    ) -> None:
        """Count a refused report; `mac` is None if it is of no configured station."""
        self.refused += 1
        self._refusals[mac].append(Refusal(dt_util.utcnow(), protocol, status, reason))

    @callback
    def async_left_out(self, mac: str, protocol: str, field: int, reason: str) -> None:
        """Keep the refusal of one reading, the rest of whose report was taken."""
        self._refusals[mac].append(
            Refusal(dt_util.utcnow(), protocol, HTTPStatus.OK, reason, field)
        )

    def refusals(self, mac: str | None) -> list[Refusal]:
        """Return the last refusals of a station, or of senders that are none."""
        return [*self._refusals.get(mac, ())]
