"""Planted violations: tampering with a history, and the checks that must report it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from audit.findings import Report
from schemas.topics import EVENTS
from tests.unit.audit.machine import Machine

SIGNALS, DRAFTS, OUTCOMES = "signals", "generated_drafts", "signal_outcomes"
Tamper = Callable[[Machine], None]


class Planted(NamedTuple):
    """A tampering, and the finding that names it.

    :param check: the invariant that it is meant to violate.
    :param what: part of the violation's text.
    :param also: the other invariants that it violates too.
    """

    tamper: Tamper
    check: str
    what: str
    also: frozenset[str]


class Plants(dict[str, Planted]):
    """Planted violations by name."""

    def add(self, check: str, what: str, *also: str) -> Callable[[Tamper], Tamper]:
        """Register a tampering that violates ``check``, and the others that follow from it, but no more."""

        def register(tamper: Tamper) -> Tamper:
            name = tamper.__name__.strip("_")
            assert name not in self, f"two plants are named {name}"
            self[name] = Planted(tamper, check, what, frozenset(also))
            return tamper

        return register


def failed(report: Report) -> set[str]:
    """Names of the violated invariants."""
    return {name for name, check in report.checks.items() if check.failed}


def assert_found(report: Report, planted: Planted) -> None:
    """Assert that a report has the violation, with its row or record, and no other violated invariant."""
    violations = {name: check.violations for name, check in report.checks.items() if check.failed}
    assert failed(report) == {planted.check, *planted.also}, violations
    named = [found for found in violations[planted.check] if planted.what in found["what"]]
    assert named, violations
    for check in violations.values():
        for violation in check:
            # A violation that does not identify its row or record is useless.
            assert len(violation.keys() - {"finding", "what", "table"}) > 0, violation


def row_of(m: Machine, table: str, identity: str) -> dict[str, Any]:
    """Row of a table with this id."""
    return next(row for row in m.tables[table] if row["id"] == identity)


def draft_row(m: Machine, signal: str) -> dict[str, Any]:
    """Row of the draft that resolved a signal."""
    return row_of(m, DRAFTS, row_of(m, SIGNALS, signal)["draft_id"])


def log_of(m: Machine, command: str) -> dict[str, Any]:
    """Log row of a command."""
    return next(row for row in m.journal if row["command_id"] == command)


def last_of(m: Machine, topic: str, key: str) -> int:
    """Index of the last record of a topic with a key."""
    return max(at for at, record in enumerate(m.topics[topic]) if record.key == key.encode())


def repeated(m: Machine, topic: str, at: int) -> None:
    """Append a copy of a record."""
    m.topics[topic].append(m.topics[topic][at]._replace(offset=10_000))


def image(m: Machine, at: int, name: str = "after") -> dict[str, Any]:
    """``before`` or ``after`` of an event."""
    found = orjson.loads(m.topics[EVENTS][at].value or b"")[name]
    assert isinstance(found, dict)
    return found
