"""Find the rows a command names, inside its own tenant and organization only."""

from __future__ import annotations

from domain.model import Deal, Entity, Interaction
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import Reject


def in_scope(row: Entity | Interaction | Deal, command: Command) -> bool:
    """Whether the row is of the command's tenant and organization."""
    envelope = command.envelope
    return row.tenant_id == envelope.tenant_id and row.organization_id == envelope.organization_id


def require_entity(work: UnitOfWork, command: Command) -> Entity:
    """The command's entity.

    :raises Reject: ``entity_not_found``, also when it is another scope's.
    """
    entity = work.entities.get(command.envelope.entity_id)
    if entity is None or not in_scope(entity, command):
        raise Reject("entity_not_found", "no such customer here; send its entity.upsert first", status=404)
    return entity


def require_interaction(work: UnitOfWork, command: Command, identity: str) -> Interaction:
    """An interaction of the command's entity.

    :raises Reject: ``interaction_not_found``, also when it is another scope's; ``entity_mismatch`` when
        it is another entity's.
    """
    row = work.interactions.get(identity)
    if row is None or not in_scope(row, command):
        raise Reject(
            "interaction_not_found", "there is no interaction with this id", pointer="/id", status=404
        )
    if row.entity_id != command.envelope.entity_id:
        raise Reject(
            "entity_mismatch",
            "the interaction belongs to another entity; use that entity's id as entityid and as the key",
            pointer="/id",
            status=409,
        )
    return row


def check_deal(work: UnitOfWork, command: Command, deal_id: str | None) -> None:
    """A named deal must be one of the command's entity.

    :raises Reject: ``deal_not_found``, also when it is another scope's; ``deal_of_other_entity``.
    """
    if deal_id is None:
        return
    deal = work.deals.get(deal_id)
    if deal is None or not in_scope(deal, command):
        raise Reject("deal_not_found", "there is no deal with this id", pointer="/dealId", status=404)
    if deal.entity_id != command.envelope.entity_id:
        raise Reject(
            "deal_of_other_entity", "the deal belongs to another entity", pointer="/dealId", status=409
        )


def check_id_available(row: Entity | Interaction | Deal, command: Command) -> None:
    """A given id may not be in use elsewhere.

    :raises Reject: ``id_not_available``: the row that has the id is another scope's.
    """
    if not in_scope(row, command):
        raise Reject(
            "id_not_available", "this id is not available; choose another", pointer="/id", status=409
        )
