"""The next step of a completion, reimplemented from the contract: planned, taken back, restored."""

from __future__ import annotations

from typing import Any, Final

from audit.derived_ids import derived
from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.expected import Expected, Step, rejected
from audit.interaction_tuple import MEMBERS, Interaction, short
from audit.next_step_fields import OPTIONAL
from audit.signals.row_undo import has_others

_FIELDS: Final = {name: MEMBERS[name] for name in OPTIONAL}


def plan(state: EntityState, command: Parsed, planned: dict[str, Any], expected: Expected) -> Expected:
    """Add the next step to the completion of an interaction.

    :param planned: what the command says about the next step.
    :param expected: the completion without it.
    """
    completed = expected.after
    if completed is None:
        return expected
    identity = derived(
        "next-step", command.tenant, command.organization, completed.id, str(completed.version)
    )
    if identity in state.rows:
        return rejected("id_not_available")
    deal = planned.get("dealId")
    foreign = {"id_not_available", "unknown_interaction_type"}
    if deal is not None and deal not in state.deals:
        foreign |= {"deal_not_found", "deal_of_other_entity"}
    version = state.gone.get(identity, 0) + 1
    fields: dict[str, Any] = dict.fromkeys(Interaction._fields)
    fields |= {ours: planned.get(theirs) for theirs, ours in _FIELDS.items()}
    fields |= {"title": short(fields["title"]), "body": short(fields["body"])}
    fields |= {
        "id": identity,
        "entity": state.id,
        "organization": command.organization,
        "tenant": command.tenant,
        "type": planned["interactionType"],
        "status": "planned",
        "version": version,
        "schedule_version": version,
        "due_phase": 0,
        "created": command.now,
        "updated": command.now,
        "status_as_of": command.made,
        "scheduled_as_of": command.made,
        "occurred_as_of": command.made,
    }
    expected.step = Step("created", None, Interaction(**fields), version)
    expected.cross |= foreign
    return expected


def is_unchanged(state: EntityState, done: Step) -> bool:
    """Return whether the next step is as the command left it, and no signal was recorded on it."""
    row = state.rows.get(done.id)
    if (row.version if row else None) != (done.after.version if done.after else None):
        return False
    return done.after is None or not has_others(state, done.id, ())


def reverted(state: EntityState, command: Parsed, done: Step) -> Step:
    """Take the next step back, or restore the one that the undone undo took back."""
    row = state.rows.get(done.id)
    if row is not None:
        return Step("deleted", row, None, row.version + 1)
    assert done.before is not None
    version = max(state.gone.get(done.id, 0), done.version) + 1
    after = done.before._replace(version=version, updated=command.now, schedule_version=version, due_phase=0)
    return Step("created", None, after, version)
