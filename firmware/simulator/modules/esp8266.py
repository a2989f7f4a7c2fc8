"""Sets `sys.platform` to that of an ESP8266: import this first."""

import sys

import board_sys

sys.modules["sys"] = board_sys
