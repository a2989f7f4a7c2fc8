"""Home Assistant sets up no config entry without a config flow."""

from homeassistant.config_entries import ConfigFlow


class BenchConfigFlow(ConfigFlow, domain="bench_view"):
    """Makes no entry: the benchmark writes them into the storage."""
