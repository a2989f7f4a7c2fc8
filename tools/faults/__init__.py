"""Counts what a real Home Assistant (HA) loses under faults."""
