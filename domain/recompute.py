"""Repair one entity's projection from its interactions (spec ``recompute_next``)."""

from __future__ import annotations

from domain.decision import Decision
from domain.journal import make_entry
from domain.lookup import require_entity
from domain.model import Entity
from domain.outcome import check_version, no_op
from domain.projection import derive, projection_facts, with_projection
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.identity import derive_id
from schemas.payloads import InteractionRecomputeNext


def recompute_next(work: UnitOfWork, command: Command, payload: InteractionRecomputeNext) -> Decision:
    """Derive next, last and the counts again; a correct projection is a ``no_op``.

    :raises Reject: ``entity_not_found``, ``version_conflict`` (against the entity's version).
    """
    del payload
    stored = require_entity(work, command)
    check_version(command.expected_version, stored.entity_version)
    next_interaction, last = derive(work, stored, (), (), None)
    kept = stored.open_count, stored.overdue_count, stored.done_count
    counts = work.recounts.get(stored.id, kept)
    if (next_interaction, last, counts) == (stored.next, stored.last, kept):
        return no_op(command, stored, None)
    entity = with_projection(stored, next_interaction, last, counts, command.appended_at)
    reason = "relabeled" if _follows_relabel(command, stored) else "recompute"
    facts = projection_facts(stored, entity, reason=reason)
    entry = make_entry(command, "applied", facts, entity_version=entity.entity_version)
    return Decision(command=command, entry=entry, writes=(entity,))


def relabel_command_id(tenant_id: str, organization_id: str, cause: str, entity_id: str) -> str:
    """Id of the recompute command that the relabeling command ``cause`` triggers for one entity."""
    return derive_id("relabel", tenant_id, organization_id, cause, entity_id)


def _follows_relabel(command: Command, entity: Entity) -> bool:
    envelope = command.envelope
    cause = envelope.causation_id
    return cause is not None and envelope.id == relabel_command_id(
        entity.tenant_id, entity.organization_id, cause, entity.id
    )
