"""The store that is on the disk once it is saved."""

import asyncio
import json
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.esp_weather.recording import durable_store
from custom_components.esp_weather.recording.durable_store import DurableStore
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers.json import save_json
from homeassistant.util.file import WriteError


def _content(hass: HomeAssistant) -> list[int]:
    content: list[int] = json.loads(Path(hass.config.path(".storage/try")).read_text())[
        "data"
    ]
    return content


async def test_while_stopping(hass: HomeAssistant) -> None:
    """What is saved while Home Assistant stops is on the disk at once, too."""
    store = DurableStore[list[int]](hass, 1, "try")
    hass.set_state(CoreState.stopping)
    await store.async_save([1])
    assert _content(hass) == [1]
    hass.set_state(CoreState.running)


async def test_one_write_for_all(hass: HomeAssistant) -> None:
    """Saves that wait for one another need one write, and the newest data stays."""
    store = DurableStore[list[int]](hass, 1, "try")
    writes: list[Any] = []
    go_on = Event()

    def _save(path: str, content: dict[str, Any], *, atomic_writes: bool) -> None:
        writes.append(content["data"])
        assert go_on.wait(10)
        save_json(path, content, atomic_writes=atomic_writes)

    with patch.object(durable_store, "save_json", _save):
        cancelled = asyncio.create_task(store.async_save([1]))
        while not writes:
            await asyncio.sleep(0)
        cancelled.cancel()
        others = [
            asyncio.create_task(store.async_save([*range(end)])) for end in (2, 3, 4)
        ]
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*others)
    assert writes == [[1], [0, 1, 2, 3]]
    assert _content(hass) == [0, 1, 2, 3]


async def test_cannot_be_written(hass: HomeAssistant) -> None:
    """An error is raised and the file as it was; the next save writes."""
    store = DurableStore[list[int]](hass, 1, "try")
    await store.async_save([1])
    with (
        patch.object(durable_store, "save_json", side_effect=WriteError("full")),
        pytest.raises(WriteError),
    ):
        await store.async_save([2])
    assert _content(hass) == [1]
    await store.async_save([2])
    assert _content(hass) == [2]
