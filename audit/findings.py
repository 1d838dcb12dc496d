"""What an audit found: one law a check, the count of what was checked, and the violations by name."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import orjson

from audit.history import Rec

#: Violations kept by name for each check; all are counted.
KEPT: Final = 200


@dataclass(slots=True)
class Check:
    """One law and what became of it.

    :param checked: things compared; ``trusted``: of them, decided by a fact of another partition and
        taken as recorded; ``lag``: past the cut, not yet due.
    """

    name: str
    title: str
    law: str
    checked: int = 0
    trusted: int = 0
    lag: int = 0
    failed: int = 0
    known: int = 0
    violations: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, what: str, record: Rec | None = None, /, **where: Any) -> None:
        """Note one violation: one sentence, and the names of the row or record it is about."""
        self.failed += 1
        if len(self.violations) < KEPT:
            place = {} if record is None else place_of(record)
            named = {name: value for name, value in where.items() if value is not None}
            finding = {"what": what, **place, **named}
            self.violations.append({"finding": finding_id(self.name, finding), **finding})

    def forgive(self, known: Set[str]) -> None:
        """Count violations of these ids as known; they break the law no longer."""
        for violation in self.violations:
            if violation["finding"] in known and not violation.get("known"):
                violation["known"] = True
                self.known += 1

    def to_json(self) -> dict[str, Any]:
        """The check as ``interactions audit --json`` prints it."""
        return {
            "name": self.name,
            "title": self.title,
            "law": self.law,
            "ok": self.failed == self.known,
            "checked": self.checked,
            "trusted": self.trusted,
            "lag": self.lag,
            "violationCount": self.failed,
            "knownCount": self.known,
            "violations": self.violations,
        }


def finding_id(check: str, finding: Mapping[str, Any]) -> str:
    """A short name for one violation, the same in every audit that finds it again."""
    image = orjson.dumps([check, dict(finding)], option=orjson.OPT_SORT_KEYS, default=str)
    return f"{check}-{blake2b(image, digest_size=6).hexdigest()}"


def place_of(record: Rec) -> dict[str, Any]:
    """Where a record is."""
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


LAWS: Final[tuple[tuple[str, str, str], ...]] = (
    ("A1", "outcome per command", "every command below the watermark has one result, and one log row if due"),
    ("A2", "effects = fold", "outcomes and rows are what the commands give when applied in order"),
    ("A3", "projection", "next_*, last_* and counts equal a recomputation from the interactions"),
    ("A4", "events once, in order", "an applied command's events come out once, in order, as one chain"),
    ("A5", "nothing unasked", "no event without an applied log row, no interaction without its command"),
    ("A6", "watermark", "it is contiguous: all below has an outcome, nothing above is applied"),
    ("A7", "dead letters", "one for each undecodable record, byte for byte, with its place and reason"),
    ("A8", "state topics", "their compacted view equals the tables; tombstones for what is gone"),
    ("A9", "outbox drained", "each outbox row is published once, nothing else is published"),
    ("A10", "scope", "tenant and organization agree on command, log, row, event and result"),
)


@dataclass(slots=True)
class Report:
    """The outcome of one audit."""

    checks: dict[str, Check] = field(
        default_factory=lambda: {name: Check(name, title, law) for name, title, law in LAWS}
    )
    notes: list[str] = field(default_factory=list)
    lag: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no law was broken."""
        return all(check.failed == check.known for check in self.checks.values())

    def forgive(self, known: Set[str]) -> None:
        """Mark violations that an operator has looked into; ids that are found no more are noted.

        :param known: ids of violations, as a report names them.
        """
        for check in self.checks.values():
            check.forgive(known)
        found = {violation["finding"] for check in self.checks.values() for violation in check.violations}
        for identity in sorted(known - found):
            self.note(f"the known violation {identity} is no longer found: remove it from the list")

    def behind(self, what: str, count: int = 1) -> None:
        """Count what lies past the cut: not a violation, but not checked either."""
        self.lag[what] = self.lag.get(what, 0) + count

    def note(self, text: str) -> None:
        """Say once something that a reader of the verdict must know."""
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
