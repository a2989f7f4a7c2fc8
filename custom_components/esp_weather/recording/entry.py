"""A state on its way into the recorder's database."""

from dataclasses import dataclass
from typing import NamedTuple

from homeassistant.core import State


@dataclass(slots=True)
class Share:
    """The states of one station on their way into the database.

    A value counts for `lifetime` seconds, or for ever if that is 0, unless
    another one arrives. `waiting` is the number of its readings without a row.
    """

    lifetime: float
    waiting: int = 0


class Entry(NamedTuple):
    """A state to be recorded, under the current ID of its entity.

    `state` may name the entity by an ID from before a renaming. Its context's ID is
    what identifies it among all states of the database.
    """

    entity_id: str
    state: State
    share: Share
