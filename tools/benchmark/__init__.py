"""Benchmark of reports, compared with the alternatives; scripts/bench runs it."""
