"""States to publish: the last one per key, at most half a second after the first change."""

from __future__ import annotations

from typing import Any

from schemas.events import CREATED, DUE, NEXT_INTERACTION_UPDATED, UPDATED
from schemas.topics import INTERACTION_STATE, NEXT_INTERACTION_STATE
from streams.relay import states
from streams.relay.states import INTERVAL_SECONDS, PendingStates


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Change:
    """Stands for an entry with one event."""

    def __init__(self, kind: str, subject: str) -> None:
        self.type, self.subject = kind, subject
        self.ordinal = int(kind == NEXT_INTERACTION_UPDATED)


def _add(pending: PendingStates, *changes: Change) -> None:
    for number, change in enumerate(changes):
        entry: Any = number
        events: Any = (change,)
        pending.add(entry, events)


def test_the_last_change_of_each_key_is_kept(monkeypatch: Any) -> None:
    made: list[tuple[str, int, str]] = []
    monkeypatch.setattr(
        states, "state_record", lambda topic, entry, event, _: made.append((topic, entry, event.type))
    )
    pending = PendingStates(Clock())
    changes = Change(CREATED, "a"), Change(NEXT_INTERACTION_UPDATED, "c"), Change(UPDATED, "a")
    _add(pending, *changes, Change(CREATED, "b"), Change(DUE, "b"))
    list(pending.records(lambda *_: b""))
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
    assert pending
    clock.now += INTERVAL_SECONDS
    assert pending.due()
    pending.clear()
    assert not pending


def test_many_are_due_at_once(monkeypatch: Any) -> None:
    monkeypatch.setattr(states, "_MOST", 3)
    pending = PendingStates(Clock())
    _add(pending, *(Change(CREATED, name) for name in "aab"))
    assert not pending.due()
    _add(pending, Change(CREATED, "c"))
    assert pending.due()
