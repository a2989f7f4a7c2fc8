"""The firmware of a weather station that reports to Home Assistant."""

VERSION = "0.3.0"  # of the firmware; independent of the integration's version
CONFIG = "config.json"
ORDER = "update"  # the file with version and digest of what ota.py shall fetch


class SettingsError(ValueError):
    """A setting is invalid; the text names it and says what it has to be."""
