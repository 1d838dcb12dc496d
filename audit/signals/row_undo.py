"""Undo of changes of signals and drafts: the rows as they were, if they have not changed since."""

from __future__ import annotations

from collections.abc import Iterable

from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.expected import Expected, rejected
from audit.signals.children import Change, removal
from audit.signals.outcomes import outcome
from audit.signals.rows import Child, Draft, Outcome, Signal


def undo_rows(state: EntityState, command: Parsed, done: Expected) -> Expected:
    """Undo a command that changed no interaction."""
    first = next(change.row for change in done.changes if not isinstance(change.row, Outcome))
    interaction = state.rows.get(first.interaction_id)
    # Without its interaction, a signal that was removed cannot come back.
    if interaction is None or not are_unchanged(state, done.changes):
        return rejected("undo_unsafe", "version_conflict")
    if command.expected_version not in (None, _version(state.children.find(first)) or 0):
        return rejected("version_conflict")
    expected = Expected(
        "applied",
        # The result of a fix, and of its undo, has the version of the interaction.
        version=state.version + 1 if done.signal is not None else interaction.version,
        changes=reverted(state, command, done.changes),
        signal=done.signal,
        draft=done.draft,
    )
    if any(change.after is None for change in done.changes):
        # Refused if an id was reused by another entity in the meantime.
        expected.cross = frozenset({"undo_unsafe"})
    return expected


def are_unchanged(state: EntityState, done: Iterable[Change]) -> bool:
    """Return whether signals and drafts are as a command left them."""
    return all(
        _version(state.children.find(change.row)) == _version(change.after)
        for change in done
        if not isinstance(change.row, Outcome)
    )


def has_others(state: EntityState, interaction: str, done: Iterable[Change]) -> bool:
    """Return whether an interaction has signals or drafts that are not from this command."""
    known = {change.row.id for change in done}
    return any(not isinstance(row, Outcome) and row.id not in known for row in state.children.of(interaction))


def reverted(state: EntityState, command: Parsed, done: Iterable[Change]) -> tuple[Change, ...]:
    """Restore the rows: outcomes that the command added stay, those that it removed come back."""
    changes: dict[tuple[type[Child], str], Change] = {}
    for change in done:
        row = change.row
        if isinstance(row, Outcome):
            found: tuple[Change, ...] = (Change(None, None, row),) if change.after is None else ()
        elif isinstance(row, Draft):
            found = (_draft(state, command, row.id, change.before),)
        else:
            found = _signal(state, command, row.id, change.before)
        # A signal that is removed takes its drafts and outcomes with it.
        changes |= {(type(each.row), each.row.id): each for each in found}
    return tuple(changes.values())


def _draft(state: EntityState, command: Parsed, identity: str, before: Child | None) -> Change:
    present = state.children.drafts.get(identity)
    if not isinstance(before, Draft):
        return Change("draft.removed", present, None)
    after = before._replace(version=state.version + 1, updated_at=command.now)
    return Change("draft.reverted" if present else "draft.created", present, after)


def _signal(state: EntityState, command: Parsed, identity: str, before: Child | None) -> tuple[Change, ...]:
    present = state.children.signals.get(identity)
    if not isinstance(before, Signal):
        assert present is not None
        of = state.children.of(present.interaction_id)
        return removal(row for row in of if identity in (row.id, getattr(row, "signal_id", None)))
    # The draft of a resolution that ended is no longer being written.
    runs = present is not None and (present.status, present.resolution) == ("resolving", before.resolution)
    status = "open" if before.status == "resolving" and not runs else before.status
    after = before._replace(status=status, version=state.version + 1, updated_at=command.now)
    if present is None:
        return (Change("signal.recorded", None, after),)
    restored = Change("signal.reverted", present, after)
    if present.status == status:
        return (restored,)
    return restored, outcome(command, after, "reverted")


def _version(row: Child | None) -> int | None:
    return None if row is None or isinstance(row, Outcome) else row.version
