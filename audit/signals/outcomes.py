"""Expected outcomes of commands on one signal or draft."""

from __future__ import annotations

from typing import Any

from audit.derived_ids import derived
from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.expected import Expected, no_op
from audit.signals.children import Change
from audit.signals.rows import Draft, Outcome, Signal, value_of


def changed_signal(
    state: EntityState,
    command: Parsed,
    row: Signal,
    event: str,
    fields: dict[str, Any],
    *others: Change,
) -> Expected:
    """Expect a change of a signal, and of other rows with it.

    :param event: last word of the event's type.
    """
    after = row._replace(**fields, version=state.version + 1, updated_at=command.now)
    return applied(state, (Change(f"signal.{event}", row, after), *others), after.id, after.draft_id)


def changed_draft(
    state: EntityState, command: Parsed, row: Draft, event: str, fields: dict[str, Any]
) -> Expected:
    """Expect a change of a draft."""
    after = row._replace(**fields, version=state.version + 1, updated_at=command.now)
    return applied(state, (Change(f"draft.{event}", row, after),), row.signal_id, row.id)


def applied(state: EntityState, changes: tuple[Change, ...], signal: str, draft: str | None) -> Expected:
    """Expect changes of rows; the version of each is the entity's after the command."""
    return Expected("applied", version=state.version + 1, changes=changes, signal=signal, draft=draft)


def unchanged(row: Signal | Draft) -> Expected:
    """Expect no change; the result names the signal and its draft."""
    expected = no_op()
    expected.version = row.version
    if isinstance(row, Signal):
        expected.signal, expected.draft = row.id, row.draft_id
    else:
        expected.signal, expected.draft = row.signal_id, row.id
    return expected


def outcome(
    command: Parsed, row: Signal, what: str, *, detail: str | None = None, draft: str | None = None
) -> Change:
    """Expect an entry in the history of a signal."""
    identity = derived("outcome", command.tenant, command.organization, command.id, row.id)
    entry = Outcome(
        id=identity,
        signal_id=row.id,
        interaction_id=row.interaction_id,
        entity_id=row.entity_id,
        organization_id=row.organization_id,
        tenant_id=row.tenant_id,
        outcome=what,
        command_id=command.id,
        created_at=command.now,
        detail=value_of("detail", detail),
        draft_id=draft,
        actor_id=command.actor,
    )
    return Change(None, None, entry)
