"""In-memory store that loads and writes like the real one: only the read set of a busy entity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from domain.decide import fold
from domain.decision import Decision
from domain.journal import JournalEntry, deleted_version
from domain.lifecycle import created_id
from domain.log_identity import log_identity
from domain.model import (
    Deal,
    Dictionary,
    Entity,
    ErasedEntity,
    ErasedInteraction,
    Interaction,
    RetiredInteraction,
    TypeEntry,
)
from domain.read_set import may_reorder
from domain.undo import target_command_id
from domain.unit_of_work import UnitOfWork
from schemas.command import Command, Refused
from schemas.payloads import CREATE, ENTITY_ERASE, RECOMPUTE_NEXT, UNDO
from tests.unit.domain.commands import stored


class Store:
    """All rows; a batch loads the rows it names and the first ones of each order, as from the tables."""

    def __init__(self) -> None:
        self.tables: dict[type, dict[Any, Any]] = {kind: {} for kind in UnitOfWork().sets}
        self.entities: dict[str, Entity] = self.tables[Entity]
        self.interactions: dict[str, Interaction] = self.tables[Interaction]
        self.deals: dict[str, Deal] = self.tables[Deal]
        self.journal: dict[tuple[str, str, str], JournalEntry] = {}
        self.most_loaded = 0

    def execute(self, commands: Sequence[Command | Refused]) -> list[Decision]:
        """One batch: load, fold, write."""
        work = self.load(commands)
        decisions = fold(work, commands)
        self.write(work, decisions)
        return decisions

    def load(self, commands: Sequence[Command | Refused]) -> UnitOfWork:
        work = UnitOfWork()
        for command in commands:
            wanted = [log_identity(command)]
            if isinstance(command, Command) and command.envelope.type == UNDO:
                target = target_command_id(command)
                wanted.append((*wanted[0][:2], target or ""))
            for identity in wanted:
                if identity in self.journal:
                    work.journal[identity] = self.journal[identity]
        fresh = [
            command
            for command in commands
            if isinstance(command, Command) and log_identity(command) not in work.journal
        ]
        named: set[str] = set()
        for command in fresh:
            scope = command.envelope.tenant_id, command.envelope.organization_id
            for kind in (TypeEntry, Dictionary):
                for row in self.tables[kind].values():
                    if (row.tenant_id, row.organization_id) == scope:
                        work.sets[kind].load(row)
                        work.scopes.add(scope)
            payload: Any = command.payload
            following = getattr(getattr(payload, "next", None), "deal_id", None)
            for name in (getattr(payload, "id", None), getattr(payload, "deal_id", None), following):
                if name in self.deals:
                    work.deals.load(self.deals[name])
            named.add(getattr(payload, "id", None) or "")
            if command.envelope.type == CREATE:
                named.add(created_id(command))
            if command.envelope.type == UNDO:
                entry = work.journal.get((*scope, target_command_id(command) or ""))
                named.add((entry.interaction_id if entry else None) or "")
                if entry is not None and entry.facts.step is not None:
                    named.add(entry.facts.step.row.id)
        rows = [self.interactions[name] for name in named if name in self.interactions]
        moving = Counter(command.envelope.entity_id for command in fresh if may_reorder(command))
        for entity, count in moving.items():
            rows += self.first_planned(entity)[: count + 1] + self.last_done(entity)[: count + 1]
        for entity in {command.envelope.entity_id for command in fresh} & set(self.entities):
            held = self.entities[entity]
            work.entities.load(held)
            for shown in (held.next, held.last) if entity not in moving else ():
                if shown is not None:
                    rows.append(self.interactions[shown.interaction_id])
        for command in fresh:
            if command.envelope.type == ENTITY_ERASE:
                for owned, table in self.tables.items():
                    for row in table.values():
                        if getattr(row, "entity_id", None) == command.envelope.entity_id:
                            work.sets[owned].load(row)
            erased = self.tables[ErasedEntity].get(command.envelope.entity_id)
            if erased is not None:
                work.erased.load(erased)
        for row in rows:
            work.interactions.load(row)
        self.most_loaded = max(self.most_loaded, len(work.interactions))
        work.deleted_versions.update(self.deleted_versions(named - set(self.interactions)))
        for command in fresh:
            if command.envelope.type == RECOMPUTE_NEXT:
                work.recounts[command.envelope.entity_id] = self.counts(command.envelope.entity_id)
        return work

    def deleted_versions(self, absent: set[str]) -> dict[str, int]:
        """Last versions of deleted interactions."""
        versions: dict[str, int] = {}
        for entry in self.journal.values():
            last = deleted_version(entry)
            if entry.interaction_id in absent and last is not None:
                versions[entry.interaction_id] = max(versions.get(entry.interaction_id, 0), last)
        for erased in self.tables[ErasedInteraction].values():
            if erased.interaction_id in absent:
                known = versions.get(erased.interaction_id, 0)
                versions[erased.interaction_id] = max(known, erased.version)
        for retired in self.tables[RetiredInteraction].values():
            if retired.interaction_id in absent:
                known = versions.get(retired.interaction_id, 0)
                versions[retired.interaction_id] = max(known, retired.retired_version)
        return versions

    def first_planned(self, entity: str) -> list[Interaction]:
        rows = [
            row
            for row in self.interactions.values()
            if row.entity_id == entity and row.status == "planned" and row.scheduled_at is not None
        ]

        def order(row: Interaction) -> tuple[Any, ...]:
            return row.scheduled_at, row.priority is None, -(row.priority or 0), row.created_at, row.id

        return sorted(rows, key=order)

    def last_done(self, entity: str) -> list[Interaction]:
        rows = [
            row
            for row in self.interactions.values()
            if row.entity_id == entity and row.status == "done" and row.occurred_at is not None
        ]

        def order(row: Interaction) -> tuple[Any, ...]:
            return row.occurred_at, row.created_at, row.id

        return sorted(rows, key=order, reverse=True)

    def counts(self, entity: str) -> tuple[int, int, int]:
        rows = [row for row in self.interactions.values() if row.entity_id == entity]
        planned = [row for row in rows if row.status == "planned"]
        overdue = [row for row in planned if row.due_phase == 2]
        return len(planned), len(overdue), len([row for row in rows if row.status == "done"])

    def write(self, work: UnitOfWork, decisions: list[Decision]) -> None:
        for kind, records in work.sets.items():
            table, changes = self.tables[kind], records.changes()
            if kind not in (RetiredInteraction, ErasedInteraction):  # not loaded: stored over what is there
                assert not {row.key for row in changes.inserted} & set(table)
            assert {row.key for row in changes.updated} | set(changes.deleted) <= set(table)
            table.update({row.key: row for row in (*changes.inserted, *changes.updated)})
            for key in changes.deleted:
                del table[key]
        for decision in decisions:
            if decision.logged:
                self.keep(log_identity(decision.command), work)

    def keep(self, identity: tuple[str, str, str], work: UnitOfWork) -> None:
        """Store an entry, with a round trip of its facts through JSON."""
        assert identity not in self.journal
        self.journal[identity] = stored(work.journal[identity])
