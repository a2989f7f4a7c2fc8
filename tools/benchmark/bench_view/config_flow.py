"""The config flow, without which Home Assistant sets up no config entry."""

from homeassistant.config_entries import ConfigFlow


class BenchConfigFlow(ConfigFlow, domain="bench_view"):
    """Creates no entries: the benchmark writes them into the storage."""
