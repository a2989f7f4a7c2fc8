"""Tests of the advice on windows."""
