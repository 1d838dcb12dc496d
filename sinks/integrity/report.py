"""State of the integrity checks for `interactions status`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from runtime.postgres import Connection
from sinks.integrity.violations import held_violations

_SQL: Final = """
SELECT extract(epoch FROM now() - complete_began_at)::float8, extract(epoch FROM now() - updated_at)::float8,
  skipped_at
FROM watch_progress
"""
_FIRST: Final = 3


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """Open violations, and the age of the checks.

    :param violations: invariant → number of open violations.
    :param first: the oldest violations, by the names of the event's fields.
    :param checked_seconds: time within which every row was checked; ``None`` before the first complete sweep.
    :param idle_seconds: time since the watch last worked; ``None`` if it never did.
    :param skipped_at: last time at which it left out entries of the journal.
    """

    violations: dict[str, int]
    first: list[dict[str, Any]]
    checked_seconds: float | None
    idle_seconds: float | None
    skipped_at: str | None


def integrity_report(connection: Connection) -> IntegrityReport:
    """Read the state of the integrity checks."""
    held = [it.violation for it in held_violations(connection)]
    counts = Counter(violation.check for violation in held)
    row = connection.execute(_SQL).fetchone()
    checked, idle, skipped = row if row is not None else (None, None, None)
    return IntegrityReport(
        violations=dict(sorted(counts.items(), key=lambda item: (len(item[0]), item[0]))),
        first=[
            {
                "check": it.check,
                "subject": it.subject,
                "subjectId": it.subject_id,
                "entityId": it.entity_id,
                "tenantId": it.tenant_id,
                "what": it.what,
            }
            for it in held[:_FIRST]
        ],
        checked_seconds=checked,
        idle_seconds=idle,
        skipped_at=skipped.isoformat() if skipped is not None else None,
    )
