"""Rules of drafts, reimplemented from docs/signals-and-drafts.md: pure, one function per command type."""

from __future__ import annotations

from typing import Final

from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.expected import Expected, no_op, rejected
from audit.signals.answer_rules import is_blank
from audit.signals.outcomes import changed_draft, unchanged
from audit.signals.rows import Draft, value_of

_TEXT: Final = ("subject", "body")


def update(state: EntityState, command: Parsed) -> Expected:
    """Change the text of a draft that is neither sent nor deleted."""
    row, refusal = _target(state, command)
    if row is None:
        return refusal
    if row.status != "draft":
        return rejected(f"draft_{row.status}")
    data = command.data or {}
    given = {name: value_of(name, value) for name, value in data.items() if name in _TEXT}
    fields = {name: value for name, value in given.items() if getattr(row, name) != value}
    if not fields:
        return unchanged(row)
    if "body" in fields and is_blank(data["body"]):
        return rejected("blank_draft")
    return changed_draft(state, command, row, "updated", fields)


def mark_sent(state: EntityState, command: Parsed) -> Expected:
    """draft → sent."""
    row, refusal = _target(state, command)
    if row is None:
        return refusal
    if row.status == "sent":
        return unchanged(row)
    if row.status == "deleted":
        return rejected("draft_deleted")
    sent = (command.data or {}).get("sentAt")
    fields = {"status": "sent", "sent_at": command.made if sent is None else sent}
    return changed_draft(state, command, row, "sent", fields)


def delete(state: EntityState, command: Parsed) -> Expected:
    """draft → deleted; the row stays."""
    return _turn(state, command, "deleted", "deleted")


def restore(state: EntityState, command: Parsed) -> Expected:
    """deleted → draft."""
    return _turn(state, command, "draft", "restored")


def _turn(state: EntityState, command: Parsed, status: str, event: str) -> Expected:
    row, refusal = _target(state, command)
    if row is None:
        return refusal
    if row.status == status:
        return unchanged(row)
    if row.status == "sent":
        return rejected("draft_sent")
    return changed_draft(state, command, row, event, {"status": status})


def _target(state: EntityState, command: Parsed) -> tuple[Draft | None, Expected]:
    row = state.children.drafts.get((command.data or {})["id"])
    if row is None:
        return None, rejected("draft_not_found", "entity_mismatch")
    if command.expected_version not in (None, row.version):
        return None, rejected("version_conflict")
    return row, no_op()
