"""Attacks a real Home Assistant (HA) from outside, as a stranger on the network does.

Written from the promises of the documentation, without reading the code: an attack only
knows addresses, headers and answers. Run it as `python -m tools.attack`.
"""
