"""A state on its way into the recorder's database."""

from dataclasses import dataclass
from typing import NamedTuple

from homeassistant.core import State


@dataclass(slots=True)
class Share:
    """What one station has on its way.

    A value of it counts for `lifetime` seconds, or for ever if that is 0, unless
    another one comes. `waiting` is the number of its readings without a row.
    """

    lifetime: float
    waiting: int = 0


class Entry(NamedTuple):
    """A state that is to be recorded, under the ID that its entity has now.

    `state` may name the entity by an ID from before a renaming. Its context's ID is
    what tells it from every other state of the database.
    """

    entity_id: str
    state: State
    share: Share
