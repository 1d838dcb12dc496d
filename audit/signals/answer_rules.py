"""Rules of the answers to a resolution: a draft, or the reason why there is none."""

from __future__ import annotations

from audit.derived_ids import derived
from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.expected import Expected, rejected
from audit.signals.children import Change
from audit.signals.outcomes import changed_signal, outcome, unchanged
from audit.signals.rows import Draft, Signal, value_of
from audit.signals.signal_rules import recipient, target


def draft_id(signal: Signal, resolution: int) -> str:
    """Id of the draft of one resolution."""
    return derived("draft", signal.tenant_id, signal.organization_id, signal.id, str(resolution))


def attach_draft(state: EntityState, command: Parsed) -> Expected:
    """resolving → resolved, together with the draft."""
    row, refusal = target(state, command)
    if row is None:
        return refusal
    data = command.data or {}
    identity = draft_id(row, data["resolution"])
    if row.draft_id == identity:
        return unchanged(row)
    if not _is_awaited(row, data["resolution"]):
        return rejected("not_resolving")
    if is_blank(data["body"]):
        return rejected("blank_draft")
    person = recipient(state, row)
    if person is None:
        # The person was removed, or the customer became a company, since the signal is being resolved.
        return rejected("person_required")
    draft = Draft(
        id=identity,
        signal_id=row.id,
        interaction_id=row.interaction_id,
        entity_id=row.entity_id,
        organization_id=row.organization_id,
        tenant_id=row.tenant_id,
        person_id=person,
        user_id=row.resolved_by,
        channel=row.channel or "",
        language=row.language or "",
        subject=value_of("subject", data.get("subject")),
        body=value_of("body", data["body"]),
        status="draft",
        writer=data["writer"],
        template_id=data.get("templateId"),
        model=data.get("model"),
        prompt_hash=data.get("promptHash"),
        version=state.version + 1,
        created_at=command.now,
        updated_at=command.now,
    )
    fields = {"status": "resolved", "draft_id": identity, "resolved_at": command.now}
    entry = outcome(command, row, "resolved", draft=identity)
    return changed_signal(
        state, command, row, "resolved", fields, Change("draft.created", None, draft), entry
    )


def fail_draft(state: EntityState, command: Parsed) -> Expected:
    """resolving → open, with the failure."""
    row, refusal = target(state, command)
    if row is None:
        return refusal
    data = command.data or {}
    if not _is_awaited(row, data["resolution"]):
        return rejected("not_resolving")
    detail = value_of("failure_detail", data.get("detail"))
    fields = {"status": "open", "failure": data["code"], "failure_detail": detail}
    entry = outcome(command, row, "failed", detail=data["code"])
    return changed_signal(state, command, row, "failed", fields, entry)


def is_blank(body: str) -> bool:
    """Return whether the text of a draft is only white space."""
    return not body.strip()


def _is_awaited(row: Signal, resolution: int) -> bool:
    return row.status == "resolving" and row.resolution == resolution
