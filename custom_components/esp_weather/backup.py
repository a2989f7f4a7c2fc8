"""Backup platform: keeps the archive consistent while it is backed up."""

from homeassistant.core import HomeAssistant

from .data import DATA


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Write all pending readings, then pause the archive during the backup."""
    await hass.data[DATA].archive.async_lock()


async def async_post_backup(hass: HomeAssistant) -> None:
    """Resume the archive."""
    hass.data[DATA].archive.async_unlock()
