"""Dictionary of interaction types per tenant and organization: open (unknown types are added) or strict."""

from __future__ import annotations

from domain.decision import Decision
from domain.journal import Facts, make_entry
from domain.model import Dictionary, TypeEntry
from domain.outcome import no_op
from domain.record_changes import type_change
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import Reject
from schemas.payloads import InteractionTypeUpsert


def resolve_type(
    work: UnitOfWork, command: Command, code: str, pointer: str = "/interactionType"
) -> TypeEntry | None:
    """Resolve an interaction type in the command's dictionary.

    :returns: the entry that the command must add, or ``None`` when the dictionary has the type.
    :raises Reject: ``unknown_interaction_type``: the dictionary is strict and does not have the type.
    """
    scope = command.envelope.tenant_id, command.envelope.organization_id
    entry = work.type_entry(scope, code)
    if entry is None:
        if work.is_strict(scope):
            raise Reject(
                "unknown_interaction_type",
                "the strict dictionary does not have this type; add it with interaction_type.upsert first",
                pointer=pointer,
                status=422,
            )
        return TypeEntry(*scope, code, default_label(code))
    if scope in work.scopes and entry.key not in work.types:
        return entry  # a default type without a row in this scope yet
    return None


def default_label(code: str) -> str:
    """Derive a label from a code: ``follow_up_call`` → ``Follow up call``."""
    text = code.replace("_", " ").strip()
    return text[:1].upper() + text[1:] if text else code


def upsert_type(work: UnitOfWork, command: Command, payload: InteractionTypeUpsert) -> Decision:
    """Add or change an entry, and make the dictionary strict or open; omitted fields keep their value.

    An explicit null clears ``icon`` or ``color``; for the other fields it means "not given".

    :raises Reject: ``expected_version_not_supported`` (an entry has no version; only 0, "does not exist
        yet", can be expected), ``version_conflict``.
    """
    if command.expected_version:
        raise Reject(
            "expected_version_not_supported",
            "a dictionary entry has no version; expectedVersion can only be 0 (the entry does not exist yet)",
            pointer="/expectedVersion",
        )
    scope = command.envelope.tenant_id, command.envelope.organization_id
    known = work.type_entry(scope, payload.interaction_type)
    if command.expected_version == 0 and known is not None:
        raise Reject(
            "version_conflict",
            "expectedVersion is 0, but the dictionary already has this type",
            pointer="/expectedVersion",
            status=409,
        )
    code = payload.interaction_type
    old = known or TypeEntry(*scope, code, default_label(code))
    given = payload.model_fields_set
    new = TypeEntry(
        *scope,
        code,
        label=payload.label if payload.label is not None else old.label,
        icon=payload.icon if "icon" in given else old.icon,
        color=payload.color if "color" in given else old.color,
        actionable=payload.actionable if payload.actionable is not None else old.actionable,
    )
    writes: list[TypeEntry | Dictionary] = []
    record = None
    if new != known:
        writes.append(new)
        record = type_change(work.types.get(new.key), new)
    if payload.strict is not None and payload.strict != work.is_strict(scope):
        writes.append(Dictionary(*scope, payload.strict))
    if not writes:
        return no_op(command, None, None)
    appearance_changed = known is not None and (new.label, new.icon, new.color) != (
        known.label,
        known.icon,
        known.color,
    )
    return Decision(
        command=command,
        entry=make_entry(command, "applied", Facts(record=record, states_only=record is None)),
        writes=tuple(writes),
        relabeled=new.code if appearance_changed else None,
    )
