"""The archive in Home Assistant's backups: whole, and in one file."""

from homeassistant.core import HomeAssistant

from .data import DATA


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Write all readings into the file, and none while it is copied."""
    await hass.data[DATA].archive.async_lock()


async def async_post_backup(hass: HomeAssistant) -> None:
    """Go on writing."""
    hass.data[DATA].archive.async_unlock()
