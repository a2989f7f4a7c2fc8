"""Attacks a real Home Assistant (HA) from outside, as a stranger on the network does.

Written from what the documentation promises, without a look at the code: an attack
knows addresses, headers and answers only. Run it as `python -m tools.attack`.
"""
