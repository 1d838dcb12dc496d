"""Rules of signals, reimplemented from docs/signals-and-drafts.md: pure, one function per command type."""

from __future__ import annotations

from typing import Any, Final

from audit.derived_ids import derived
from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.expected import Expected, no_op, rejected
from audit.signals.children import Change
from audit.signals.outcomes import applied, changed_signal, outcome, unchanged
from audit.signals.rows import Signal, value_of

_MOST: Final = 100
_FIELDS: Final = {
    "kind": "kind",
    "title": "title",
    "body": "body",
    "personId": "person_id",
    "confidence": "confidence",
}
#: Fields that a new resolution, a skip and a reopening clear.
CLEARED: Final[dict[str, Any]] = dict.fromkeys(("draft_id", "resolved_at", "failure", "failure_detail"))


def record(state: EntityState, command: Parsed) -> Expected:
    """Record an open signal of one of the customer's interactions."""
    data = command.data or {}
    interaction = data["interactionId"]
    if interaction not in state.rows:
        return rejected("interaction_not_found", "entity_mismatch")
    given = data.get("id")
    identity = given or derived("signal", command.tenant, command.organization, command.id)
    if identity in state.children.signals:
        return rejected("signal_exists")
    # Another customer's signal may have the id.
    elsewhere = ("signal_exists", "id_not_available") if given else ()
    if command.expected_version not in (None, 0):
        return rejected("version_conflict", *elsewhere)
    if sum(isinstance(row, Signal) for row in state.children.of(interaction)) >= _MOST:
        return rejected("too_many_signals", *elsewhere)
    detected = data.get("detectedAt")
    row = Signal(
        id=identity,
        interaction_id=interaction,
        entity_id=state.id,
        organization_id=command.organization,
        tenant_id=command.tenant,
        status="open",
        detected_at=command.made if detected is None else detected,
        version=state.version + 1,
        created_at=command.now,
        updated_at=command.now,
        **fields_of(data),
    )
    expected = applied(state, (Change("signal.recorded", None, row),), row.id, None)
    expected.cross = frozenset(elsewhere)
    return expected


def fields_of(data: dict[str, Any]) -> dict[str, Any]:
    """Fields of a signal that people edit, as far as they are given."""
    return {ours: value_of(ours, data[theirs]) for theirs, ours in _FIELDS.items() if theirs in data}


def update(state: EntityState, command: Parsed) -> Expected:
    """Change fields, in any status."""
    row, refusal = target(state, command)
    if row is None:
        return refusal
    fields = fields_of(command.data or {})
    if not differs(row, fields):
        return unchanged(row)
    return changed_signal(state, command, row, "updated", fields)


def differs(row: Signal, fields: dict[str, Any]) -> bool:
    """Return whether a row has another value in one of the fields."""
    return any(getattr(row, name) != value for name, value in fields.items())


def resolve(state: EntityState, command: Parsed) -> Expected:
    """open → resolving."""
    row, refusal = target(state, command)
    if row is None:
        return refusal
    if row.status in ("resolving", "resolved"):
        return unchanged(row)
    if row.status == "skipped":
        return rejected("signal_skipped")
    if recipient(state, row) is None:
        return rejected("person_required")
    data = command.data or {}
    fields = {
        **CLEARED,
        "status": "resolving",
        "channel": data["channel"],
        "instruction": value_of("instruction", data.get("instruction")),
        "language": data.get("language", "en"),
        "resolution": state.version + 1,
        "requested_at": command.now,
        "resolved_by": command.actor,
    }
    return changed_signal(state, command, row, "resolving", fields)


def recipient(state: EntityState, row: Signal) -> str | None:
    """Person to contact: the one that the signal names, otherwise the customer, unless it is a company."""
    if row.person_id is not None:
        return row.person_id
    return state.id if state.fields.get("kind") == "person" else None


def skip(state: EntityState, command: Parsed) -> Expected:
    """open → skipped."""
    row, refusal = target(state, command)
    if row is None:
        return refusal
    if row.status == "skipped":
        return unchanged(row)
    if row.status != "open":
        return rejected(f"signal_{row.status}")
    reason = (command.data or {}).get("reason")
    entry = outcome(command, row, "skipped", detail=reason)
    return changed_signal(state, command, row, "skipped", {**CLEARED, "status": "skipped"}, entry)


def reopen(state: EntityState, command: Parsed) -> Expected:
    """resolved or skipped → open; the draft stays."""
    row, refusal = target(state, command)
    if row is None:
        return refusal
    if row.status == "open":
        return unchanged(row)
    if row.status == "resolving":
        return rejected("signal_resolving")
    entry = outcome(command, row, "reopened")
    return changed_signal(state, command, row, "reopened", {**CLEARED, "status": "open"}, entry)


def target(state: EntityState, command: Parsed) -> tuple[Signal | None, Expected]:
    """Find the signal of a command; ``None`` and the rejection if it cannot be changed."""
    row = state.children.signals.get((command.data or {})["id"])
    if row is None:
        return None, rejected("signal_not_found", "entity_mismatch")
    if command.expected_version not in (None, row.version):
        return None, rejected("version_conflict")
    return row, no_op()
