"""Audit findings: one check per invariant, with counts and violations."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import orjson

from audit.history import Record

#: Violations kept in full per check; all are counted.
KEPT: Final = 200


@dataclass(slots=True)
class Check:
    """One invariant and its verdict.

    :param checked: items compared.
    :param trusted: of these, taken as recorded because another partition's state decides.
    :param lag: items past the cut, not yet due.
    """

    name: str
    title: str
    invariant: str
    checked: int = 0
    trusted: int = 0
    lag: int = 0
    failed: int = 0
    known: int = 0
    violations: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, what: str, record: Record | None = None, /, **where: Any) -> None:
        """Record one violation: one sentence, and the fields that identify its row or record."""
        self.failed += 1
        if len(self.violations) < KEPT:
            place = {} if record is None else position_of(record)
            named = {name: value for name, value in where.items() if value is not None}
            finding = {"what": what, **place, **named}
            self.violations.append({"finding": finding_id(self.name, finding), **finding})

    def mark_known(self, known: Set[str]) -> None:
        """Mark violations with these ids as known; they no longer fail the check."""
        for violation in self.violations:
            if violation["finding"] in known and not violation.get("known"):
                violation["known"] = True
                self.known += 1

    def to_json(self) -> dict[str, Any]:
        """The check as ``interactions audit --json`` prints it."""
        return {
            "name": self.name,
            "title": self.title,
            "law": self.invariant,
            "ok": self.failed == self.known,
            "checked": self.checked,
            "trusted": self.trusted,
            "lag": self.lag,
            "violationCount": self.failed,
            "knownCount": self.known,
            "violations": self.violations,
        }


def finding_id(check: str, finding: Mapping[str, Any]) -> str:
    """Stable id of one violation, the same in every audit that finds it.

    Hazard: the id covers the violation's text. Rewording a violation invalidates operators' lists of
    known ids.
    """
    image = orjson.dumps([check, dict(finding)], option=orjson.OPT_SORT_KEYS, default=str)
    return f"{check}-{blake2b(image, digest_size=6).hexdigest()}"


def position_of(record: Record) -> dict[str, Any]:
    """Topic, partition and offset of a record."""
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


INVARIANTS: Final[tuple[tuple[str, str, str], ...]] = (
    ("A1", "outcome per command", "every command below the watermark has one result, and one log row if due"),
    ("A2", "effects = fold", "outcomes and rows are what the commands give when applied in order"),
    ("A3", "projection", "next_*, last_* and counts equal a recomputation from the interactions"),
    ("A4", "events once, in order", "an applied command's events come out once, in order, as one chain"),
    ("A5", "nothing unasked", "no event without an applied log row, no interaction without its command"),
    ("A6", "watermark", "it is contiguous: all below has an outcome, nothing above is applied"),
    ("A7", "dead letters", "one for each undecodable record, byte for byte, with its place and reason"),
    ("A8", "state topics", "their compacted view equals the tables; tombstones for what is gone"),
    ("A9", "journal published", "every event of the journal is published once, and nothing else is"),
    ("A10", "scope", "tenant and organization agree on command, log, row, event and result"),
    ("A11", "resolved with a draft", "every resolved signal has its draft; sent and deleted drafts count"),
    ("A12", "draft as resolved", "a draft has tenant, organization, user and person of its resolution"),
    ("A13", "no orphans", "no signal without its interaction, no draft or outcome without its signal"),
    ("A14", "applied with a row", "every row that a result reports as saved exists, or was removed since"),
    ("A15", "resolution deadline", "no signal is being resolved for longer than the deadline"),
    ("A16", "erased for good", "no row and no journal payload of an erased customer remains"),
)


@dataclass(slots=True)
class Report:
    """The outcome of one audit."""

    checks: dict[str, Check] = field(
        default_factory=lambda: {name: Check(name, title, invariant) for name, title, invariant in INVARIANTS}
    )
    notes: list[str] = field(default_factory=list)
    lag: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Return whether every invariant holds, known violations aside."""
        return all(check.failed == check.known for check in self.checks.values())

    def mark_known(self, known: Set[str]) -> None:
        """Mark violations that an operator has investigated; ids that are no longer found get a note.

        :param known: violation ids, as a report shows them.
        """
        for check in self.checks.values():
            check.mark_known(known)
        found = {violation["finding"] for check in self.checks.values() for violation in check.violations}
        for identity in sorted(known - found):
            self.note(f"known violation {identity} is no longer found: remove it from the list")

    def behind(self, what: str, count: int = 1) -> None:
        """Count items past the cut: not a violation, but not checked either."""
        self.lag[what] = self.lag.get(what, 0) + count

    def note(self, text: str) -> None:
        """Add a note for readers of the verdict, once."""
        if text not in self.notes:
            self.notes.append(text)

    def to_json(self) -> dict[str, Any]:
        """The report as ``interactions audit --json`` prints it."""
        return {
            "ok": self.ok,
            "checks": [check.to_json() for check in self.checks.values()],
            "lag": sum(self.lag.values()),
            "lagBy": self.lag,
            "counts": self.counts,
            "notes": self.notes,
        }
