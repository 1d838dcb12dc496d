"""Check an applied command's effects: versions, the announced next interaction, its events."""

from __future__ import annotations

from typing import Final

from audit.audit_inputs import AuditInputs
from audit.derived_ids import derived
from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.event_pass import BITS, NEXT_BIT, RECORD_BITS
from audit.expected import Expected
from audit.instants import show
from audit.results_pass import Recorded

_MAY_ADD_TYPES: Final = frozenset({"interaction.create", "interaction.update", "interaction_type.upsert"})
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
    _check_events(inputs, command, expected, number)


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
        if wanted & bit and not seen & bit and not _may_lack(inputs, command, name):
            a4.fail(f"{name} is missing", command.record, **named(command))
        elif seen & bit and not wanted & bit:
            a4.fail(f"{name} does not follow from this command", command.record, **named(command))


def _may_lack(inputs: AuditInputs, command: Parsed, name: str) -> bool:
    event_id = derived("event", command.tenant, command.organization, command.id, name)
    if hash(event_id) in inputs.publications.waiting:
        inputs.report.checks["A4"].lag += 1
        return True
    first = inputs.publications.first_record
    if BITS[name] & RECORD_BITS and (first is None or command.now < first):
        return True  # an earlier version published no such events
    oldest = inputs.events.oldest
    return oldest is not None and command.now <= oldest


def named(command: Parsed) -> dict[str, str]:
    """Fields that identify a command in a violation."""
    return {"commandId": command.id, "entityId": command.entity, "type": command.kind}
