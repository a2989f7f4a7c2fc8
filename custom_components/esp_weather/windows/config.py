"""The window options of a station."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Self

CONF_OUTSIDE: Final = "outside"
CONF_HYSTERESIS: Final = "hysteresis"
CONF_HOLD: Final = "hold"
CONF_COMFORT: Final = "comfort"
CONF_MOISTURE: Final = "moisture"
CONF_NOTIFY: Final = "notify"

MAXIMUM_HOLD: Final = 240  # minutes
# In K, and in °C: the useful range
HYSTERESIS_RANGE: Final = (0.1, 10.0)
COMFORT_RANGE: Final = (-20.0, 45.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowsConfig:
    """How to advise on the windows of an inside station."""

    # The temperature sensor to compare with, else that of the outside station
    outside_entity: str | None = None
    hysteresis: float = 0.5  # K
    hold: float = 600.0  # seconds
    comfort: float = 23.0  # °C; cooler rooms need no cooling
    moisture: bool = True  # not to be brought in
    # Notify entities; none means Home Assistant's own notifications
    notify: tuple[str, ...] = ()

    @classmethod
    def from_options(cls, windows: Any) -> Self:
        """Return the configuration that the section of the options holds.

        What is missing or unknown to this version becomes the default.
        """
        if not isinstance(windows, Mapping):
            return cls()
        default = cls()
        outside = windows.get(CONF_OUTSIDE)
        moisture = windows.get(CONF_MOISTURE)
        notify = windows.get(CONF_NOTIFY)
        hold = _number(windows, CONF_HOLD, (0, MAXIMUM_HOLD), default.hold / 60)
        return cls(
            outside_entity=outside if isinstance(outside, str) and outside else None,
            hysteresis=_number(
                windows, CONF_HYSTERESIS, HYSTERESIS_RANGE, default.hysteresis
            ),
            hold=60 * hold,
            comfort=_number(windows, CONF_COMFORT, COMFORT_RANGE, default.comfort),
            moisture=moisture if isinstance(moisture, bool) else default.moisture,
            notify=tuple(each for each in notify if isinstance(each, str))
            if isinstance(notify, list)
            else (),
        )


def _number(
    options: Mapping[str, Any], key: str, limits: tuple[float, float], default: float
) -> float:
    value = options.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    minimum, maximum = limits
    return float(value) if isfinite(value) and minimum <= value <= maximum else default
