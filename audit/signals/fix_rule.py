"""Rule of ``interaction.fix``: an interaction and its signals change together or not at all."""

from __future__ import annotations

from audit import lifecycle
from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.expected import Expected, rejected
from audit.signals.children import Change
from audit.signals.signal_rules import differs, fields_of


def fix(state: EntityState, command: Parsed) -> Expected:
    """Change an interaction as ``update`` does, and its signals."""
    row, refusal = lifecycle.target(state, command)
    if row is None:
        return refusal
    changes = _signals(state, command, row.id)
    if isinstance(changes, Expected):
        return changes
    expected = lifecycle.update(state, command)
    if expected.outcome == "applied":
        expected.changes = changes
    elif changes:
        expected = Expected("applied", version=row.version, changes=changes, cross=expected.cross)
    return expected


def _signals(state: EntityState, command: Parsed, interaction: str) -> tuple[Change, ...] | Expected:
    """Changes of the listed signals, or the rejection."""
    changes, seen = [], set[str]()
    for given in (command.data or {}).get("signals", ()):
        if given["id"] in seen:
            return rejected("repeated_signal")
        seen.add(given["id"])
        row = state.children.signals.get(given["id"])
        if row is None:
            return rejected("signal_not_found", "entity_mismatch")
        if row.interaction_id != interaction:
            return rejected("signal_of_other_interaction")
        fields = fields_of(given)
        if differs(row, fields):
            after = row._replace(**fields, version=state.version + 1, updated_at=command.now)
            changes.append(Change("signal.updated", row, after))
    return tuple(changes)
