"""A7: one dead letter for each undecodable record, byte for byte, and no letter else."""

from __future__ import annotations

from typing import Final

from audit.audit_inputs import Evidence
from audit.dead_letters import DEAD_LETTERS, image_of
from audit.derived_ids import dead_id
from audit.envelope import Parsed

#: Bytes that fit into a dead letter whatever its topic's settings are.
_ALWAYS_KEPT: Final = 60_000


def check_letter(evidence: Evidence, command: Parsed) -> None:
    """Whether a record has the dead letter that it must have, and is one that may."""
    record, a7 = command.record, evidence.report.checks["A7"]
    place = (record.partition, record.offset)
    logged_dead = dead_id(evidence.history.cut.commands, *place) in evidence.ledger.dead
    if not logged_dead and not command.undecodable and place not in evidence.letters:
        return
    a7.checked += 1
    evidence.letters.due.add(place)
    letter = evidence.letters.by_place.get(place)
    if letter is None:
        if evidence.history.cut.is_cut(DEAD_LETTERS):
            evidence.report.note("the oldest dead letters are no longer retained")
        elif not evidence.is_answered(*place):
            a7.lag += 1
            evidence.report.behind("deadLetters")
        else:
            a7.fail("an undecodable record has no dead letter", record)
    elif not _may_lack(command, letter.lacks):
        a7.fail("a dead letter lacks a part that would have fitted", record)
    elif letter.image != image_of(record, letter.lacks):
        where = {"letterPartition": letter.partition, "letterOffset": letter.offset}
        a7.fail("a dead letter is not its record byte for byte", record, **where)
    isolated = letter is not None and letter.isolated
    if command.undecodable is False and command.refusal is not None and logged_dead and not isolated:
        a7.fail("a readable record is logged as undecodable", record, reason=command.refusal)


def _may_lack(command: Parsed, lacks: frozenset[str]) -> bool:
    """Return whether a record is one of which not everything can be kept: unreadable, or large."""
    record = command.record
    large = len(record.value or b"") + len(record.key or b"") > _ALWAYS_KEPT
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    allowed = {"headers", "key", "value"} if large or headers > _ALWAYS_KEPT else set()
    return lacks <= (allowed if record.readable else {"headers", *allowed})


def check_strays(evidence: Evidence) -> None:
    """Letters about retained records that need none, or that do not exist."""
    for (partition, offset), letter in evidence.letters.by_place.items():
        retained = evidence.begin(partition) <= offset < evidence.watermark.get(partition, 0)
        if retained and (partition, offset) not in evidence.letters.due:
            evidence.report.checks["A7"].fail(
                "a dead letter without its record",
                topic=DEAD_LETTERS,
                partition=letter.partition,
                offset=letter.offset,
            )
