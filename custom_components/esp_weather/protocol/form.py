"""The form report: what sketches and libraries made for ThingSpeak send, unsigned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import accumulate
import re
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import orjson

from .readings import FIELDS, Reading, ReportError, parse_number
from .signed import MAX_AGE

# ThingSpeak's own limit for a free account
MAX_UPDATES: Final = 960

# A clock of a station may be fast. What is further ahead is the time of another zone.
_MAX_AHEAD: Final = 300.0  # seconds
_MAX_PARAMETERS: Final = 64
_FIELDS: Final = tuple((number, f"field{number}") for number in FIELDS)
# As ThingSpeak names the key: for one update, for many, and in its first years
_KEYS: Final = ("api_key", "write_api_key", "key")
# The columns of an update in CSV begin with its time; those after field8 say nothing
# of what was measured.
_CSV_FIELDS: Final = tuple(f"field{number}" for number in range(1, 9))
# The `+` of a time zone that was not percent-encoded arrives as a blank.
_LOST_PLUS: Final = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")


class Refused(NamedTuple):
    """A reading that was left out: of which update, from 1, of which field, and why."""

    update: int
    field: int
    reason: ReportError


class Updates(NamedTuple):
    """The readings of a form report, and those that were left out."""

    readings: tuple[Reading, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """What a form report holds, read only as far as needed to tell whose it is.

    `fault` is why the rest of it cannot be read. Only the station may learn that, so
    it is raised when the readings are asked for.
    """

    content: Mapping[str, Any]
    fault: ReportError | None = None

    @property
    def key(self) -> str | None:
        """Return the key of the station, None if it is not in the query or body."""
        return next((key for name in _KEYS if (key := self._text(name))), None)

    @property
    def mac(self) -> str | None:
        """Return the MAC as it was sent, None if it was not."""
        return self._text("mac")

    @property
    def timezone(self) -> str | None:
        """Return the name of the time zone of times that name none themselves."""
        return self._text("timezone")

    def _text(self, name: str) -> str | None:
        value = self.content.get(name)
        return value if isinstance(value, str) and value else None

    def update(self, now: datetime, zone: tzinfo = UTC) -> Updates:
        """Return the readings of a single update, as they were `now`.

        `zone` is that of a `created_at` without one. Raises ReportError.
        """
        if self.fault:
            raise self.fault
        return _readings([self.content], now, zone)

    def bulk_update(self, now: datetime, zone: tzinfo = UTC) -> Updates:
        """Return the readings of many updates, as JSON or as CSV.

        Each has its time in `created_at`, or in `delta_t` the seconds since the one
        before it; the last of these was measured `now`. Raises ReportError.
        """
        if self.fault:
            raise self.fault
        match self.content:
            case {"updates": list(updates)}:
                pass
            case {"updates": str(text)}:
                updates = _parse_csv(text, self._text("time_format"))
            case _:
                raise ReportError("no_updates")
        if len(updates) > MAX_UPDATES:
            raise ReportError("too_many_updates", maximum=str(MAX_UPDATES))
        if not all(isinstance(update, dict) for update in updates):
            raise ReportError("no_updates")
        return _readings(updates, now, zone)


def parse_form(query: str, body: bytes) -> Form:
    """Return what the query and the body of a request hold (docs/protocol.md).

    The body is JSON if it begins like that, else a form, whatever its Content-Type:
    sketches send none or a wrong one. It wins over the query.
    """
    content: dict[str, Any] = {}
    try:
        content |= _parse_parameters(query)
        content |= _parse_body(body)
    except ReportError as err:
        return Form(content, err)
    return Form(content)


def _parse_body(body: bytes) -> dict[str, Any]:
    if not body.lstrip().startswith(b"{"):
        return _parse_parameters(body.decode(errors="replace"))
    try:
        content: dict[str, Any] = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ReportError("invalid_json") from None
    return content


def _parse_parameters(text: str) -> dict[str, str]:
    try:
        parameters = parse_qsl(
            text.strip(), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS
        )
    except ValueError:
        raise ReportError("too_many_parameters", maximum=str(_MAX_PARAMETERS)) from None
    return dict(parameters)


def _parse_csv(text: str, time_format: str | None) -> list[dict[str, str]]:
    time = "delta_t" if time_format == "relative" else "created_at"
    columns = (time, *_CSV_FIELDS)
    return [
        dict(zip(columns, line.split(","), strict=False))
        for line in text.strip().split("|", MAX_UPDATES)
    ]


def _readings(
    updates: Sequence[Mapping[str, Any]], now: datetime, zone: tzinfo
) -> Updates:
    readings: list[Reading] = []
    refused: list[Refused] = []
    for number, (update, since) in enumerate(
        zip(updates, _since_each(updates), strict=False), start=1
    ):
        age: float | ReportError
        try:
            age = _age(update, now, zone, since)
        except ReportError as err:
            age = err
        for field, name in _FIELDS:
            value = update.get(name)
            if value is None or value == "":
                continue
            try:
                if isinstance(age, ReportError):
                    raise age
                readings.append(Reading(field, parse_number(str(value)), age))
            except ReportError as err:
                refused.append(Refused(number, field, err))
    return Updates(tuple(readings), tuple(refused))


def _since_each(updates: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return the seconds from each update to the last one, as far as `delta_t` says."""
    deltas = [_delta(update) for update in updates[1:]]
    return [*accumulate(reversed(deltas), initial=0.0)][::-1]


def _age(update: Mapping[str, Any], now: datetime, zone: tzinfo, since: float) -> float:
    """Return how many seconds before `now` an update was measured.

    `since` are those between it and the newest one, as far as these say. Raises
    ReportError if that was too long ago, or has yet to come.
    """
    if (created_at := update.get("created_at")) in (None, ""):
        age = since
    else:
        age = (now - _parse_time(created_at, zone)).total_seconds()
    if age < -_MAX_AHEAD:
        raise ReportError("time_in_future")
    if age > MAX_AGE:
        raise ReportError("time_too_old", maximum=str(MAX_AGE // (24 * 3600)))
    return max(0.0, age)


def _delta(update: Mapping[str, Any]) -> float:
    if (delta := update.get("delta_t")) in (None, ""):
        return 0.0
    try:
        seconds = parse_number(str(delta))
    except ReportError:
        seconds = -1.0
    if seconds < 0:
        # Without it nothing is known of the time of those before.
        raise ReportError("invalid_delta")
    return seconds


def _parse_time(text: Any, zone: tzinfo) -> datetime:
    """Return a time in ISO 8601, as MySQL writes it or in seconds since 1970."""
    text = str(text).strip().replace(" UTC", "Z")
    try:
        if text.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(text), UTC)
        time = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text))
    except ValueError, OverflowError, OSError:
        raise ReportError("invalid_created_at") from None
    return time if time.tzinfo else time.replace(tzinfo=zone)
