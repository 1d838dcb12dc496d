"""States that are due for the compacted topics: the last one per key since the last publication.

Each partition of a state topic makes a Kafka transaction dearer, and readers of such a topic want the last
value only. States are therefore published at most twice per second, apart from the events.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from domain.events import Event
from domain.journal import JournalEntry
from schemas.events import DUE, OVERDUE
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import INTERACTION_STATE, NEXT_INTERACTION_STATE
from streams.relay.records import Encode, state_record

#: Longest time from an event to its state.
INTERVAL_SECONDS: Final = 0.5
#: States that are published before the interval ends; bounds memory while a backlog is published.
_MOST: Final = 5_000


class PendingStates:
    """The last change per key that the state topics do not show yet."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changes: dict[tuple[str, str | None], tuple[JournalEntry, Event]] = {}
        #: Time of the first entry that the topics' checkpoint does not cover yet.
        self._since: float | None = None

    def add(self, entry: JournalEntry, events: tuple[Event, ...]) -> None:
        """Note what an entry changes."""
        if self._since is None:
            self._since = self._clock()
        for event in events:
            if event.type in (DUE, OVERDUE):
                continue  # the interaction's state is the same
            topic = NEXT_INTERACTION_STATE if event.ordinal == 1 else INTERACTION_STATE
            self._changes[topic, event.subject] = entry, event

    def due(self) -> bool:
        """Report whether the states must be published now."""
        late = self._since is not None and self._clock() - self._since >= INTERVAL_SECONDS
        return late or len(self._changes) >= _MOST

    def records(self, encode: Encode) -> Iterator[OutgoingRecord]:
        """Build the records."""
        for (topic, _), (entry, event) in self._changes.items():
            yield state_record(topic, entry, event, encode)

    def __bool__(self) -> bool:
        """Report whether entries wait: also those that change no state move the checkpoint."""
        return self._since is not None

    def clear(self) -> None:
        """Forget the changes: they are published."""
        self._since = None
        self._changes.clear()
