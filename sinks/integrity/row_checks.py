"""Invariants that rows show by themselves, each checked by one statement over a page of ids.

One statement is one snapshot, and every change commits with its consequences, so a change that is in progress
is never a violation. The checks are written apart from the rules and the write path, like the auditor's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from runtime.postgres import Connection
from sinks.columns import LEAST_ID
from sinks.integrity.projections import WRONG_PROJECTIONS
from sinks.integrity.violations import Violation

_CUSTOMERS_SQL: Final = f"""
SELECT 'A3', 'customer', e.id::text, e.tenant_id::text, e.organization_id::text, e.id::text,
  w.columns || ' is not what the interactions give'
{WRONG_PROJECTIONS}
"""
_SIGNALS_SQL: Final = """
SELECT v.check_name, 'signal', s.id::text, s.tenant_id::text, s.organization_id::text, s.entity_id::text,
  v.what
FROM signals s
LEFT JOIN customer_interactions i ON i.id = s.interaction_id
LEFT JOIN generated_drafts d ON d.id = s.draft_id
CROSS JOIN LATERAL (VALUES
  ('A11', s.status = 'resolved' AND d.signal_id IS DISTINCT FROM s.id, 'a resolved signal without its draft'),
  ('A11', s.status <> 'resolved' AND s.draft_id IS NOT NULL, 'a signal that is not resolved names a draft'),
  ('A13', (i.tenant_id, i.organization_id, i.entity_id)
     IS DISTINCT FROM (s.tenant_id, s.organization_id, s.entity_id), 'a signal without its interaction')
) v (check_name, broken, what)
WHERE s.id = ANY(%s::uuid[]) AND v.broken
"""
# The person is left out: that of the signal may have changed since the draft was written.
_DRAFTS_SQL: Final = """
SELECT v.check_name, 'draft', d.id::text, d.tenant_id::text, d.organization_id::text, d.entity_id::text,
  v.what
FROM generated_drafts d
LEFT JOIN signals s ON s.id = d.signal_id
CROSS JOIN LATERAL (VALUES
  ('A13', (s.interaction_id, s.entity_id) IS DISTINCT FROM (d.interaction_id, d.entity_id),
    'a draft without its signal'),
  ('A12', (s.tenant_id, s.organization_id) <> (d.tenant_id, d.organization_id),
    'a draft of another tenant or organization than its signal'),
  ('A12', s.draft_id = d.id AND s.resolved_by IS DISTINCT FROM d.user_id,
    'a draft of another user than its resolution')
) v (check_name, broken, what)
WHERE d.id = ANY(%s::uuid[]) AND v.broken
"""
_OUTCOMES_SQL: Final = """
SELECT 'A13', 'outcome', o.id::text, o.tenant_id::text, o.organization_id::text, o.entity_id::text,
  'an outcome without its signal'
FROM signal_outcomes o
LEFT JOIN signals s ON s.id = o.signal_id
WHERE o.id = ANY(%s::uuid[])
  AND (s.interaction_id, s.entity_id) IS DISTINCT FROM (o.interaction_id, o.entity_id)
"""
_LATE_SQL: Final = """
SELECT s.resolution, 'A15', 'signal', s.id::text, s.tenant_id::text, s.organization_id::text,
  s.entity_id::text, 'a signal is being resolved past the deadline'
FROM signals s WHERE s.status = 'resolving' AND s.requested_at < %s ORDER BY s.requested_at LIMIT %s
"""
_PAGE_SQL: Final = "SELECT id::text FROM {} WHERE id > %s::uuid ORDER BY id LIMIT %s"


@dataclass(frozen=True, slots=True)
class RowCheck:
    """Invariants of the rows of one table.

    :param subject: kind of the rows, as in violations.
    """

    subject: str
    table: str
    page_sql: str
    check_sql: str


def _check(subject: str, table: str, check_sql: str) -> RowCheck:
    return RowCheck(subject, table, _PAGE_SQL.format(table), check_sql)


CUSTOMERS: Final = _check("customer", "customer_entities", _CUSTOMERS_SQL)
SIGNALS: Final = _check("signal", "signals", _SIGNALS_SQL)
DRAFTS: Final = _check("draft", "generated_drafts", _DRAFTS_SQL)
OUTCOMES: Final = _check("outcome", "signal_outcomes", _OUTCOMES_SQL)
#: In the order of the sweep.
ROW_CHECKS: Final = (CUSTOMERS, SIGNALS, DRAFTS, OUTCOMES)


def next_page(connection: Connection, check: RowCheck, after: str | None, size: int) -> list[str]:
    """Return the next ids of the table in order; fewer than ``size`` at its end."""
    rows = connection.execute(check.page_sql, (after or LEAST_ID, size))
    return [row[0] for row in rows]


def broken_rows(connection: Connection, check: RowCheck, ids: Sequence[str]) -> list[Violation]:
    """Check the rows with these ids; an id without a row breaks nothing."""
    return [Violation(*row) for row in connection.execute(check.check_sql, (list(ids),))]


def late_signals(connection: Connection, before: datetime, limit: int) -> dict[tuple[str, int], Violation]:
    """Return the signals that are being resolved since ``before`` or longer, by id and resolution."""
    found = [(row[0], Violation(*row[1:])) for row in connection.execute(_LATE_SQL, (before, limit))]
    return {(violation.subject_id, resolution): violation for resolution, violation in found}
