"""Entity state built by the fold: fields, interactions, deals, signals and the next interaction."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

from audit.interaction_tuple import Interaction
from audit.signals.children import NO_CHILDREN, Change, Children

Key = tuple[int, int, int, str]


def next_key(row: Interaction) -> Key | None:
    """Sort key of an interaction among the candidates for "next"; ``None`` if it is not a candidate.

    ``scheduled_at ASC, priority DESC NULLS LAST, created_at ASC, id ASC`` (spec "Next interaction
    derivation algorithm").
    """
    if row.status != "planned" or row.scheduled is None:
        return None
    return row.scheduled, 1 if row.priority is None else -row.priority, row.created, row.id


@dataclass(slots=True)
class EntityState:
    """One entity as derived from the commands.

    :param partial: its first commands are no longer retained, so its state cannot be derived.
    :param diverged: a recorded outcome contradicts the rules; later differences are only consequences.
    :param gone: last known version of each deleted interaction.
    :param children: signals, drafts and outcomes.
    """

    id: str
    tenant: str
    organization: str
    fields: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    created: int = 0
    rows: dict[str, Interaction] = field(default_factory=dict)
    deals: dict[str, dict[str, Any]] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    partial: bool = False
    diverged: bool = False
    children: Children = NO_CHILDREN
    _plans: list[Key] = field(default_factory=list)

    def put(self, row: Interaction) -> None:
        """Store an interaction."""
        self.rows[row.id] = row
        key = next_key(row)
        if key is not None:
            heapq.heappush(self._plans, key)

    def remove(self, interaction: str, version: int) -> None:
        """Delete an interaction; the deletion has ``version``."""
        del self.rows[interaction]
        self.gone[interaction] = version

    def apply(self, changes: tuple[Change, ...]) -> None:
        """Change signals, drafts and outcomes."""
        if changes and self.children is NO_CHILDREN:
            self.children = Children()
        self.children.apply(changes)

    def next(self) -> Interaction | None:
        """Next interaction; stale heap entries are dropped on the way."""
        while self._plans:
            row = self.rows.get(self._plans[0][3])
            if row is not None and next_key(row) == self._plans[0]:
                return row
            heapq.heappop(self._plans)
        return None
