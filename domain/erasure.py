"""Erasure of a customer: all its rows go for good, and the journal keeps ids, versions and outcomes."""

from __future__ import annotations

from typing import Any

from domain.decision import Decision
from domain.events import events_of
from domain.journal import Erased, Facts, JournalEntry, make_entry
from domain.lookup import require_entity
from domain.model import Deal, Draft, ErasedEntity, ErasedInteraction, Interaction, Signal
from domain.outcome import check_version
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.payloads import EntityErase
from schemas.signal_events import CHILD_EVENT_TYPES


def erase_entity(work: UnitOfWork, command: Command, payload: EntityErase) -> Decision:
    """Remove the customer with its interactions, deals, signals, drafts and outcomes.

    It cannot be undone: the facts keep ids, for the tombstones. All rows of the customer are loaded
    (``sinks.read_set_queries``). Every interaction gets a last version, as in a deletion.

    :raises Reject: ``entity_not_found``, ``version_conflict`` (against the entity's version).
    """
    entity = require_entity(work, command)
    check_version(command.expected_version, entity.entity_version)
    held: dict[type, list[Any]] = {
        kind: [row for row in records.values() if getattr(row, "entity_id", None) == entity.id]
        for kind, records in work.sets.items()
        if kind not in (ErasedEntity, ErasedInteraction)
    }
    ids = {kind: tuple(row.id for row in held[kind]) for kind in (Interaction, Deal, Signal, Draft)}
    version = entity.entity_version + 1
    erased = ErasedEntity(
        entity_id=entity.id,
        tenant_id=entity.tenant_id,
        organization_id=entity.organization_id,
        entity_version=version,
        command_id=command.envelope.id,
        mirrors=payload.mirrors,
        erased_at=command.appended_at,
    )
    facts = Facts(
        reason="erased",
        projection_changed=True,
        erased=Erased(
            mirrors=payload.mirrors,
            interactions=ids[Interaction],
            deals=ids[Deal],
            signals=ids[Signal],
            drafts=ids[Draft],
        ),
    )
    interactions = tuple(
        ErasedInteraction(row.id, row.tenant_id, row.organization_id, entity.id, row.version + 1)
        for row in held[Interaction]
    )
    return Decision(
        command=command,
        entry=make_entry(command, "applied", facts, entity_version=version),
        writes=(erased, *interactions),
        # In the reverse order of foreign keys.
        removes=(*(row for rows in reversed(held.values()) for row in rows), entity),
    )


def scrubbed(entry: JournalEntry) -> Facts:
    """Build the facts that remain of an entry of an erased customer: no text, and no undo.

    They still answer a repetition of the command, and name the events that were published.
    """
    facts = entry.facts
    assert isinstance(facts, Facts)
    return Facts(
        version=facts.version,
        projection_changed=facts.projection_changed,
        signal_id=facts.signal_id,
        draft_id=facts.draft_id,
        states_only=facts.states_only,
        problem=facts.problem,
        read=facts.read,
        scrubbed=tuple(
            # The id of an event of a signal or draft contains that of the row.
            (event.type, event.subject if event.type in CHILD_EVENT_TYPES else None)
            for event in events_of(entry)
        ),
    )
