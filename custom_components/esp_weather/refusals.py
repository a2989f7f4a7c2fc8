"""Repair issues of a station whose reports are refused repeatedly."""

from enum import StrEnum
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .inactivity import InactivityTimer

# One refusal may be a passing fault; the third in a row is a persistent one.
_REFUSALS: Final = 3
_FORGET_AFTER: Final = 3600.0  # seconds


class Issue(StrEnum):
    """A repair issue of a station; each has its text in the translations."""

    IMPOSSIBLE_VALUE = "impossible_value"
    INVALID_FIELD = "invalid_field"
    UNKNOWN_KIND = "unknown_kind"
    WRONG_KEY = "wrong_key"


# The issues that repairs.py has a dialog for
FIXABLE: Final = frozenset(
    {Issue.IMPOSSIBLE_VALUE, Issue.UNKNOWN_KIND, Issue.WRONG_KEY}
)


class RefusalTracker:
    """Counts the refusals of one station and raises an issue for each reason.

    An issue is cleared when its reason is gone: for a wrong key with the next report
    that is accepted, for an impossible value with the next possible one of its field,
    for any of them after an hour without a refusal.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Initialize the tracker of a config entry."""
        self._hass = hass
        self._entry = entry
        self._counts: dict[tuple[Issue, int], _Count] = {}

    @callback
    def async_refused(
        self, issue: Issue, field: int = 0, *, value: float = 0.0, unit: str = ""
    ) -> None:
        """Count a refusal; `field` is given if the issue is about one field."""
        if (count := self._counts.get((issue, field))) is None:
            count = self._counts[issue, field] = _Count(
                self._hass, lambda: self.async_clear(issue, field)
            )
        count.refusals += 1
        count.timer.async_activity()
        if count.refusals == _REFUSALS:
            async_create_issue(
                self._hass, self._entry, issue, field, value=value, unit=unit
            )

    @callback
    def async_accepted(self) -> None:
        """Note that a report was accepted, so the key is right."""
        if self._counts:
            self.async_clear(Issue.WRONG_KEY)

    @callback
    def async_possible(self, field: int) -> None:
        """Note that a field has sent a possible value."""
        if self._counts:
            self.async_clear(Issue.IMPOSSIBLE_VALUE, field)

    @callback
    def async_clear(self, issue: Issue, field: int = 0) -> None:
        """Forget the refusals for one reason and clear its issue."""
        if (count := self._counts.pop((issue, field), None)) is not None:
            count.timer.async_cancel()
            if count.refusals >= _REFUSALS:
                async_delete_issue(self._hass, self._entry, issue, field)

    @callback
    def async_stop(self) -> None:
        """Forget all refusals and clear their issues."""
        for issue, field in list(self._counts):
            self.async_clear(issue, field)


class _Count:
    def __init__(self, hass: HomeAssistant, on_forgotten: CALLBACK_TYPE) -> None:
        self.refusals = 0
        self.timer = InactivityTimer(hass.loop, _FORGET_AFTER, on_forgotten)


@callback
def async_create_issue(
    hass: HomeAssistant,
    entry: ConfigEntry,
    issue: Issue,
    field: int = 0,
    *,
    value: float = 0.0,
    unit: str = "",
) -> None:
    """Create an issue of a station, or of one field and its value."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(entry, issue, field),
        data={
            "entry_id": entry.entry_id,
            "issue": issue.value,
            "field": field,
            "value": value,
        },
        is_fixable=issue in FIXABLE,
        severity=ir.IssueSeverity.WARNING,
        translation_key=issue,
        translation_placeholders={
            "station": entry.title,
            "field": str(field),
            "value": f"{value:g} {unit}".rstrip(),
        },
    )


@callback
def async_delete_issue(
    hass: HomeAssistant, entry: ConfigEntry, issue: Issue, field: int = 0
) -> None:
    """Clear an issue of a station."""
    ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, issue, field))


def _issue_id(entry: ConfigEntry, issue: Issue, field: int) -> str:
    return f"{issue}_{entry.entry_id}_{field}"
