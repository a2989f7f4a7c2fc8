"""The repair issue of a station whose reports are refused again and again."""

from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .inactivity import SilenceTimer

INVALID_FIELD: Final = "invalid_field"
WRONG_KEY: Final = "wrong_key"

# One refusal may be a slip that is being mended; the third in a row is a habit.
_REFUSALS: Final = 3
_FORGET_AFTER: Final = 3600.0


class Problem:
    """Counts what one station does wrong and raises at most one issue for it.

    The issue goes when the station is right again: for a wrong key with the
    next report that is accepted, for anything after an hour without it.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Create the problem of a config entry, with nothing wrong yet."""
        self._hass = hass
        self._title = entry.title
        self._issue_id = f"refused_{entry.entry_id}"
        self._reason: str | None = None
        self._refusals = 0
        self._timer = SilenceTimer(hass.loop, _FORGET_AFTER, self.async_clear)

    @callback
    def async_refused(self, reason: str) -> None:
        """Count a refused report; `reason` is INVALID_FIELD or WRONG_KEY."""
        if reason != self._reason:
            self.async_clear()
            self._reason = reason
        self._refusals += 1
        self._timer.async_heard()
        if self._refusals == _REFUSALS:
            ir.async_create_issue(
                self._hass,
                DOMAIN,
                self._issue_id,
                is_fixable=False,
                severity=ir.IssueSeverity.WARNING,
                translation_key=reason,
                translation_placeholders={"station": self._title},
            )

    @callback
    def async_accepted(self) -> None:
        """Note that a report was accepted, so the key is right."""
        if self._reason == WRONG_KEY:
            self.async_clear()

    @callback
    def async_clear(self) -> None:
        """Forget everything and take the issue back."""
        self._timer.async_cancel()
        if self._refusals >= _REFUSALS:
            ir.async_delete_issue(self._hass, DOMAIN, self._issue_id)
        self._reason = None
        self._refusals = 0
