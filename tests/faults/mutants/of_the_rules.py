# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of the rules."""

from __future__ import annotations

import dataclasses
from typing import Any

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
    undo.apply_transition = lambda *a, **k: dataclasses.replace(real(*a, **k), events=())


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
        return dataclasses.replace(
            decision, outcome="applied", result={**decision.result, "outcome": "applied", "first": None}
        )

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

    real = update.evolve
    update.evolve = lambda row, changes: real(row, {**changes, "version": row.version})


@mutant("a change does not increment the customer's version")
def entity_version_not_incremented() -> None:
    from domain import projection

    real = projection.with_projection
    projection.with_projection = lambda stored, *rest: dataclasses.replace(
        real(stored, *rest), entity_version=stored.entity_version
    )


@mutant("due is published without being recorded")
def due_without_mark() -> None:
    from domain import due

    real = due.evolve
    due.evolve = lambda row, _changes: real(row, {})


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
