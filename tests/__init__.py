"""Tests of ESP Weather."""
