"""The module `sys` with the platform of the ESP8266."""

from sys import *  # noqa: F403

platform = "esp8266"
