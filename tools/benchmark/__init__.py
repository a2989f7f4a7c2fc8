"""How fast reports are taken, beside the alternatives: what scripts/bench runs."""
