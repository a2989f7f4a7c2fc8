"""Tests of recording/."""
