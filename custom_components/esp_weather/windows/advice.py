"""The advice: open the windows, close them, or either."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .config import WindowsConfig
from .humidity import absolute_humidity

# g/m³; a smaller difference is within the error of good humidity sensors.
_SAME_MOISTURE: Final = 0.5


class Advice(StrEnum):
    """What to do with the windows of a room."""

    OPEN = "open"
    CLOSE = "close"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Air:
    """The air on one side: °C and, if known, % relative humidity."""

    temperature: float
    humidity: float | None = None

    @property
    def moisture(self) -> float | None:
        """Return how much water is in it in g/m³."""
        if self.humidity is None:
            return None
        return absolute_humidity(self.temperature, self.humidity)


def advise(
    inside: Air, outside: Air, before: Advice | None, config: WindowsConfig
) -> Advice:
    """Return the advice, given the one `before`, None at the start.

    It is warmer or cooler outside when the difference passes the hysteresis, and
    remains so until the difference passes it on the other side. At the start the sign
    decides.
    """
    difference = outside.temperature - inside.temperature
    was_open = before is Advice.OPEN
    if difference > -config.hysteresis:
        was_warmer = before is Advice.CLOSE or (before is None and difference > 0)
        if was_warmer or difference >= config.hysteresis:
            return Advice.CLOSE
        if not was_open:
            return Advice.EITHER
    # Open windows tolerate a slightly cooler and more humid room than closed ones.
    comfort = config.comfort - (config.hysteresis if was_open else 0)
    if inside.temperature <= comfort:
        return Advice.EITHER
    if config.moisture and inside.moisture is not None and outside.moisture is not None:
        same = _SAME_MOISTURE * (2 if was_open else 1)
        if outside.moisture - inside.moisture > same:
            return Advice.EITHER
    return Advice.OPEN


class AdviceWithHold:
    """Advice that changes once another one has held for a while.

    Where nothing was known, at the start or after an outage, the current advice
    applies at once. It is settled once it has held as long as a change has to.
    """

    def __init__(self, config: WindowsConfig) -> None:
        """Initialize without advice."""
        self.advice: Advice | None = None
        self.is_settled = False
        # The state of the hysteresis, which survives an outage
        self.before: Advice | None = None
        self._config = config
        self._pending: Advice | None = None
        self._since = 0.0

    def update(self, inside: Air | None, outside: Air | None, now: float) -> float:
        """Update with the air at a time; return after how many seconds to call again.

        None is a side whose air is unknown. 0 means that no change is pending.
        """
        if inside is None or outside is None:
            self.advice = self._pending = None
            self.is_settled = False
            return 0.0
        found = advise(inside, outside, self.before, self._config)
        if self.advice is None:
            self.advice = self.before = found
        if found is self.advice and self.is_settled:
            self._pending = None
            return 0.0
        if found is not self._pending:
            self._pending, self._since = found, now
        # A clock that was set back must not delay the change.
        self._since = min(self._since, now)
        if (remaining := self._since + self._config.hold - now) > 0:
            return remaining
        self.advice = self.before = found
        self.is_settled = True
        self._pending = None
        return 0.0
