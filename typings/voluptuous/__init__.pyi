# Since 2026.11 Home Assistant puts probatio in voluptuous' place when it starts.
from probatio import *  # noqa: F403
