"""Runs one test inside MicroPython: run.py MODULE FUNCTION."""

import sys

import esp8266  # noqa: F401 # before what asks for the platform

getattr(__import__(sys.argv[1]), sys.argv[2])()
