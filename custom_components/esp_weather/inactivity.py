"""Inactivity timer."""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from time import monotonic

from homeassistant.core import callback


class InactivityTimer:
    """Calls back once after `timeout` seconds without activity.

    A timeout of 0 means never. Noting activity is cheap: the timer is
    not restarted, but checks when it fires how long ago that was. The clock is the
    monotonic one, so that setting the system time has no effect.
    """

    def __init__(
        self, loop: AbstractEventLoop, timeout: float, on_timeout: Callable[[], None]
    ) -> None:
        """Create a stopped timer."""
        self._loop = loop
        self._timeout = timeout
        self._on_timeout = on_timeout
        self._last_activity = 0.0
        self._handle: TimerHandle | None = None

    @callback
    def async_activity(self, ago: float = 0.0) -> None:
        """Note activity `ago` seconds before now, which starts the timer."""
        self._last_activity = monotonic() - ago
        if self._handle is None and self._timeout:
            self._handle = self._loop.call_later(self._timeout - ago, self._check)

    @callback
    def async_cancel(self) -> None:
        """Stop the timer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    @callback
    def _check(self) -> None:
        remaining = self._last_activity + self._timeout - monotonic()
        if remaining > 0:
            self._handle = self._loop.call_later(remaining, self._check)
        else:
            self._handle = None
            self._on_timeout()
