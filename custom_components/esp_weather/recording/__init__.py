"""Readings on their way into the database of Home Assistant's recorder."""
