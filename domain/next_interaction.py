"""Which interaction is next, and which was last (spec "Next interaction derivation algorithm").

A ``Plan`` holds the interactions of one entity that are known, in derivation order. It need not know
all: of an entity with ``m`` commands ahead, the first ``m + 1`` of each order are enough, since each
command moves at most one interaction, so the best of the unmoved ones is always known.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from datetime import datetime
from typing import Final, TypeVar

from domain.model import Interaction, LastInteraction, NextInteraction, TypeEntry

#: ``scheduled_at ASC, priority DESC NULLS LAST, created_at ASC, id ASC`` as one ascending key.
NextKey = tuple[datetime, float, datetime, str]
#: ``occurred_at, created_at, id``, ascending: the last interaction is the greatest.
LastKey = tuple[datetime, datetime, str]

Key = TypeVar("Key", NextKey, LastKey)

_NO_PRIORITY: Final = float("inf")


def next_key(row: Interaction) -> NextKey | None:
    """The place of an interaction in derivation order; ``None`` if it is no candidate."""
    if row.status != "planned" or row.scheduled_at is None:
        return None
    rank = _NO_PRIORITY if row.priority is None else -row.priority
    # Ids are lower-case UUID texts: their order as text is their order as Postgres' uuid.
    return row.scheduled_at, rank, row.created_at, row.id


def last_key(row: Interaction) -> LastKey | None:
    """The place of an interaction among those that occurred; ``None`` if it is not done."""
    if row.status != "done" or row.occurred_at is None:
        return None
    return row.occurred_at, row.created_at, row.id


class InteractionIndex:
    """The known interactions of one entity: planned ones in derivation order, done ones by time."""

    __slots__ = ("done", "planned")

    def __init__(self) -> None:
        self.planned: list[NextKey] = []
        self.done: list[LastKey] = []

    def add(self, row: Interaction) -> None:
        key = next_key(row)
        if key is not None:
            insort(self.planned, key)
            return
        done = last_key(row)
        if done is not None:
            insort(self.done, done)

    def remove(self, row: Interaction) -> None:
        """Take out a row that was added just like this."""
        key = next_key(row)
        if key is not None:
            del self.planned[bisect_left(self.planned, key)]
            return
        done = last_key(row)
        if done is not None:
            del self.done[bisect_left(self.done, done)]

    def next_after(self, moved: str | None, after: Interaction | None) -> str | None:
        """The id that is first once interaction ``moved`` has become ``after`` (``None``: it is gone)."""
        best = _unmoved(self.planned, 0, 1, moved)
        if after is not None:
            key = next_key(after)
            if key is not None and (best is None or key < best):
                return after.id
        return best[3] if best is not None else None

    def last_after(self, moved: str | None, after: Interaction | None) -> str | None:
        """The id that occurred last once interaction ``moved`` has become ``after``."""
        best = _unmoved(self.done, -1, -2, moved)
        if after is not None:
            key = last_key(after)
            if key is not None and (best is None or key > best):
                return after.id
        return best[2] if best is not None else None


def _unmoved(keys: list[Key], first: int, second: int, moved: str | None) -> Key | None:
    """The key at ``first``, or the one at ``second`` when the first is the moved interaction's."""
    if not keys:
        return None
    if keys[first][-1] != moved:
        return keys[first]
    return keys[second] if len(keys) > 1 else None


def next_projection(row: Interaction, entry: TypeEntry | None) -> NextInteraction:
    """The projection of a candidate: its type's label names it, its own look goes before the type's."""
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
    assert row.occurred_at is not None
    return LastInteraction(interaction_id=row.id, at=row.occurred_at, name=name_of(row, entry))


def name_of(row: Interaction, entry: TypeEntry | None) -> str:
    """The type's label, else the title, else the type's code."""
    if entry is not None:
        return entry.label
    return row.title or row.interaction_type
