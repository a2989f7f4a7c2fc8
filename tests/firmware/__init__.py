"""Tests of the firmware, which run inside MicroPython."""
