"""Check an applied command's effects: versions, the announced next interaction, its events, its result."""

from __future__ import annotations

from typing import Final

from audit.audit_inputs import AuditInputs
from audit.derived_ids import command_key, derived
from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.event_pass import BITS, NEXT_BIT, RECORD_BITS
from audit.expected import Expected
from audit.instants import show
from audit.results_pass import Recorded
from audit.signals import child_events
from audit.signals.tags import child_tags

_MAY_ADD_TYPES: Final = frozenset(
    {
        *("interaction.create", "interaction.update", "interaction.fix", "interaction.complete"),
        "interaction_type.upsert",
    }
)
_TYPE_BITS: Final = sum(bit for name, bit in BITS.items() if ".interaction_type." in name)


def check_effects(
    inputs: AuditInputs,
    command: Parsed,
    recorded: Recorded,
    expected: Expected,
    number: int,
    state: EntityState | None,
) -> None:
    """Compare an applied command's recorded effects with the derived decision.

    :param state: the entity after the command; ``None`` for a dictionary entry or a flag.
    """
    if state is not None:
        _check_versions(inputs, command, recorded, expected, state)
    elif expected.erases:
        _check_last_version(inputs, command, recorded, expected)
    _check_events(inputs, command, expected, number)
    _check_child_events(inputs, command, expected, number)
    if recorded.command:
        _check_tags(inputs, command, recorded, expected)


def check_named(inputs: AuditInputs, command: Parsed, recorded: Recorded, expected: Expected) -> None:
    """Check that the result of an applied or unnecessary command names its rows and version."""
    if not recorded.command or recorded.outcome != expected.outcome or recorded.outcome == "rejected":
        return
    a2, step = inputs.report.checks["A2"], expected.step
    planned = step.id if step is not None and step.after is not None else None
    for what, said, due in (
        ("signalId", recorded.signal, expected.signal),
        ("draftId", recorded.draft, expected.draft),
        ("plannedInteractionId", recorded.planned, planned),
    ):
        if said != due:
            a2.fail(f"{what} {said or 'missing'}, the rules say {due or 'none'}", command.record,
                    **named(command))  # fmt: skip
    of_row = expected.signal is not None or expected.draft is not None
    if of_row and recorded.version is None:
        a2.fail(f"version missing, the rules say {expected.version}", command.record, **named(command))
    elif recorded.outcome == "no_op" and of_row and recorded.version != expected.version:
        what = f"version {recorded.version}, the rules say {expected.version}"
        a2.fail(what, command.record, **named(command))


def _check_last_version(inputs: AuditInputs, command: Parsed, recorded: Recorded, expected: Expected) -> None:
    if recorded.entity_version != expected.version:
        what = f"entityVersion {recorded.entity_version}, the rules say {expected.version}"
        inputs.report.checks["A2"].fail(what, command.record, **named(command))


def _check_versions(
    inputs: AuditInputs, command: Parsed, recorded: Recorded, expected: Expected, state: EntityState
) -> None:
    record, a2, a3 = command.record, inputs.report.checks["A2"], inputs.report.checks["A3"]
    where = named(command)
    if recorded.entity_version != state.version:
        a2.fail(f"entityVersion {recorded.entity_version}, the rules say {state.version}", record, **where)
        state.version = recorded.entity_version or state.version
    if recorded.version is not None and expected.version not in (None, recorded.version):
        a2.fail(f"version {recorded.version}, the rules say {expected.version}", record, **where)
    nearest = state.next()
    due = hash((nearest.id, nearest.scheduled)) if nearest else 0
    if recorded.command and recorded.next != due:
        shown = f"{nearest.id} at {show(nearest.scheduled)}" if nearest else "none"
        a3.fail(f"a result's nextInteraction is not the fold's ({shown})", record, **where)


def _check_events(inputs: AuditInputs, command: Parsed, expected: Expected, number: int) -> None:
    a4 = inputs.report.checks["A4"]
    wanted = BITS[f"customers.interaction.{expected.event}"] if expected.event else 0
    if expected.step is not None:
        wanted |= BITS[f"customers.interaction.{expected.step.event}"]
    seen = inputs.ledger.events[number]
    if expected.record:
        wanted |= BITS[f"customers.{expected.record}"]
    if command.kind in _MAY_ADD_TYPES:
        wanted |= seen & _TYPE_BITS  # what the dictionary had, other partitions decide
    if expected.next is None:
        wanted |= seen & NEXT_BIT  # only its name, icon or color may have changed, which depends on labels
    elif expected.next:
        wanted |= NEXT_BIT
    if seen == wanted:
        return
    for name, bit in BITS.items():
        event_id = derived("event", command.tenant, command.organization, command.id, name)
        if wanted & bit and not seen & bit and not _may_lack(inputs, command, event_id, bit):
            a4.fail(f"{name} is missing", command.record, **named(command))
        elif seen & bit and not wanted & bit:
            a4.fail(f"{name} does not follow from this command", command.record, **named(command))


def _check_child_events(inputs: AuditInputs, command: Parsed, expected: Expected, number: int) -> None:
    """Check the events of signals and drafts: one per changed row, which shows its change."""
    a4, children, found = inputs.report.checks["A4"], inputs.events.children, 0
    for change in expected.changes:
        if change.event is None:
            continue
        name, row = f"customers.{change.event}", change.row
        where = {"id": row.id, **named(command)}
        event_id = child_events.event_id(command.tenant, command.organization, command.id, name, row.id)
        image = children.images.get(hash(event_id))
        if image is not None:
            found += 1
            if image != child_events.image_of(change.before, change.after):
                a4.fail(f"{name} does not show the change that follows from this command",
                        command.record, **where)  # fmt: skip
        elif not _may_lack(inputs, command, event_id):
            a4.fail(f"{name} is missing", command.record, **where)
    if children.counts.get(number, 0) > found:
        what = "an event of a signal or draft does not follow from this command"
        a4.fail(what, command.record, **named(command))


def _check_tags(inputs: AuditInputs, command: Parsed, recorded: Recorded, expected: Expected) -> None:
    """Check the cache tags of signals and drafts; those of interactions depend on labels."""
    alone = expected.event is None and bool(expected.changes)
    if expected.erases:
        lists = (
            f"customers:{kind}:list:{command.tenant}:{command.organization}" for kind in ("signal", "draft")
        )
        if recorded.child_tags != hash(frozenset(lists)):
            what = "a result's invalidates are not the tags of an erasure"
            inputs.report.checks["A2"].fail(what, command.record, **named(command))
        return
    if recorded.child_tags != hash(child_tags(expected.changes)) or (alone and recorded.has_other_tags):
        what = "a result's invalidates are not the tags of the signals and drafts that changed"
        inputs.report.checks["A2"].fail(what, command.record, **named(command))


def _may_lack(inputs: AuditInputs, command: Parsed, event_id: str, bit: int = 0) -> bool:
    if hash(event_id) in inputs.publications.waiting:
        inputs.report.checks["A4"].lag += 1
        return True
    first = inputs.publications.first_record
    if bit & RECORD_BITS and (first is None or command.now < first):
        return True  # an earlier version published no such events
    key = command_key(command.tenant, command.organization, command.id)
    if bit & RECORD_BITS and key in inputs.publications.without_facts:
        return True  # the earlier version applied it while older commands of other partitions waited
    oldest = inputs.events.oldest
    return oldest is not None and command.now <= oldest


def named(command: Parsed) -> dict[str, str]:
    """Fields that identify a command in a violation."""
    return {"commandId": command.id, "entityId": command.entity, "type": command.kind}
