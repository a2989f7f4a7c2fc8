"""Tests of history/."""
