"""Undo, reimplemented from the contract (spec "Undo policy"): revert a command unless something changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from audit import next_step
from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.expected import Expected, rejected
from audit.interaction_tuple import Interaction
from audit.lifecycle import AS_OF, change
from audit.signals.children import removal
from audit.signals.row_undo import are_unchanged, has_others, reverted, undo_rows


@dataclass(slots=True)
class UndoImage:
    """Undo image of a command of an entity.

    :param done: its effects; ``None`` if it had none, or none that can be undone.
    """

    entity: str
    done: Expected | None = None


def undo(state: EntityState, command: Parsed, image: UndoImage | None) -> Expected:
    """Undo one command."""
    if image is None or image.entity != state.id:
        return rejected("undo_not_found")
    if image.done is None:
        return rejected("undo_not_available")
    if image.done.interaction is None:
        return undo_rows(state, command, image.done)
    return _undo_interaction(state, command, image.done, image.done.interaction)


def _undo_interaction(state: EntityState, command: Parsed, done: Expected, interaction: str) -> Expected:
    row, before = state.rows.get(interaction), done.before
    if (row.version if row else None) != (done.after.version if done.after else None):
        return rejected("undo_unsafe", "version_conflict")
    if command.expected_version not in (None, row.version if row else 0):
        return rejected("version_conflict")
    if not are_unchanged(state, done.changes):
        return rejected("undo_unsafe")
    step = done.step
    if step is not None and not next_step.is_unchanged(state, step):
        return rejected("undo_unsafe")
    if before is None:
        if has_others(state, interaction, done.changes):
            return rejected("undo_unsafe")
        return change(row, None, "deleted", changes=removal(state.children.of(interaction)))
    changes = reverted(state, command, done.changes)
    if row is None:
        version = state.gone.get(interaction, before.version) + 1
        # Restored: its timers are reset, its fields keep their timestamps.
        after = before._replace(version=version, updated=command.now, schedule_version=version, due_phase=0)
        # Refused if an id was reused by another entity in the meantime.
        return change(None, after, "created", cross=frozenset({"undo_unsafe"}), changes=changes)
    expected = change(row, _restored(row, before, command), "reverted", changes=changes)
    if step is not None:
        expected.step = next_step.reverted(state, command, step)
        # Refused if the id was reused by another entity in the meantime.
        expected.cross = frozenset({"undo_unsafe"} if step.after is None else ())
    return expected


def _restored(row: Interaction, before: Interaction, command: Parsed) -> Interaction:
    version = row.version + 1
    changed: dict[str, Any] = {"version": version, "updated": command.now}
    for name, as_of in AS_OF.items():
        held = getattr(row, as_of)
        changed[as_of] = held if getattr(row, name) == getattr(before, name) else max(held, command.made)
    if row.scheduled != before.scheduled or (before.status == "planned" and row.status != "planned"):
        changed |= {"schedule_version": version, "due_phase": 0}
    else:
        changed |= {"schedule_version": row.schedule_version, "due_phase": row.due_phase}
    return before._replace(**changed)
