"""The firmware of a weather station that reports to Home Assistant."""

VERSION = "0.2.0"
