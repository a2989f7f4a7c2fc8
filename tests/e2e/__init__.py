"""Tests against real processes of Home Assistant."""
