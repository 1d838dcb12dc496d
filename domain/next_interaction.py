"""Derivation of the next and the last interaction (spec "Next interaction derivation algorithm").

``InteractionIndex`` holds loaded interactions of one entity in derivation order. It need not hold all of
them: for an entity with ``m`` commands in the batch, the first ``m + 1`` of each order suffice. Each command
moves at most one stored interaction of each order, so the first one that was not moved is always loaded.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, TypeVar

from domain.model import Interaction, LastInteraction, NextInteraction, TypeEntry

#: ``scheduled_at ASC, priority DESC NULLS LAST, created_at ASC, id ASC`` as one ascending key.
NextKey = tuple[datetime, float, datetime, str]
#: ``occurred_at, created_at, id``, ascending: the last interaction has the greatest key.
LastKey = tuple[datetime, datetime, str]

Key = TypeVar("Key", NextKey, LastKey)

_NO_PRIORITY: Final = float("inf")


def next_key(row: Interaction) -> NextKey | None:
    """Sort key of an interaction in derivation order; ``None`` if it cannot be the next one."""
    if row.status != "planned" or row.scheduled_at is None:
        return None
    rank = _NO_PRIORITY if row.priority is None else -row.priority
    # Ids are lower-case UUID texts, which sort like Postgres' uuid type.
    return row.scheduled_at, rank, row.created_at, row.id


def last_key(row: Interaction) -> LastKey | None:
    """Sort key of an interaction among those that took place; ``None`` if it is not done."""
    if row.status != "done" or row.occurred_at is None:
        return None
    return row.occurred_at, row.created_at, row.id


class InteractionIndex:
    """Sorted index of one entity's loaded interactions: planned in derivation order, done by time."""

    __slots__ = ("done", "planned")

    def __init__(self) -> None:
        self.planned: list[NextKey] = []
        self.done: list[LastKey] = []

    def add(self, row: Interaction) -> None:
        """Insert a row."""
        key = next_key(row)
        if key is not None:
            insort(self.planned, key)
            return
        done = last_key(row)
        if done is not None:
            insort(self.done, done)

    def remove(self, row: Interaction) -> None:
        """Remove a row; it must be unchanged since it was added."""
        key = next_key(row)
        if key is not None:
            del self.planned[bisect_left(self.planned, key)]
            return
        done = last_key(row)
        if done is not None:
            del self.done[bisect_left(self.done, done)]

    def next_after(self, moved: Sequence[str], after: Iterable[Interaction]) -> str | None:
        """Id of the next interaction once those in ``moved`` are gone, and those in ``after`` are there."""
        best = _unmoved(self.planned, moved)
        for row in after:
            key = next_key(row)
            if key is not None and (best is None or key < best):
                best = key
        return best[3] if best is not None else None

    def last_after(self, moved: Sequence[str], after: Iterable[Interaction]) -> str | None:
        """Id of the last interaction once those in ``moved`` are gone, and those in ``after`` are there."""
        best = _unmoved(reversed(self.done), moved)
        for row in after:
            key = last_key(row)
            if key is not None and (best is None or key > best):
                best = key
        return best[2] if best is not None else None


def _unmoved(keys: Iterable[Key], moved: Sequence[str]) -> Key | None:
    """The first key that does not belong to a moved interaction."""
    for key in keys:
        if key[-1] not in moved:
            return key
    return None


def next_projection(row: Interaction, entry: TypeEntry | None) -> NextInteraction:
    """Project the next interaction: named by its type; its own icon and colour override the type's."""
    assert row.scheduled_at is not None
    icon, color = row.appearance_icon, row.appearance_color
    if entry is not None:
        if icon is None:
            icon = entry.icon
        if color is None:
            color = entry.color
    return NextInteraction(
        interaction_id=row.id, at=row.scheduled_at, name=name_of(row, entry), icon=icon, color=color
    )


def last_projection(row: Interaction, entry: TypeEntry | None) -> LastInteraction:
    """Project the last interaction."""
    assert row.occurred_at is not None
    return LastInteraction(interaction_id=row.id, at=row.occurred_at, name=name_of(row, entry))


def name_of(row: Interaction, entry: TypeEntry | None) -> str:
    """Display name: the type's label, otherwise the title, otherwise the type's code."""
    if entry is not None:
        return entry.label
    return row.title or row.interaction_type
