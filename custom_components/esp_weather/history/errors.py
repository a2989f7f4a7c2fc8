"""Errors of files of readings."""

from enum import StrEnum

from ..protocol.readings import ReportError


class HistoryReason(StrEnum):
    """Why a file cannot be read in full; each has its text in the translations."""

    DAMAGED = "history_damaged"
    LINE_TOO_LONG = "line_too_long"
    NO_COLUMNS = "history_no_columns"
    NO_PLAIN_TABLE = "history_no_plain_table"
    NO_TABLE = "history_no_table"
    TOO_MANY_CELLS = "history_too_many_cells"
    UNKNOWN_FORMAT = "history_unknown_format"
    UNREADABLE = "history_unreadable"
    WAL_MISSING = "history_wal_missing"


class HistoryError(ReportError):
    """A file that cannot be read at all."""


class StoppedError(Exception):
    """Reading was stopped before the end."""
