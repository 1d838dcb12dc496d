"""Interaction rules, reimplemented from the contract (spec "Commands & Events", "Conflict policy"): pure,
one function per command type."""

from __future__ import annotations

from typing import Any, Final

from audit import next_step
from audit.command_fields import DETAILS
from audit.derived_ids import derived
from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.expected import Expected, no_op, rejected
from audit.instants import FIVE_MINUTES
from audit.interaction_tuple import MEMBERS, Interaction, short
from audit.signals.children import Change, removal

_FIELDS: Final = {name: MEMBERS[name] for name in ("interactionType", "source", *DETAILS)}
_OPTIONAL: Final = tuple(name for name in _FIELDS.values() if name != "type")
#: The three last-write-wins fields and the timestamp of each.
AS_OF: Final = {"status": "status_as_of", "scheduled": "scheduled_as_of", "occurred": "occurred_as_of"}
_PHASES: Final = {"due": 1, "overdue": 2}
_STRICT: Final = "unknown_interaction_type"


def _fields(data: dict[str, Any]) -> dict[str, Any]:
    found = {ours: data[theirs] for theirs, ours in _FIELDS.items() if theirs in data}
    for name in ("title", "body", "feedback"):
        if name in found:
            found[name] = short(found[name])
    return found


def _foreign(state: EntityState, fields: dict[str, Any]) -> frozenset[str]:
    """Rejections that another partition's state may cause: the dictionary, another entity's deal."""
    cross = set()
    if "type" in fields:
        cross.add(_STRICT)
    if fields.get("deal") is not None and fields["deal"] not in state.deals:
        cross |= {"deal_not_found", "deal_of_other_entity"}
    return frozenset(cross)


def create(state: EntityState, command: Parsed) -> Expected:
    """Create an interaction: ``done`` if it has occurred, otherwise ``planned``."""
    data = command.data or {}
    given = data.get("id")
    interaction = given or derived("interaction", command.tenant, command.organization, command.id)
    if interaction in state.rows:
        return rejected("id_not_available", "interaction_exists", "already_exists", "version_conflict")
    if command.expected_version not in (None, 0):
        return rejected("version_conflict", "interaction_exists", "id_not_available")
    moved = (data.get("source") or "").startswith("migration:")
    if data.get("updatedAt") is not None and not moved:
        return rejected("history_not_allowed", "id_not_available", "interaction_exists")
    fields = _fields(data)
    made = command.made
    status = data.get("status") or ("done" if data.get("occurredAt") is not None else "planned")
    if status == "done" and fields.get("occurred") is None:
        fields["occurred"] = made
    scheduled = fields.get("scheduled")
    past = moved and status == "planned" and scheduled is not None and scheduled <= command.now
    # A reused id continues after the version of its deletion: no version is assigned twice.
    version = state.gone.get(interaction, 0) + 1
    after = Interaction(
        id=interaction,
        entity=state.id,
        status=status,
        organization=command.organization,
        tenant=command.tenant,
        version=version,
        created=command.now if data.get("createdAt") is None else min(data["createdAt"], command.now),
        updated=command.now if data.get("updatedAt") is None else min(data["updatedAt"], command.now),
        schedule_version=version,
        due_phase=2 if past else 0,
        status_as_of=made,
        scheduled_as_of=made,
        occurred_as_of=made,
        type=data["interactionType"],
        **{name: fields.get(name) for name in _OPTIONAL},
    )
    cross = _foreign(state, fields) | ({"id_not_available", "interaction_exists"} if given else set())
    return change(None, after, "created", cross=frozenset(cross))


def update(state: EntityState, command: Parsed) -> Expected:
    """Change fields and status; an older source timestamp loses on the last-write-wins fields."""
    row, refusal = target(state, command)
    if row is None:
        return refusal
    data = command.data or {}
    fields = _fields(data)
    cross = _foreign(state, fields)
    event = "updated"
    if "status" in data:
        if command.made < row.status_as_of:
            fields.pop("occurred", None)  # a stale status change is dropped together with its occurrence
        elif data["status"] != row.status:
            event = {"done": "completed", "canceled": "canceled", "planned": "reopened"}[data["status"]]
            fields["status"] = data["status"]
            if event == "completed" and fields.get("occurred") is None:
                fields["occurred"] = command.made
            elif event == "reopened":
                fields.setdefault("occurred", None)
    return _merge(row, fields, command, event, cross)


def complete(state: EntityState, command: Parsed) -> Expected:
    """planned → done."""
    row, refusal = target(state, command)
    if row is None:
        return refusal
    if command.made < row.status_as_of:
        return no_op()
    if row.status != "planned":
        return rejected("already_done" if row.status == "done" else "complete_canceled")
    data = command.data or {}
    occurred, feedback = data.get("occurredAt"), data.get("feedback")
    fields = {"status": "done", "occurred": command.made if occurred is None else occurred}
    if feedback is not None:
        fields["feedback"] = short(feedback)
    expected = _merge(row, fields, command, "completed")
    planned = data.get("next")
    return expected if planned is None else next_step.plan(state, command, planned, expected)


def cancel(state: EntityState, command: Parsed) -> Expected:
    """planned → canceled."""
    row, refusal = target(state, command)
    if row is None:
        return refusal
    if command.made < row.status_as_of:
        return no_op()
    if row.status != "planned":
        return rejected("already_canceled" if row.status == "canceled" else "cancel_done")
    return _merge(row, {"status": "canceled"}, command, "canceled")


def reopen(state: EntityState, command: Parsed) -> Expected:
    """done or canceled → planned; clears the occurrence."""
    row, refusal = target(state, command)
    if row is None:
        return refusal
    if command.made < row.status_as_of:
        return no_op()
    if row.status == "planned":
        return rejected("already_planned")
    return _merge(row, {"status": "planned", "occurred": None}, command, "reopened")


def delete(state: EntityState, command: Parsed) -> Expected:
    """Delete the interaction and its signals; the deletion takes a version of its own."""
    row, refusal = target(state, command)
    if row is None:
        return refusal
    return change(row, None, "deleted", changes=removal(state.children.of(row.id)))


def mark_due(state: EntityState, command: Parsed) -> Expected:
    """Mark due or overdue: once per phase, and only for the schedule version it names."""
    data = command.data or {}
    row = state.rows.get(data["id"])
    if row is None:
        return no_op("rejected")
    phase = _PHASES[data["phase"]]
    if row.status != "planned" or row.schedule_version != data["scheduleVersion"] or row.due_phase >= phase:
        return no_op()
    if row.scheduled is None or row.scheduled > command.now + FIVE_MINUTES:
        return no_op()
    expected = change(row, row._replace(due_phase=phase), data["phase"])
    expected.version = row.version
    return expected


def target(state: EntityState, command: Parsed) -> tuple[Interaction | None, Expected]:
    """Find the interaction of a command; ``None`` and the rejection if it cannot be changed."""
    row = state.rows.get((command.data or {})["id"])
    if row is None:
        return None, rejected("interaction_not_found", "entity_mismatch")
    if command.expected_version is not None and command.expected_version != row.version:
        return None, rejected("version_conflict")
    return row, no_op()


def _merge(
    row: Interaction,
    fields: dict[str, Any],
    command: Parsed,
    event: str,
    cross: frozenset[str] = frozenset(),
) -> Expected:
    """Merge: last write wins for the three fields; a no-op if nothing differs."""
    made = command.made
    kept = {
        name: value
        for name, value in fields.items()
        if name not in AS_OF or made >= getattr(row, AS_OF[name])
    }
    if all(getattr(row, name) == value for name, value in kept.items()):
        expected = no_op()
        expected.cross = cross
        return expected
    changed: dict[str, Any] = {**kept, "version": row.version + 1, "updated": command.now}
    # A field set to its present value is not changed and keeps its timestamp.
    changed |= {AS_OF[name]: made for name in kept if name in AS_OF and getattr(row, name) != kept[name]}
    armed = kept.get("scheduled", row.scheduled) != row.scheduled or (
        kept.get("status") == "planned" and row.status != "planned"
    )
    if armed:
        changed |= {"schedule_version": row.version + 1, "due_phase": 0}
    return change(row, row._replace(**changed), event, cross=cross)


def change(
    before: Interaction | None,
    after: Interaction | None,
    event: str,
    *,
    cross: frozenset[str] = frozenset(),
    changes: tuple[Change, ...] = (),
) -> Expected:
    """Expect a change of an interaction, and of its signals with it.

    :param event: last word of the lifecycle event's type.
    """
    shown = after or before
    return Expected(
        "applied",
        event=event,
        interaction=shown.id if shown else None,
        before=before,
        after=after,
        version=after.version if after else (before.version + 1 if before else None),
        cross=cross,
        changes=changes,
    )
