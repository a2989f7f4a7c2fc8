"""Noticing that nothing was heard for a while."""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from time import monotonic

from homeassistant.core import callback


class SilenceTimer:
    """Calls back once when nothing was heard for `timeout` seconds.

    A timeout of 0 means never. Hearing something costs next to nothing: the
    timer is not set anew, but looks when it fires how long ago that was. The
    clock is the monotonic one, so that setting the time of day changes nothing.
    """

    def __init__(
        self, loop: AbstractEventLoop, timeout: float, on_silence: Callable[[], None]
    ) -> None:
        """Create a timer that waits for the first sound."""
        self._loop = loop
        self._timeout = timeout
        self._on_silence = on_silence
        self._heard = 0.0
        self._handle: TimerHandle | None = None

    @callback
    def async_heard(self, ago: float = 0.0) -> None:
        """Note that something was heard, `ago` seconds before now."""
        self._heard = monotonic() - ago
        if self._handle is None and self._timeout:
            self._handle = self._loop.call_later(self._timeout - ago, self._check)

    @callback
    def async_cancel(self) -> None:
        """Forget what was heard and do not call back."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    @callback
    def _check(self) -> None:
        remaining = self._heard + self._timeout - monotonic()
        if remaining > 0:
            self._handle = self._loop.call_later(remaining, self._check)
        else:
            self._handle = None
            self._on_silence()
