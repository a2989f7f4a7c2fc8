"""The form report: what sketches and libraries made for ThingSpeak send, unsigned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import accumulate
from math import isnan, nan
import re
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

import orjson

from .readings import FIELDS, Reading, Reason, ReportError, parse_number
from .signed import MAX_AGE

# ThingSpeak's own limit for a free account
MAX_UPDATES: Final = 960

# A station's clock may be fast. A time further ahead is in another time zone.
_MAX_AHEAD: Final = 300.0  # seconds
_MAX_PARAMETERS: Final = 64
_FIELDS: Final = tuple((number, f"field{number}") for number in FIELDS)
# ThingSpeak's names of the key: for one update, for bulk updates, and formerly
_KEYS: Final = (b"api_key", b"write_api_key", b"key")
# The value of a key or MAC, neither of which is longer
_VALUE: Final = re.compile(rb"([^&\s]{1,256})(?:[&\s]|$)")
# The group is unset if the value is not a text: then it is neither a key nor a MAC.
_JSON_VALUE: Final = re.compile(rb'\s*:\s*+(?!null)(?:"([^"\\]{1,256})")?')
# The fields; ThingSpeak has one less. In CSV the columns after them hold nothing
# that was measured.
FORM_FIELDS: Final = tuple(f"field{number}" for number in range(1, 9))
# The `+` of a time zone that was not percent-encoded arrives as a blank.
_LOST_PLUS: Final = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")


class Refused(NamedTuple):
    """A reading that was left out: the update (from 1), the field, and the reason."""

    update: int
    field: int
    reason: ReportError


class Updates(NamedTuple):
    """The readings of a form report, and those that were left out.

    `numbers` are the numbers of the readings' updates, from 1.
    """

    readings: tuple[Reading, ...]
    numbers: tuple[int, ...]
    refused: tuple[Refused, ...]


class Sender(NamedTuple):
    """The claimed sender of a form report. The MAC is as it was sent."""

    key: str | None
    mac: str | None


@dataclass(frozen=True, slots=True)
class Form:
    """The parameters of a form report."""

    content: Mapping[str, Any]

    @property
    def timezone(self) -> str | None:
        """Return the name of the time zone of times without one."""
        return self._text("timezone")

    def _text(self, name: str) -> str | None:
        value = self.content.get(name)
        return value if isinstance(value, str) and value else None

    def update(self, now: datetime, zone: tzinfo = UTC) -> Updates:
        """Return the readings of a single update, as they were `now`.

        `zone` is the time zone of a `created_at` without one. Raises ReportError.
        """
        return _readings([self.content], now, zone)

    def bulk_update(self, now: datetime, zone: tzinfo = UTC) -> Updates:
        """Return the readings of many updates, as JSON or as CSV.

        Each has its time in `created_at`, or in `delta_t` the seconds since the one
        before it; the last of these was measured `now`. Raises ReportError.
        """
        match self.content:
            case {"updates": list(updates)}:
                pass
            case {"updates": str(text)}:
                updates = _parse_csv(text, self._text("time_format"))
            case _:
                raise ReportError(Reason.NO_UPDATES)
        if len(updates) > MAX_UPDATES:
            raise ReportError(Reason.TOO_MANY_UPDATES, maximum=str(MAX_UPDATES))
        if not all(isinstance(update, dict) for update in updates):
            raise ReportError(Reason.NO_UPDATES)
        return _readings(updates, now, zone)


def find_sender(query: str, body: bytes) -> Sender:
    """Return the key and the MAC in the query and the body of a request.

    Nothing else is parsed, since this runs before authentication: it
    takes time proportional to the length of the body, whatever that holds.
    """
    parameters = b"&" + query.encode(errors="replace")
    content = body.lstrip()
    is_json = content.startswith(b"{")
    if content and not is_json:
        parameters = b"&" + content + parameters

    def find(name: bytes) -> str | None:
        found = None
        if is_json and (start := content.find(b'"%b"' % name)) >= 0:
            found = _JSON_VALUE.match(content, start + len(name) + 2)
        if found is None and (start := parameters.find(b"&%b=" % name)) >= 0:
            found = _VALUE.match(parameters, start + len(name) + 2)
        if found is None:
            return None
        return unquote_plus((found[1] or b"").decode("ascii", "replace"))

    return Sender(next(filter(None, map(find, _KEYS)), None), find(b"mac"))


def parse_form(query: str, body: bytes) -> Form:
    """Return the parameters in the query and the body of a request (docs/protocol.md).

    The body is JSON if it begins like that, else a form, whatever its Content-Type:
    sketches send none or a wrong one. It wins over the query. Raises ReportError.
    """
    return Form(_parse_parameters(query) | _parse_body(body))


def _parse_body(body: bytes) -> dict[str, Any]:
    if not body.lstrip().startswith(b"{"):
        return _parse_parameters(body.decode(errors="replace"))
    try:
        content: dict[str, Any] = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ReportError(Reason.INVALID_JSON) from None
    return content


def _parse_parameters(text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        parameters = parse_qsl(
            text.strip(), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS
        )
    except ValueError:
        raise ReportError(
            Reason.TOO_MANY_PARAMETERS, maximum=str(_MAX_PARAMETERS)
        ) from None
    return dict(parameters)


def _parse_csv(text: str, time_format: str | None) -> list[dict[str, str]]:
    time = "delta_t" if time_format == "relative" else "created_at"
    columns = (time, *FORM_FIELDS)
    # Sketches that append each update with its separator leave one at the end.
    lines = text.strip().rstrip("|").split("|", MAX_UPDATES)
    if not any(line.partition(",")[2].strip(", ") for line in lines):
        # Times at most: this is no CSV, or nothing was measured.
        raise ReportError(Reason.NO_UPDATES)
    return [dict(zip(columns, line.split(","), strict=False)) for line in lines]


def _readings(
    updates: Sequence[Mapping[str, Any]], now: datetime, zone: tzinfo
) -> Updates:
    readings: list[Reading] = []
    numbers: list[int] = []
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
                numbers.append(number)
            except ReportError as err:
                refused.append(Refused(number, field, err))
    return Updates(tuple(readings), tuple(numbers), tuple(refused))


def _since_each(updates: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return the seconds from each update to the last one, NaN if `delta_t` is missing."""
    deltas = [_delta(update) for update in updates]
    return [*accumulate(reversed(deltas[1:]), initial=0.0)][::-1]


def _age(update: Mapping[str, Any], now: datetime, zone: tzinfo, since: float) -> float:
    """Return how many seconds before `now` an update was measured.

    `since` are the seconds between it and the newest one, NaN if unknown. Raises
    ReportError if that is unknown, was too long ago or is in the future.
    """
    if (created_at := update.get("created_at")) in (None, ""):
        if isnan(since):
            raise ReportError(Reason.INVALID_DELTA)
        age = since
    else:
        age = (now - _parse_time(created_at, zone)).total_seconds()
    if age < -_MAX_AHEAD:
        raise ReportError(Reason.TIME_IN_FUTURE)
    if age > MAX_AGE:
        raise ReportError(Reason.TIME_TOO_OLD, maximum=str(MAX_AGE // (24 * 3600)))
    return max(0.0, age)


def _delta(update: Mapping[str, Any]) -> float:
    if (delta := update.get("delta_t")) in (None, ""):
        return nan
    try:
        seconds = parse_number(str(delta))
    except ReportError:
        seconds = -1.0
    if seconds < 0:
        # Without it the times of all earlier updates are unknown.
        raise ReportError(Reason.INVALID_DELTA)
    return seconds


def _parse_time(text: Any, zone: tzinfo) -> datetime:
    """Parse a time in ISO 8601, in MySQL's format or in seconds since 1970."""
    text = str(text).strip().replace(" UTC", "Z")
    try:
        if text.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(text), UTC)
        time = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text))
    except ValueError, OverflowError, OSError:
        raise ReportError(Reason.INVALID_CREATED_AT) from None
    return time if time.tzinfo else time.replace(tzinfo=zone)
