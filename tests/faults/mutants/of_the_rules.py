# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of the rules."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tests.faults.mutants.catalogue import mutant


@mutant("a row of another tenant is visible")
def tenant_filter_dropped() -> None:
    from domain import lookup as rows

    rows.in_scope = lambda _row, _command: True


@mutant("the projection is not updated")
def projection_skipped() -> None:
    from domain import projection

    projection.derive = lambda _world, stored, *_: (stored.next, stored.last)


@mutant("at equal times the lowest priority is next")
def priority_upside_down() -> None:
    from domain import next_interaction

    def next_key(row: Any) -> Any:
        if row.status != "planned" or row.scheduled_at is None:
            return None
        rank = float("inf") if row.priority is None else row.priority
        return row.scheduled_at, rank, row.created_at, row.id

    next_interaction.next_key = next_key


@mutant("an undo changes the row without an event")
def undo_without_event() -> None:
    from domain import undo

    real = undo.apply_transition

    def without_event(*arguments: Any, **named: Any) -> Any:
        decision = real(*arguments, **named)
        facts = replace(decision.facts, event=None, next_changed=False)
        return replace(decision, entry=replace(decision.entry, facts=facts))

    undo.apply_transition = without_event


@mutant("an undo does not check for later changes")
def undo_safety_dropped() -> None:
    from domain import undo

    undo._check_safe = lambda _command, _current, _image: None


@mutant("a repeated command gets the outcome applied again")
def duplicate_applied_again() -> None:
    from domain import decide

    real = decide.repeated

    def repeated(command: Any, entry: Any) -> Any:
        decision = real(command, entry)
        if decision.outcome != "duplicate":
            return decision
        return replace(decision, first=None, entry=replace(decision.entry, outcome="applied"))

    decide.repeated = repeated


@mutant("an older change of a field overwrites a newer one")
def last_write_wins_ignored() -> None:
    from domain import update

    real = update.merge
    update.merge = lambda row, changes, at: real(
        row, changes, max(at, row.status_as_of, row.scheduled_as_of, row.occurred_as_of)
    )


@mutant("an update does not increment the interaction's version")
def version_not_incremented() -> None:
    from domain import update

    update.replace = lambda row, **changes: replace(row, **{**changes, "version": row.version})


@mutant("a change does not increment the customer's version")
def entity_version_not_incremented() -> None:
    from domain import projection

    real = projection.with_projection
    projection.with_projection = lambda stored, *rest: replace(
        real(stored, *rest), entity_version=stored.entity_version
    )


@mutant("due is published without being recorded")
def due_without_mark() -> None:
    from domain import due

    due.replace = lambda row, **_changes: row


@mutant("a rejected command is not logged")
def rejection_not_logged() -> None:
    from domain import decide

    real = decide.rejected
    decide.rejected = lambda command, rejection, **_: real(command, rejection, logged=False)


@mutant("a no-op increments the version and publishes an event")
def no_op_makes_a_version() -> None:
    from domain import update

    real = update.merge

    def merge(row: Any, changes: Any, at: Any) -> Any:
        kept, warnings = real(row, changes, at)
        return kept or {"title": row.title}, warnings

    update.merge = merge
