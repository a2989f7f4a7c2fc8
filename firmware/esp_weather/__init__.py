"""The firmware of a weather station that reports to Home Assistant."""

VERSION = "0.3.0"  # of the firmware alone: it does not follow the integration's
CONFIG = "config.json"
ORDER = "update"  # the file with version and digest of what ota.py shall fetch


class SettingsError(ValueError):
    """A setting is wrong, and its text says which and what it has to be."""
