"""Results: the published outcome of a command, as a function of its journal entry."""

from __future__ import annotations

from typing import Any

from domain.decision import Decision
from domain.journal import Facts, JournalEntry, OldFacts
from domain.model import Draft, Signal
from domain.snapshots import next_snapshot
from domain.undo_image import undo_token
from schemas import cache_tags
from schemas.command import Command
from schemas.instants import format_instant


def result_of(decision: Decision) -> dict[str, Any]:
    """Build the value of a result (``schemas.outcomes.Result``) without topic, partition and offset."""
    command, first = decision.command, decision.first
    value = outcome_of(decision.entry)
    if isinstance(command, Command) and command.validate_only:
        value.update(validateOnly=True, undoToken=None, invalidates=[])
    value["first"] = outcome_of(first) if first is not None else None
    return value


def outcome_of(entry: JournalEntry) -> dict[str, Any]:
    """Build the outcome of a command when it was decided (``schemas.outcomes.FirstOutcome``)."""
    facts = entry.facts
    if isinstance(facts, OldFacts):
        return {name: value for name, value in facts.result.items() if name != "first"}
    applied, read, given_id = entry.outcome == "applied", facts.read, entry.given_id
    value = {
        "commandId": given_id,
        "commandType": entry.command_type,
        "outcome": entry.outcome,
        "tenantId": entry.tenant_id,
        "organizationId": entry.organization_id,
        "entityId": entry.entity_id,
        "interactionId": entry.interaction_id,
        "signalId": facts.signal_id,
        "draftId": facts.draft_id,
        "version": facts.version,
        "entityVersion": entry.entity_version,
        "nextInteraction": next_snapshot(facts.next),
        "plannedInteractionId": _planned(facts),
        "undoToken": undo_token(given_id) if facts.undoable else None,
        "invalidates": list(_invalidates(entry, facts)) if applied else [],
        "warnings": list(facts.warnings),
        "validateOnly": False,
        "problem": facts.problem,
        "recordedAt": format_instant(entry.appended_at),
    }
    if read is not None:
        value.update(
            commandType=read.command_type,
            tenantId=read.tenant_id,
            organizationId=read.organization_id,
        )
        if read.command_id is not None:
            value["commandId"] = read.command_id
    return value


def _planned(facts: Facts) -> str | None:
    """Id of the next step that the command planned, or that an undo restored."""
    step = facts.step
    return step.after.id if step is not None and step.after is not None else None


def _invalidates(entry: JournalEntry, facts: Facts) -> tuple[str, ...]:
    """Cache tags of the views whose content changed."""
    tenant_id, organization_id, entity_id = entry.tenant_id, entry.organization_id, entry.entity_id
    assert entity_id is not None
    if entry.command_type == "customers.feature_flag.set":
        return (cache_tags.feature_flags(tenant_id),)
    if entry.command_type == "customers.interaction_type.upsert":
        return cache_tags.of_relabel(tenant_id, organization_id)
    if facts.erased is not None:
        return cache_tags.of_erasure(tenant_id, organization_id, entity_id)
    children = _invalidated_children(facts) if facts.changes else ()
    if facts.event is None and children:
        return children
    the_list = cache_tags.interaction_list(tenant_id, organization_id)
    if entry.command_type == "customers.entity.upsert":
        return cache_tags.next_interaction_of_entity(entity_id), the_list
    tags = [cache_tags.interactions_of_entity(entity_id), the_list]
    if facts.projection_changed:
        tags.append(cache_tags.next_interaction_of_entity(entity_id))
    if facts.new_type is not None:
        tags.append(cache_tags.interaction_types(tenant_id, organization_id))
    return (*tags, *children)


def _invalidated_children(facts: Facts) -> tuple[str, ...]:
    """Cache tags of the views that show the signals and drafts that changed."""
    tags: dict[str, None] = {}
    for change in facts.changes:
        row = change.row
        if isinstance(row, Signal):
            tags.update(
                dict.fromkeys(cache_tags.of_signal(row.tenant_id, row.organization_id, row.interaction_id))
            )
        elif isinstance(row, Draft):
            tags.update(dict.fromkeys(cache_tags.of_draft(row.tenant_id, row.organization_id, row.signal_id)))
    return tuple(tags)
