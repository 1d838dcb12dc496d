"""People, companies and their deals, as far as interactions need them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from domain.decision import Decision
from domain.journal import Facts, make_entry
from domain.lookup import check_id_available, require_entity
from domain.model import Deal, Entity
from domain.outcome import check_version, no_op
from domain.record_changes import deal_change, entity_change
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import FieldError, Reject
from schemas.payload_base import Payload
from schemas.payloads import DealUpsert, EntityUpsert


def upsert_entity(work: UnitOfWork, command: Command, payload: EntityUpsert) -> Decision:
    """Add or change a person or company; omitted fields keep their value.

    :raises Reject: ``id_not_available``, ``version_conflict`` (against the entity's version),
        ``validation_failed`` (a new entity without a name).
    """
    stored = work.entities.get(payload.id)
    changes: dict[str, Any] = {**payload.changes(), "kind": payload.kind}
    erased = work.erased.get(payload.id)
    if erased is not None:
        check_id_available(erased, command)
    if stored is None:
        check_version(command.expected_version, 0)
        _check_complete(payload)
        envelope = command.envelope
        entity = Entity(
            id=payload.id,
            tenant_id=envelope.tenant_id,
            organization_id=envelope.organization_id,
            created_at=command.appended_at,
            updated_at=command.appended_at,
            **changes,
        )
    else:
        check_id_available(stored, command)
        check_version(command.expected_version, stored.entity_version)
        changes = {name: value for name, value in changes.items() if getattr(stored, name) != value}
        if not changes:
            return no_op(command, stored, None)
        entity = replace(
            stored, **changes, entity_version=stored.entity_version + 1, updated_at=command.appended_at
        )
    return Decision(
        command=command,
        entry=make_entry(
            command,
            "applied",
            Facts(next=entity.next, record=entity_change(stored, entity)),
            entity_version=entity.entity_version,
        ),
        writes=(entity,),
    )


def upsert_deal(work: UnitOfWork, command: Command, payload: DealUpsert) -> Decision:
    """Add or change a deal of an entity; omitted fields keep their value. The entity is unchanged.

    :raises Reject: ``entity_not_found``, ``id_not_available``, ``entity_mismatch``, ``version_conflict``
        (against the deal's version), ``validation_failed`` (a new deal without a title).
    """
    entity = require_entity(work, command)
    stored = work.deals.get(payload.id)
    if stored is None:
        check_version(command.expected_version, 0)
        _check_complete(payload)
        deal = Deal(
            id=payload.id,
            tenant_id=entity.tenant_id,
            organization_id=entity.organization_id,
            entity_id=entity.id,
            title=payload.title,
            status=payload.status,
            created_at=command.appended_at,
            updated_at=command.appended_at,
        )
    else:
        check_id_available(stored, command)
        if stored.entity_id != entity.id:
            raise Reject(
                "entity_mismatch",
                "the deal belongs to another entity; use that entity's id as entityid and record key",
                pointer="/id",
                status=409,
            )
        check_version(command.expected_version, stored.version)
        changes = {name: value for name, value in payload.changes().items() if getattr(stored, name) != value}
        if not changes:
            return no_op(command, entity, None)
        deal = replace(stored, **changes, version=stored.version + 1, updated_at=command.appended_at)
    return Decision(
        command=command,
        entry=make_entry(
            command,
            "applied",
            Facts(version=deal.version, next=entity.next, record=deal_change(stored, deal)),
            entity_version=entity.entity_version,
        ),
        writes=(deal,),
    )


def _check_complete(payload: Payload) -> None:
    """Check that a new row has all required fields.

    :raises Reject: ``validation_failed``.
    """
    missing = payload.missing_when_new()
    if missing:
        raise Reject(
            "validation_failed",
            f"the data is not valid at {', '.join('/' + name for name in missing)}",
            errors=tuple(FieldError("missing_field", "is required", f"/{name}") for name in missing),
        )
