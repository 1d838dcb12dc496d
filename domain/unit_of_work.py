"""Unit of work of one batch: the rows its commands may touch, loaded under lock and folded in memory."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from domain.decision import Decision
from domain.default_types import DEFAULT_TYPES
from domain.journal import JournalEntry
from domain.model import Deal, Dictionary, Entity, Interaction, TypeEntry
from domain.next_interaction import InteractionIndex
from schemas.command import Command

Scope = tuple[str, str]
Row = TypeVar("Row")


class UnitOfWork:
    """Rows that a batch may touch, by id. They are of any scope: rules must treat a foreign row as unknown.

    :ivar dictionaries: by ``(tenant_id, organization_id)``; a missing one has the default types only.
    :ivar journal: entries of the batch's own command ids and of the commands they undo.
    :ivar recounts: ``(open, overdue, done)`` counted from the stored rows, for the entities that the batch
        recomputes; kept up to date during the fold.
    :ivar flags: by ``(tenant_id, flag)``: stored flags of the tenants whose flags the batch sets.
    :ivar deleted_versions: last version of each deleted interaction that the batch refers to (by the id of a
        create, or by an undo). Versions of that id continue from there.
    """

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}
        self.interactions: dict[str, Interaction] = {}
        self.deals: dict[str, Deal] = {}
        self.dictionaries: dict[Scope, Dictionary] = {}
        self.journal: dict[tuple[str, str, str], JournalEntry] = {}
        self.recounts: dict[str, tuple[int, int, int]] = {}
        self.deleted_versions: dict[str, int] = {}
        self.flags: dict[tuple[str, str], bool] = {}
        self._indexes: dict[str, InteractionIndex] = {}
        # Id → whether the row was stored before the fold; rows to write are those listed here.
        self._interaction_was_stored: dict[str, bool] = {}
        self._entity_was_stored: dict[str, bool] = {}
        self._deal_was_stored: dict[str, bool] = {}
        self._changed_types: dict[tuple[str, str, str], None] = {}
        self._changed_strictness: dict[Scope, None] = {}
        self._changed_flags: dict[tuple[str, str], tuple[str, datetime]] = {}

    def load_interaction(self, row: Interaction) -> None:
        """Add a stored row and index it; a row that is already loaded is left unchanged."""
        if row.id not in self.interactions:
            self.interactions[row.id] = row
            self.index(row.entity_id).add(row)

    def index(self, entity_id: str) -> InteractionIndex:
        """Sorted index of the loaded interactions of one entity."""
        index = self._indexes.get(entity_id)
        if index is None:
            index = self._indexes[entity_id] = InteractionIndex()
        return index

    def type_entry(self, scope: Scope, code: str) -> TypeEntry | None:
        """Look up a type in a scope's dictionary; every dictionary includes the default types."""
        dictionary = self.dictionaries.get(scope)
        entry = dictionary.entries.get(code) if dictionary is not None else None
        return entry if entry is not None else DEFAULT_TYPES.get(code)

    def apply(self, decision: Decision) -> None:
        """Apply a decision to the rows: the only mutation during the fold."""
        if not decision.logged:
            return
        command, entry = decision.command, decision.entry
        self.journal[entry.tenant_id, entry.organization_id, entry.command_id] = entry
        if not isinstance(command, Command) or decision.outcome != "applied":
            return
        facts = decision.facts
        before, row = facts.before, facts.after
        if row is not None:
            self._replace(row.id, row, row.entity_id)
        elif before is not None:
            self._replace(before.id, None, before.entity_id)
            assert facts.version is not None
            self.deleted_versions[before.id] = facts.version
        entity = decision.entity
        if entity is not None:
            stored = self.entities.get(entity.id)
            self._entity_was_stored.setdefault(entity.id, stored is not None)
            if entity.id in self.recounts and stored is not None:
                self._recount(entity, stored, decision)
            self.entities[entity.id] = entity
        if decision.deal is not None:
            self._deal_was_stored.setdefault(decision.deal.id, decision.deal.id in self.deals)
            self.deals[decision.deal.id] = decision.deal
        if decision.flag is not None:
            name, enabled = decision.flag
            key = command.envelope.tenant_id, name
            self.flags[key] = enabled
            self._changed_flags[key] = command.envelope.organization_id, command.appended_at
        if row is not None or decision.type_entry is not None or decision.strict is not None:
            self._apply_dictionary(decision, (command.envelope.tenant_id, command.envelope.organization_id))

    def changed_interactions(self) -> tuple[list[Interaction], list[Interaction], list[str]]:
        """Rows to insert, rows to update, ids to delete."""
        inserted: list[Interaction] = []
        updated: list[Interaction] = []
        deleted: list[str] = []
        for identity, stored in self._interaction_was_stored.items():
            row = self.interactions.get(identity)
            if row is not None:
                (updated if stored else inserted).append(row)
            elif stored:
                deleted.append(identity)
        return inserted, updated, deleted

    def changed_entities(self) -> tuple[list[Entity], list[Entity]]:
        """Rows to insert, rows to update."""
        return _split(self.entities, self._entity_was_stored.items())

    def changed_deals(self) -> tuple[list[Deal], list[Deal]]:
        """Rows to insert, rows to update."""
        return _split(self.deals, self._deal_was_stored.items())

    def changed_types(self) -> list[tuple[str, str, TypeEntry]]:
        """Dictionary entries to upsert, including the default types of a scope used for the first time."""
        return [
            (tenant, organization, self.dictionaries[tenant, organization].entries[code])
            for tenant, organization, code in self._changed_types
        ]

    def changed_strictness(self) -> list[tuple[str, str, bool]]:
        """Scopes whose dictionary became strict or open."""
        return [(*scope, self.dictionaries[scope].strict) for scope in self._changed_strictness]

    def changed_flags(self) -> list[tuple[str, str, str, bool, datetime]]:
        """Flags to upsert: tenant, organization that set it last, flag, value, time."""
        return [
            (tenant, organization, flag, self.flags[tenant, flag], at)
            for (tenant, flag), (organization, at) in self._changed_flags.items()
        ]

    def _replace(self, identity: str, after: Interaction | None, entity_id: str) -> None:
        before = self.interactions.get(identity)
        if identity not in self._interaction_was_stored:
            self._interaction_was_stored[identity] = before is not None
        index = self.index(entity_id)
        if before is not None:
            index.remove(before)
        if after is not None:
            index.add(after)
            self.interactions[identity] = after
        else:
            del self.interactions[identity]

    def _recount(self, entity: Entity, stored: Entity, decision: Decision) -> None:
        # A repair changes only the stored counts; a changed interaction also changes the true ones.
        if decision.facts.event is not None:
            opened, overdue, done = self.recounts[entity.id]
            self.recounts[entity.id] = (
                opened + entity.open_count - stored.open_count,
                overdue + entity.overdue_count - stored.overdue_count,
                done + entity.done_count - stored.done_count,
            )

    def _apply_dictionary(self, decision: Decision, scope: Scope) -> None:
        dictionary = self.dictionaries.get(scope)
        if dictionary is None:
            dictionary = self.dictionaries[scope] = Dictionary(entries=dict(DEFAULT_TYPES))
            self._changed_types.update(dict.fromkeys((*scope, code) for code in DEFAULT_TYPES))
        entry = decision.type_entry
        if entry is not None:
            dictionary.entries[entry.code] = entry
            self._changed_types[*scope, entry.code] = None
        if decision.strict is not None:
            dictionary.strict = decision.strict
            self._changed_strictness[scope] = None


def _split(rows: dict[str, Row], was_stored: Iterable[tuple[str, bool]]) -> tuple[list[Row], list[Row]]:
    inserted: list[Row] = []
    updated: list[Row] = []
    for identity, stored in was_stored:
        (updated if stored else inserted).append(rows[identity])
    return inserted, updated
