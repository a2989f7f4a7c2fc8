"""The wire protocol of the stations. Imports nothing of Home Assistant."""
