"""Readings of an old server, imported into long-term statistics."""
