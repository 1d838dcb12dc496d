"""Unit of work of one batch: the rows its commands may touch, loaded under lock and folded in memory."""

from __future__ import annotations

from typing import Any

from domain.decision import Decision
from domain.default_types import default_types
from domain.journal import JournalEntry, deleted_version
from domain.model import (
    KINDS,
    Deal,
    Dictionary,
    Draft,
    Entity,
    ErasedEntity,
    ErasedInteraction,
    FlagValue,
    Interaction,
    RetiredInteraction,
    Signal,
    SignalOutcome,
    TypeEntry,
)
from domain.record_set import InteractionSet, OfInteractions, RecordSet

Scope = tuple[str, str]
_OF_A_DICTIONARY = (Interaction, TypeEntry, Dictionary)


class UnitOfWork:
    """Rows that a batch may touch. They are of any scope: rules must treat a foreign row as unknown.

    :ivar sets: the records by their kind, in the order of foreign keys.
    :ivar scopes: tenants and organizations whose dictionary has rows; others have the default types only.
    :ivar erased: erased customers among those that the batch refers to.
    :ivar journal: entries of the batch's own command ids and of the commands they undo.
    :ivar recounts: ``(open, overdue, done)`` counted from the stored rows, for the entities that the batch
        recomputes; kept up to date during the fold.
    :ivar deleted_versions: last version of each deleted or erased interaction that the batch refers to (by
        the id of a create, or by an undo). Versions of that id continue from there.
    :ivar unvalidated: tenants with legacy rows whose move is not validated, if the batch sets their flags.
    """

    def __init__(self) -> None:
        self.interactions = InteractionSet()
        self.sets: dict[type, RecordSet[Any]] = {kind: RecordSet() for kind in KINDS}
        self.sets[Interaction] = self.interactions
        self.signals: OfInteractions[Signal] = OfInteractions()
        self.drafts: OfInteractions[Draft] = OfInteractions()
        self.outcomes: OfInteractions[SignalOutcome] = OfInteractions()
        self.sets.update({Signal: self.signals, Draft: self.drafts, SignalOutcome: self.outcomes})
        self.entities: RecordSet[Entity] = self.sets[Entity]
        self.deals: RecordSet[Deal] = self.sets[Deal]
        self.types: RecordSet[TypeEntry] = self.sets[TypeEntry]
        self.dictionaries: RecordSet[Dictionary] = self.sets[Dictionary]
        self.erased: RecordSet[ErasedEntity] = self.sets[ErasedEntity]
        self.flags: RecordSet[FlagValue] = self.sets[FlagValue]
        self.scopes: set[Scope] = set()
        self.journal: dict[tuple[str, str, str], JournalEntry] = {}
        self.recounts: dict[str, tuple[int, int, int]] = {}
        self.deleted_versions: dict[str, int] = {}
        self.unvalidated: set[str] = set()

    def type_entry(self, scope: Scope, code: str) -> TypeEntry | None:
        """Look up a type in a scope's dictionary; every dictionary includes the default types."""
        entry = self.types.get((*scope, code))
        return entry if entry is not None else default_types(*scope).get(code)

    def is_strict(self, scope: Scope) -> bool:
        """Return whether a scope's dictionary rejects unknown types."""
        dictionary = self.dictionaries.get(scope)
        return dictionary is not None and dictionary.strict

    def apply(self, decision: Decision) -> None:
        """Apply a decision to the rows: the only mutation during the fold."""
        if not decision.logged:
            return
        entry = decision.entry
        self.journal[entry.tenant_id, entry.organization_id, entry.command_id] = entry
        for row in decision.removes:
            self.sets[type(row)].remove(row)
            version = deleted_version(entry)
            if isinstance(row, Interaction) and version is not None:
                self.deleted_versions[row.id] = version
        for row in decision.writes:
            if isinstance(row, _OF_A_DICTIONARY):
                self._begin_dictionary((entry.tenant_id, entry.organization_id))
            elif isinstance(row, Entity) and row.id in self.recounts:
                self._recount(row, decision)
            elif isinstance(row, ErasedInteraction):
                self.deleted_versions[row.interaction_id] = row.version
            elif isinstance(row, RetiredInteraction):
                self.deleted_versions[row.interaction_id] = row.retired_version
            self.sets[type(row)].put(row)

    def _begin_dictionary(self, scope: Scope) -> None:
        """Add the default types to a dictionary that is used for the first time."""
        if scope not in self.scopes:
            self.scopes.add(scope)
            for entry in default_types(*scope).values():
                self.types.put(entry)

    def _recount(self, entity: Entity, decision: Decision) -> None:
        stored = self.entities.get(entity.id)
        # A repair changes only the stored counts; a changed interaction also changes the true ones.
        if stored is not None and decision.facts.event is not None:
            opened, overdue, done = self.recounts[entity.id]
            self.recounts[entity.id] = (
                opened + entity.open_count - stored.open_count,
                overdue + entity.overdue_count - stored.overdue_count,
                done + entity.done_count - stored.done_count,
            )
