"""States to publish: the last one per key, at most half a second after the first change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.journal import Facts, JournalEntry, RecordChange
from domain.model import Deal, Entity, TypeEntry
from schemas.events import CREATED, DUE, NEXT_INTERACTION_UPDATED, UPDATED
from schemas.topics import INTERACTION_STATE, NEXT_INTERACTION_STATE
from streams.relay import states
from streams.relay.states import INTERVAL_SECONDS, PendingStates
from tests.harness.journal_entries import some_entry


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class NoRows:
    """Tables without rows; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[list[Any]] = []

    def entities(self, ids: Iterable[str]) -> list[Entity]:
        self.asked.append(list(ids))
        return []

    def deals(self, ids: Iterable[str]) -> list[Deal]:
        self.asked.append(list(ids))
        return []

    def types(self, scopes: Iterable[tuple[str, str]]) -> list[TypeEntry]:
        self.asked.append(list(scopes))
        return []


class Change:
    """Stands for an entry with one event."""

    def __init__(self, kind: str, subject: str) -> None:
        self.type, self.subject = kind, subject


def _entry(
    number: int = 0,
    entity: str | None = None,
    record: RecordChange | None = None,
    *,
    interaction: bool = False,
) -> JournalEntry:
    after: Any = object() if interaction else None
    return some_entry(
        tenant_id="t",
        organization_id="o",
        offset=number,
        entity_id=entity,
        entity_version=1 if entity is not None else None,
        facts=Facts(record=record, after=after),
    )


def _add(pending: PendingStates, *changes: Change) -> None:
    for number, change in enumerate(changes):
        events: Any = (change,)
        pending.add(_entry(number, interaction=True), events)


def test_the_last_change_of_each_key_is_kept(monkeypatch: Any) -> None:
    made: list[tuple[str, int, str]] = []
    monkeypatch.setattr(
        states, "state_record", lambda topic, entry, event, _: made.append((topic, entry.offset, event.type))
    )
    pending = PendingStates(Clock())
    changes = Change(CREATED, "a"), Change(NEXT_INTERACTION_UPDATED, "c"), Change(UPDATED, "a")
    _add(pending, *changes, Change(CREATED, "b"), Change(DUE, "b"))
    [build() for build in pending.builders(lambda *_: b"", NoRows())]
    assert made == [
        (INTERACTION_STATE, 2, UPDATED),
        (NEXT_INTERACTION_STATE, 1, NEXT_INTERACTION_UPDATED),
        (INTERACTION_STATE, 3, CREATED),
    ]


def test_they_are_due_an_interval_after_the_first_change() -> None:
    clock = Clock()
    pending = PendingStates(clock)
    assert not pending.due()
    _add(pending, Change(CREATED, "a"))
    clock.now += INTERVAL_SECONDS - 0.01
    _add(pending, Change(CREATED, "b"))
    assert not pending.due()
    clock.now += 0.01
    assert pending.due()
    pending.clear()
    assert not pending.due()
    _add(pending, Change(CREATED, "c"))
    assert not pending.due(), "the interval starts with the first change after a publication"


def test_an_entry_without_a_state_moves_the_checkpoint_too() -> None:
    clock = Clock()
    pending = PendingStates(clock)
    _add(pending, Change(DUE, "a"))
    pending.clear()
    _add(pending, Change(DUE, "a"))
    assert (len(pending), pending.waiting) == (0, True)
    clock.now += INTERVAL_SECONDS
    assert pending.due()


def test_many_are_due_at_once(monkeypatch: Any) -> None:
    monkeypatch.setattr(states, "_MOST", 4)  # the dictionary of their organization counts too
    pending = PendingStates(Clock())
    _add(pending, *(Change(CREATED, name) for name in "aab"))
    assert not pending.due()
    _add(pending, Change(CREATED, "c"))
    assert pending.due()


def test_rows_that_changed_are_read_once_each() -> None:
    pending, rows = PendingStates(Clock()), NoRows()
    for entity in ("a", "b", "a"):
        pending.add(_entry(entity=entity, interaction=True), ())
    pending.add(_entry(entity="b", record=RecordChange(kind="deal", id="d", after={})), ())
    pending.add(_entry(record=RecordChange(kind="interaction_type", id="call", after={})), ())
    assert len(pending) == 4, "two customers, a deal, and the dictionary of their organization"
    assert [build() for build in pending.builders(lambda *_: b"", rows)] == []
    assert rows.asked == [["a", "b"], ["d"], [("t", "o")]]


def test_the_default_types_are_read_with_the_first_interaction_of_a_scope() -> None:
    """A customer alone stores no types, however long before its first interaction it is published."""
    pending, rows = PendingStates(Clock()), NoRows()
    pending.add(_entry(entity="a"), ())
    [build() for build in pending.builders(lambda *_: b"", rows)]
    pending.clear()
    assert rows.asked == [["a"]]
    for _ in range(2):
        pending.add(_entry(entity="a", interaction=True), ())
        [build() for build in pending.builders(lambda *_: b"", rows)]
        pending.clear()
    assert rows.asked == [["a"], ["a"], [("t", "o")], ["a"]]
