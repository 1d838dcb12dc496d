"""A7: exactly one dead letter per undecodable record, a byte-for-byte copy, and no others."""

from __future__ import annotations

from typing import Final

from audit.audit_inputs import AuditInputs
from audit.dead_letters import DEAD_LETTERS, image_of
from audit.derived_ids import dead_id
from audit.envelope import Parsed

#: Bytes that fit in a dead letter under any topic configuration.
_ALWAYS_KEPT: Final = 60_000


def check_dead_letter(inputs: AuditInputs, command: Parsed) -> None:
    """Check that a record has a dead letter if, and only if, it must have one."""
    record, a7 = command.record, inputs.report.checks["A7"]
    place = (record.partition, record.offset)
    logged_dead = dead_id(inputs.history.cut.commands, *place) in inputs.ledger.dead
    if not logged_dead and not command.undecodable and place not in inputs.dead_letters:
        return
    a7.checked += 1
    inputs.dead_letters.due.add(place)
    dead_letter = inputs.dead_letters.by_place.get(place)
    if dead_letter is None:
        if inputs.history.cut.is_truncated(DEAD_LETTERS):
            inputs.report.note("the oldest dead letters are no longer retained")
        elif not inputs.is_answered(*place):
            a7.lag += 1
            inputs.report.behind("deadLetters")
        else:
            a7.fail("an undecodable record has no dead letter", record)
    elif not _may_lack(command, dead_letter.lacks):
        a7.fail("a dead letter lacks a part that would have fitted", record)
    elif dead_letter.image != image_of(record, dead_letter.lacks):
        where = {"letterPartition": dead_letter.partition, "letterOffset": dead_letter.offset}
        a7.fail("a dead letter is not its record byte for byte", record, **where)
    isolated = dead_letter is not None and dead_letter.isolated
    if command.undecodable is False and command.refusal is not None and logged_dead and not isolated:
        a7.fail("a readable record is logged as undecodable", record, reason=command.refusal)


def _may_lack(command: Parsed, lacks: frozenset[str]) -> bool:
    """Return whether a dead letter may omit these parts: its record is unreadable or too large."""
    record = command.record
    large = len(record.value or b"") + len(record.key or b"") > _ALWAYS_KEPT
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    allowed = {"headers", "key", "value"} if large or headers > _ALWAYS_KEPT else set()
    return lacks <= (allowed if record.readable else {"headers", *allowed})


def check_strays(inputs: AuditInputs) -> None:
    """Find dead letters whose record is retained and needs none, or does not exist."""
    for (partition, offset), dead_letter in inputs.dead_letters.by_place.items():
        retained = inputs.begin(partition) <= offset < inputs.watermark.get(partition, 0)
        if retained and (partition, offset) not in inputs.dead_letters.due:
            inputs.report.checks["A7"].fail(
                "a dead letter without its record",
                topic=DEAD_LETTERS,
                partition=dead_letter.partition,
                offset=dead_letter.offset,
            )
