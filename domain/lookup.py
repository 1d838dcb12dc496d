"""Look up the rows that a command refers to, within its tenant and organization."""

from __future__ import annotations

from domain.model import Deal, Draft, Entity, ErasedEntity, Interaction, Signal
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import Reject
from schemas.payloads import FLAG_SET, TYPE_UPSERT

#: Commands on the organization or the tenant, whose id is their entity id.
_ON_NO_ENTITY = frozenset({TYPE_UPSERT, FLAG_SET})


def in_scope(row: Entity | ErasedEntity | Interaction | Deal | Signal | Draft, command: Command) -> bool:
    """Return whether the row belongs to the command's tenant and organization."""
    envelope = command.envelope
    return row.tenant_id == envelope.tenant_id and row.organization_id == envelope.organization_id


def check_not_erased(work: UnitOfWork, command: Command) -> None:
    """Check that the command's entity was not erased.

    An erased entity of another scope is unknown here, like any foreign id.

    :raises Reject: ``entity_erased``.
    """
    erased = work.erased.get(command.envelope.entity_id)
    if erased is None or command.envelope.type in _ON_NO_ENTITY or not in_scope(erased, command):
        return
    raise Reject(
        "entity_erased",
        "this customer was erased for good, and its id is never used again; nothing was stored",
        status=410,
    )


def require_entity(work: UnitOfWork, command: Command) -> Entity:
    """Look up the command's entity.

    :raises Reject: ``entity_not_found``, also for an entity of another scope.
    """
    entity = work.entities.get(command.envelope.entity_id)
    if entity is None or not in_scope(entity, command):
        raise Reject("entity_not_found", "unknown customer; send its entity.upsert first", status=404)
    return entity


def require_interaction(
    work: UnitOfWork, command: Command, identity: str, pointer: str = "/id"
) -> Interaction:
    """Look up an interaction of the command's entity.

    :raises Reject: ``interaction_not_found``, also for an interaction of another scope;
        ``entity_mismatch`` for one of another entity.
    """
    row = work.interactions.get(identity)
    if row is None or not in_scope(row, command):
        raise Reject(
            "interaction_not_found", "there is no interaction with this id", pointer=pointer, status=404
        )
    _check_entity(row, command, "interaction", pointer)
    return row


def require_signal(work: UnitOfWork, command: Command, identity: str, pointer: str = "/id") -> Signal:
    """Look up a signal of the command's entity.

    :raises Reject: ``signal_not_found``, also for a signal of another scope; ``entity_mismatch``.
    """
    row = work.signals.get(identity)
    if row is None or not in_scope(row, command):
        raise Reject("signal_not_found", "there is no signal with this id", pointer=pointer, status=404)
    _check_entity(row, command, "signal", pointer)
    return row


def require_draft(work: UnitOfWork, command: Command, identity: str) -> Draft:
    """Look up a draft of the command's entity.

    :raises Reject: ``draft_not_found``, also for a draft of another scope; ``entity_mismatch``.
    """
    row = work.drafts.get(identity)
    if row is None or not in_scope(row, command):
        raise Reject("draft_not_found", "there is no draft with this id", pointer="/id", status=404)
    _check_entity(row, command, "draft", "/id")
    return row


def _check_entity(row: Interaction | Signal | Draft, command: Command, name: str, pointer: str) -> None:
    if row.entity_id != command.envelope.entity_id:
        raise Reject(
            "entity_mismatch",
            f"the {name} belongs to another entity; use that entity's id as entityid and record key",
            pointer=pointer,
            status=409,
        )


def check_deal(work: UnitOfWork, command: Command, deal_id: str | None, pointer: str = "/dealId") -> None:
    """Check that the deal, if one is given, belongs to the command's entity.

    :raises Reject: ``deal_not_found``, also for a deal of another scope; ``deal_of_other_entity``.
    """
    if deal_id is None:
        return
    deal = work.deals.get(deal_id)
    if deal is None or not in_scope(deal, command):
        raise Reject("deal_not_found", "there is no deal with this id", pointer=pointer, status=404)
    if deal.entity_id != command.envelope.entity_id:
        raise Reject(
            "deal_of_other_entity", "the deal belongs to another entity", pointer=pointer, status=409
        )


def check_id_available(row: Entity | ErasedEntity | Interaction | Deal | Signal, command: Command) -> None:
    """Check that the row that already has the requested id belongs to the command's scope.

    :raises Reject: ``id_not_available``; it does not reveal that another scope uses the id.
    """
    if not in_scope(row, command):
        raise Reject(
            "id_not_available", "this id is not available; choose another", pointer="/id", status=409
        )
