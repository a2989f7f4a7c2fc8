"""Commands for a station, which it receives with the answers to its reports."""

from typing import Any, Final

from .ota import Firmware
from .protocol.signed import Status

# An answer may get lost, and a station may be busy. After so many answers without
# effect, a command is dropped.
_MAX_ANSWERS: Final = 5

UNFULFILLED: Final = "unfulfilled"


class Commands:
    """The pending commands, each until the status of the station shows its effect.

    `firmware_error` is the reason why the last update failed.
    """

    def __init__(self) -> None:
        """Initialize without commands."""
        self.interval: int | None = None
        self.firmware: Firmware | None = None
        self.firmware_error: str | None = None
        self._interval_answers = 0
        self._firmware_answers = 0

    def set_interval(self, interval: int) -> None:
        """Set the seconds between two readings."""
        self.interval = interval
        self._interval_answers = 0

    def install(self, firmware: Firmware) -> None:
        """Install a version of the firmware."""
        self.firmware = firmware
        self.firmware_error = None
        self._firmware_answers = 0

    def take_status(self, status: Status) -> None:
        """Drop the commands that the station has executed or reports as failed."""
        if self.interval is not None and (
            status.interval == self.interval or self._interval_answers == _MAX_ANSWERS
        ):
            self.interval = None
        if status.update_error is not None:
            self.firmware = None
            self.firmware_error = status.update_error
        elif self.firmware is not None:
            if status.firmware == self.firmware.version:
                self.firmware = None
            elif self._firmware_answers == _MAX_ANSWERS:
                self.firmware = None
                self.firmware_error = UNFULFILLED

    def answer(self) -> dict[str, Any]:
        """Return the part of an answer that carries the commands."""
        answer: dict[str, Any] = {}
        if self.interval is not None:
            self._interval_answers += 1
            answer["settings"] = {"interval": self.interval}
        if self.firmware is not None:
            self._firmware_answers += 1
            answer["firmware"] = {
                "version": self.firmware.version,
                "sha256": self.firmware.sha256,
            }
        return answer
