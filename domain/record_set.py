"""Records of one kind in a unit of work: what was loaded, and what a batch changes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from domain.model import Interaction
from domain.next_interaction import InteractionIndex


class Record(Protocol):
    """A stored record: it knows the key under which a batch holds it."""

    @property
    def key(self) -> Any:
        """Key of the record among those of its kind."""


class ChildRecord(Record, Protocol):
    """A stored record of an interaction."""

    @property
    def interaction_id(self) -> str:
        """Id of the interaction."""


Value = TypeVar("Value", bound=Record)
Child = TypeVar("Child", bound=ChildRecord)


@dataclass(slots=True)
class Changes(Generic[Value]):
    """Rows to insert, rows to update, and keys of rows to delete."""

    inserted: list[Value] = field(default_factory=list)
    updated: list[Value] = field(default_factory=list)
    deleted: list[Any] = field(default_factory=list)


class RecordSet(dict[Any, Value]):
    """Records by key. They are of any scope: rules must treat a foreign row as unknown."""

    def __init__(self) -> None:
        super().__init__()
        # Key → whether the row was stored before the fold; rows to write are those listed here.
        self._was_stored: dict[Hashable, bool] = {}

    def load(self, row: Value) -> None:
        """Add a stored row; a row that is already loaded is left unchanged."""
        self.setdefault(row.key, row)

    def put(self, row: Value) -> None:
        """Insert or update a row."""
        key = row.key
        self._was_stored.setdefault(key, key in self)
        self[key] = row

    def remove(self, row: Value) -> None:
        """Delete a row."""
        self._was_stored.setdefault(row.key, True)
        del self[row.key]

    def has_changes(self) -> bool:
        """Return whether the batch writes or deletes a row."""
        return bool(self._was_stored)

    def changes(self) -> Changes[Value]:
        """Changes of the batch, in the order of the first change of each row."""
        changes: Changes[Value] = Changes()
        for key, stored in self._was_stored.items():
            row = self.get(key)
            if row is not None:
                (changes.updated if stored else changes.inserted).append(row)
            elif stored:
                changes.deleted.append(key)
        return changes


class InteractionSet(RecordSet[Interaction]):
    """Interactions, and a sorted index of the loaded ones of each entity."""

    def __init__(self) -> None:
        super().__init__()
        self._indexes: dict[str, InteractionIndex] = {}

    def index(self, entity_id: str) -> InteractionIndex:
        """Sorted index of the loaded interactions of one entity."""
        index = self._indexes.get(entity_id)
        if index is None:
            index = self._indexes[entity_id] = InteractionIndex()
        return index

    def load(self, row: Interaction) -> None:
        if row.id not in self:
            self[row.id] = row
            self.index(row.entity_id).add(row)

    def put(self, row: Interaction) -> None:
        before = self.get(row.id)
        index = self.index(row.entity_id)
        if before is not None:
            index.remove(before)
        super().put(row)
        index.add(row)

    def remove(self, row: Interaction) -> None:
        self.index(row.entity_id).remove(self[row.id])
        super().remove(row)


class OfInteractions(RecordSet[Child]):
    """Signals, drafts or outcomes, also by their interaction."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[str, dict[str, None]] = {}

    def of(self, interaction_id: str) -> list[Child]:
        """List the rows of an interaction, in order of their ids."""
        return [self[key] for key in sorted(self._keys.get(interaction_id, ()))]

    def load(self, row: Child) -> None:
        super().load(row)
        self._keys.setdefault(row.interaction_id, {})[row.key] = None

    def put(self, row: Child) -> None:
        super().put(row)
        self._keys.setdefault(row.interaction_id, {})[row.key] = None

    def remove(self, row: Child) -> None:
        super().remove(row)
        del self._keys[row.interaction_id][row.key]
