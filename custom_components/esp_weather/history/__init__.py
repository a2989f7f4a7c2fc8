"""Import of old readings into long-term statistics, and export of readings."""
