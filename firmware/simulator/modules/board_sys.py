"""The module `sys` with the platform of an ESP8266."""

from sys import *  # noqa: F403
from sys import path  # noqa: F401 # The star leaves it out.

platform = "esp8266"
