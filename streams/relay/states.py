"""States that are due for the compacted topics: the last one per key since the last publication.

Each partition of a state topic makes a Kafka transaction dearer, and readers of such a topic want the last
value only. States are therefore published at most twice per second, apart from the events.

The state of an interaction, signal or draft is that of its last event. Those of customers, deals and
interaction types are read from the tables: they may be newer than the last event that is published, never
older.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, Protocol

from domain.events import Event
from domain.journal import Erased, Facts, JournalEntry
from domain.model import Deal, Entity, TypeEntry
from schemas.avro_codec import Encode
from schemas.events import DUE, NEXT_INTERACTION_UPDATED, OVERDUE
from schemas.outgoing_record import OutgoingRecord
from schemas.signal_events import DRAFT_EVENTS, SIGNAL_EVENTS
from schemas.topics import (
    DEAL_STATE,
    DRAFT_STATE,
    ENTITY_STATE,
    INTERACTION_STATE,
    NEXT_INTERACTION_STATE,
    SIGNAL_STATE,
)
from streams.relay.records import state_record, stored_record, tombstone

#: Longest time from an event to its state.
INTERVAL_SECONDS: Final = 0.5
#: States that are published before the interval ends; bounds memory while a backlog is published.
_MOST: Final = 5_000
#: Events that leave the interaction as it is.
_WITHOUT_STATE: Final = frozenset({DUE, OVERDUE})


class Rows(Protocol):
    """Reads rows as they are now (``sinks.stored_states``)."""

    def entities(self, ids: Iterable[str]) -> list[Entity]:
        """Read customers by id."""

    def deals(self, ids: Iterable[str]) -> list[Deal]:
        """Read deals by id."""

    def types(self, scopes: Iterable[tuple[str, str]]) -> list[TypeEntry]:
        """Read the dictionaries of tenants and organizations."""


class PendingStates:
    """The last change per key that the state topics do not show yet.

    A change without an event is the erasure of its customer: the state is a tombstone.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changes: dict[tuple[str, str], tuple[JournalEntry, Event | None]] = {}
        # In the order of their first change.
        self._entities: dict[str, None] = {}
        self._deals: dict[str, None] = {}
        self._types: dict[tuple[str, str], None] = {}
        #: Tenants and organizations with an interaction since this relay leads.
        self._scopes: set[tuple[str, str]] = set()
        #: Time of the first entry that the topics' checkpoint does not cover yet.
        self._since: float | None = None

    def add(self, entry: JournalEntry, events: tuple[Event, ...]) -> None:
        """Note what an entry changes."""
        if self._since is None:
            self._since = self._clock()
        for event in events:
            if event.type == NEXT_INTERACTION_UPDATED:
                self._changes[NEXT_INTERACTION_STATE, event.subject] = entry, event
            elif event.type.startswith("customers.interaction.") and event.type not in _WITHOUT_STATE:
                self._changes[INTERACTION_STATE, event.subject] = entry, event
            elif event.type in SIGNAL_EVENTS:
                self._changes[SIGNAL_STATE, event.subject] = entry, event
            elif event.type in DRAFT_EVENTS:
                self._changes[DRAFT_STATE, event.subject] = entry, event
        if entry.entity_id is not None and entry.entity_version is not None:
            self._entities[entry.entity_id] = None
        facts = entry.facts
        if not isinstance(facts, Facts):
            return
        if facts.erased is not None:
            self._add_erasure(entry, facts.erased)
        if facts.record is not None and facts.record.kind == "deal":
            self._deals[facts.record.id] = None
        scope = entry.tenant_id, entry.organization_id
        changes_types = facts.record is not None and facts.record.kind == "interaction_type"
        # The first interaction of a scope also stores the default types.
        first = facts.after is not None and scope not in self._scopes
        if changes_types or facts.states_only or first:
            self._scopes.add(scope)
            self._types[scope] = None

    def _add_erasure(self, entry: JournalEntry, erased: Erased) -> None:
        """Note tombstones for the customer and all that went with it."""
        assert entry.entity_id is not None
        self._entities.pop(entry.entity_id, None)
        for deal in erased.deals:
            self._deals.pop(deal, None)
        gone = {
            INTERACTION_STATE: erased.interactions,
            SIGNAL_STATE: erased.signals,
            DRAFT_STATE: erased.drafts,
            DEAL_STATE: erased.deals,
            NEXT_INTERACTION_STATE: (entry.entity_id,),
            ENTITY_STATE: (entry.entity_id,),
        }
        for topic, keys in gone.items():
            for key in keys:
                self._changes[topic, key] = entry, None

    def due(self) -> bool:
        """Report whether the states must be published now."""
        late = self._since is not None and self._clock() - self._since >= INTERVAL_SECONDS
        return late or len(self) >= _MOST

    def builders(self, encode: Encode, rows: Rows) -> Iterator[Callable[[], OutgoingRecord]]:
        """Yield functions that build one record each.

        :param rows: is read now.
        """
        for (topic, key), (entry, event) in self._changes.items():
            if event is None:
                yield partial(tombstone, topic, key, entry)
            else:
                yield partial(state_record, topic, entry, event, encode)
        for entity in rows.entities(self._entities) if self._entities else ():
            yield partial(stored_record, entity, encode)
        for deal in rows.deals(self._deals) if self._deals else ():
            yield partial(stored_record, deal, encode)
        for entry_of_type in rows.types(self._types) if self._types else ():
            yield partial(stored_record, entry_of_type, encode)

    @property
    def waiting(self) -> bool:
        """Report whether entries wait: also those that change no state move the checkpoint."""
        return self._since is not None

    def __len__(self) -> int:
        return len(self._changes) + len(self._entities) + len(self._deals) + len(self._types)

    def clear(self) -> None:
        """Forget the changes: they are published."""
        self._since = None
        for changes in (self._changes, self._entities, self._deals, self._types):
            changes.clear()
