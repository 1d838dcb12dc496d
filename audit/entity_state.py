"""The state that the fold builds: entities with their interactions, deals, and the nearest plan."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

from audit.interaction_tuple import Interaction

Key = tuple[int, int, int, str]


def next_key(row: Interaction) -> Key | None:
    """Place of an interaction among the candidates for "next"; ``None`` when it is none.

    ``scheduled_at ASC, priority DESC NULLS LAST, created_at ASC, id ASC`` (spec "Next interaction
    derivation algorithm").
    """
    if row.status != "planned" or row.scheduled is None:
        return None
    return row.scheduled, 1 if row.priority is None else -row.priority, row.created, row.id


@dataclass(slots=True)
class Subject:
    """One entity as the commands make it.

    :param partial: its first commands are no longer retained: what it is cannot be derived.
    :param diverged: a recorded outcome could not be followed; later differences say nothing new.
    :param gone: last known version of deleted interactions.
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
    _plans: list[Key] = field(default_factory=list)

    def put(self, row: Interaction) -> None:
        """Store an interaction."""
        self.rows[row.id] = row
        key = next_key(row)
        if key is not None:
            heapq.heappush(self._plans, key)

    def remove(self, interaction: str, version: int) -> None:
        """Delete an interaction whose deletion has ``version``."""
        del self.rows[interaction]
        self.gone[interaction] = version

    def next(self) -> Interaction | None:
        """The next interaction; entries of the heap that no longer hold are dropped on the way."""
        while self._plans:
            row = self.rows.get(self._plans[0][3])
            if row is not None and next_key(row) == self._plans[0]:
                return row
            heapq.heappop(self._plans)
        return None
