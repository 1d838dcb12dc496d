"""What an applied command must leave behind: versions, the announced next interaction, its events."""

from __future__ import annotations

from audit.audit_inputs import Evidence
from audit.derived_ids import derived
from audit.entity_state import Subject
from audit.envelope import Parsed
from audit.event_pass import BITS, NEXT_BIT
from audit.expected import Decision
from audit.instants import show
from audit.results_pass import Recorded


def check_aftermath(
    evidence: Evidence,
    command: Parsed,
    recorded: Recorded,
    decision: Decision,
    number: int,
    subject: Subject | None,
) -> None:
    """Compare an applied command's traces with the decision.

    :param subject: the entity after the command; ``None`` for a dictionary entry or a flag.
    """
    if subject is not None:
        _check_versions(evidence, command, recorded, decision, subject)
    _check_events(evidence, command, decision, number)


def _check_versions(
    evidence: Evidence, command: Parsed, recorded: Recorded, decision: Decision, subject: Subject
) -> None:
    record, a2, a3 = command.record, evidence.report.checks["A2"], evidence.report.checks["A3"]
    where = named(command)
    if recorded.entity_version != subject.version:
        a2.fail(f"entityVersion {recorded.entity_version}, the rules say {subject.version}", record, **where)
        subject.version = recorded.entity_version or subject.version
    if recorded.version is not None and decision.version not in (None, recorded.version):
        a2.fail(f"version {recorded.version}, the rules say {decision.version}", record, **where)
    nearest = subject.next()
    due = hash((nearest.id, nearest.scheduled)) if nearest else 0
    if recorded.command and recorded.next != due:
        shown = f"{nearest.id} at {show(nearest.scheduled)}" if nearest else "none"
        a3.fail(f"a result's nextInteraction is not the fold's ({shown})", record, **where)


def _check_events(evidence: Evidence, command: Parsed, decision: Decision, number: int) -> None:
    a4 = evidence.report.checks["A4"]
    wanted = BITS[f"customers.interaction.{decision.event}"] if decision.event else 0
    seen = evidence.ledger.events[number]
    if decision.next is None:
        wanted |= seen & NEXT_BIT  # its looks may have changed, which depends on labels
    elif decision.next:
        wanted |= NEXT_BIT
    if seen == wanted:
        return
    for name, bit in BITS.items():
        if wanted & bit and not seen & bit and not _may_lack(evidence, command, name):
            a4.fail(f"{name} is missing", command.record, **named(command))
        elif seen & bit and not wanted & bit:
            a4.fail(f"{name} does not follow from this command", command.record, **named(command))


def _may_lack(evidence: Evidence, command: Parsed, name: str) -> bool:
    event_id = derived("event", command.tenant, command.organization, command.id, name)
    if hash(event_id) in evidence.outbox.waiting:
        evidence.report.checks["A4"].lag += 1
        return True
    oldest = evidence.events.oldest
    return oldest is not None and command.now <= oldest


def named(command: Parsed) -> dict[str, str]:
    """The names by which a person finds a command."""
    return {"commandId": command.id, "entityId": command.entity, "type": command.kind}
