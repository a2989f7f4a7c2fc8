"""Finds readings without a row in the recorder's database, and adds the rows.

Home Assistant has no public way to record a state with an earlier time. Rows are added
through the recorder's own queue, thread and session, so that nothing else writes into
its database. A row is found by its context ID, which is unique to its reading.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import batched
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, State
from homeassistant.util.ulid import ulid_to_bytes

from .entry import Entry
from .recorder_internals import (
    Recorder,
    StateAttributes,
    States,
    database_job_retry_wrapper,
    session_scope,
)

# Every database takes this many values in one query.
_AT_ONCE: Final = 500


def find_missing(recorder: Recorder, entries: Collection[Entry]) -> list[Entry]:
    """Return the entries that have no row.

    Other entities may have rows with the same context, such as a template's, but
    none without the one that it was derived from.
    """
    found = find_known(
        recorder, [ulid_to_bytes(each.state.context.id) for each in entries]
    )
    return [
        each for each in entries if ulid_to_bytes(each.state.context.id) not in found
    ]


def find_known(recorder: Recorder, identities: Collection[bytes]) -> set[bytes]:
    """Return the context IDs that have a row in the database."""
    found: set[bytes | None] = set()
    with session_scope(session=recorder.get_session(), read_only=True) as session:
        for some in batched(identities, _AT_ONCE, strict=False):
            found.update(
                session.scalars(
                    select(States.context_id_bin).where(States.context_id_bin.in_(some))
                )
            )
    return {each for each in identities if each in found}


def insert(recorder: Recorder, entries: Iterable[Entry]) -> bool:
    """Add a row for each entry; return False if the recorder has been disabled meanwhile.

    Raises if that cannot be done.
    """
    by_entity: defaultdict[str, list[State]] = defaultdict(list)
    for entry in entries:
        by_entity[entry.entity_id].append(entry.state)
    for entity_id, states in by_entity.items():
        states.sort(key=attrgetter("last_updated_timestamp"))
        if not _insert(recorder, entity_id, states):
            # Only an event makes the recorder create what else a new entity needs.
            recorder._process_one_event(_event(entity_id, states[0]))  # noqa: SLF001
            recorder._commit_event_session_or_retry()  # noqa: SLF001
            if not _insert(recorder, entity_id, states[1:]):
                return False
    return recorder.enabled


# Raises what a retry cannot mend: the recorder has failed.
@database_job_retry_wrapper("insert states of the past", 3)
def _insert(recorder: Recorder, entity_id: str, states: Sequence[State]) -> bool:
    """Add the states of an entity; return False if it has no metadata in the database."""
    with session_scope(session=recorder.get_session()) as session:
        metadata_id = recorder.states_meta_manager.get(entity_id, session, True)
        if metadata_id is None:
            return False
        attributes: dict[bytes | None, int | None] = {}
        session.add_all(
            States(
                state=state.state,
                last_updated_ts=state.last_updated_timestamp,
                metadata_id=metadata_id,
                attributes_id=_attributes_id(
                    recorder, session, _event(entity_id, state), attributes
                ),
                context_id_bin=ulid_to_bytes(state.context.id),
                origin_idx=0,
            )
            for state in states
        )
        session.flush()
        # Otherwise the history would not query anything before the oldest state.
        recorder.states_manager.load_from_db(session)
    return True


def _attributes_id(
    recorder: Recorder,
    session: Session,
    event: Event[Any],
    known: dict[bytes | None, int | None],
) -> int | None:
    """Return the ID of a state's attributes: the row's unit is that of its value."""
    manager = recorder.state_attributes_manager
    content = manager.serialize_from_event(event)
    if content is not None and content not in known:
        text = content.decode()
        hash_ = StateAttributes.hash_shared_attrs_bytes(content)
        if (attributes_id := manager.get(text, hash_, session)) is None:
            row = StateAttributes(shared_attrs=text, hash=hash_)
            session.add(row)
            session.flush()
            attributes_id = row.attributes_id
        known[content] = attributes_id
    return known.get(content)


def _event(entity_id: str, state: State) -> Event[Any]:
    return Event(
        EVENT_STATE_CHANGED,
        {"entity_id": entity_id, "old_state": None, "new_state": state},
        time_fired_timestamp=state.last_updated_timestamp,
        context=state.context,
    )
